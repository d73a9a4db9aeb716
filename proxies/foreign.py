"""A proxy from elsewhere is not taken on trust: what it asks for, leaves behind, and returns.

The proxies of a network share its copy, its images and one process. Code that nobody here has
read may double the weights of the copy, leave a hook on it, or turn the process to another number
of threads, and every score after it would be of something else. So the settings of the process
are put back, and a proxy that changed what it was only lent has failed, in words; the shared work
is made anew, so that nobody else sees it. What its record does not name, it does not get: the
key of its scores would not say that they depend on it.
"""

import numbers
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from proxies.copies import Copies
from proxies.gram import Gram
from proxies.loss_gradients import LossGradients
from proxies.probe import Probe, Score
from proxies.state import State, same
from proxies.tape import Tape
from testbed.basis.errors import ToolkitError
from testbed.catalogue.spec import ProxySpec
from testbed.networks.modes import kept_settings
from testbed.store.canonical import details_json

__all__ = ["ProxyError", "as_declared", "checked", "lent"]


class ProxyError(ToolkitError):
    """A proxy that does not keep what its record and its contract say."""


def as_declared(probe: Probe, spec: ProxySpec) -> Probe:
    """Return the probe as a proxy sees it that gets what its record names; all else is shared."""
    view = object.__new__(_Declared)
    view.__dict__ = probe.__dict__
    view.spec = spec
    return view


class _Declared(Probe):
    """A probe that gives away what a record names."""

    __slots__ = ("spec",)  # not in the dictionary, which is the probe's

    spec: ProxySpec

    def _want(self, need: str) -> None:
        if need not in self.spec.needs:
            needs = (*self.spec.needs, need)
            raise ProxyError(
                f"it asks for what depends on the {need}, which its record does not name: give its "
                f"ProxySpec needs={needs}"
            )

    @property
    def images(self) -> Tensor:  # type: ignore[override]
        self._want("images")
        return self.__dict__["images"]

    @property
    def labels(self) -> Tensor:
        self._want("labels")
        return super().labels

    @property
    def copies(self) -> Copies:
        self._want("images")  # of which the statistics of its batch norms are
        return super().copies

    @property
    def gram(self) -> Gram:
        self._want("images")
        return super().gram

    @property
    def tape(self) -> Tape:
        self._want("images")
        return super().tape

    @property
    def loss_gradients(self) -> LossGradients:
        self._want("labels")
        return super().loss_gradients


@contextmanager
def lent(probe: Probe) -> Iterator[None]:
    """Lend a probe to code of others.

    Raises:
        ProxyError: after the block, if the network or the images are not what they were. The
            probe's shared work is made anew then, from the images as they were.
    """
    networks = probe.networks()
    states = [State(network) for network in (probe.module, *networks.values())]
    images, labels = probe.images, probe.given_labels
    kept, kept_labels = images.clone(), None if labels is None else labels.clone()
    changes: list[str] = []
    try:
        with kept_settings():
            yield
    finally:
        for network in probe.networks().values():
            network.zero_grad(set_to_none=True)
        changes += [what for state in states for what in state.changes()]
        if not _copied(networks, probe.networks()):
            changes.append("the weights or buffers")
        if labels is not None and kept_labels is not None and not same(labels, kept_labels):
            changes.append("the labels")
        if not same(images, kept):
            changes.append("the images")
        if changes:
            probe.renew(kept, kept_labels)
    if changes:
        raise ProxyError(
            f"it changed {', '.join(dict.fromkeys(changes))}, which all proxies of a network "
            "share: let it work on a copy, copy.deepcopy(probe.network) for instance"
        )


def _copied(before: Mapping[str, nn.Module], now: Mapping[str, nn.Module]) -> bool:
    """Say whether the recorded network, if it is new, has the weights that it was recorded with."""
    if "tape" in before or "tape" not in now:
        return True
    plain, taped = (dict(now[use].named_parameters()) for use in ("plain", "tape"))
    return plain.keys() == taped.keys() and all(same(taped[k], plain[k]) for k in plain)


def checked(result: Any) -> Score:
    """Return what a proxy returned, its value a float.

    Raises:
        ProxyError: if it is no `Score`, or one whose entries are of other types.
    """
    if not isinstance(result, Score):
        raise ProxyError(
            f"it returned {_called(result)}; a proxy returns a proxies.Score, Score(0.5) for "
            "instance"
        )
    if not (result.reason is None or isinstance(result.reason, str)):
        raise ProxyError(f"the reason of a score is text or None; got {_called(result.reason)}")
    if not isinstance(result.details, Mapping):
        raise ProxyError(f"the details of a score are a dict; got {_called(result.details)}")
    details_json(result.details)
    return replace(result, value=_real(result.value), failed=bool(result.failed))


def _real(value: Any) -> float:
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex():
        return float(value)
    if isinstance(value, numbers.Real):  # numpy's too
        return float(value)
    raise ProxyError(f"the value of a score is one real number; got {_called(value)}")


def _called(thing: Any) -> str:
    """Return what a thing is in few words: None, or its type, a tensor's with its shape."""
    if thing is None:
        return "None"
    shape = f" of shape {tuple(thing.shape)}" if hasattr(thing, "shape") else ""
    name = type(thing).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}{shape}"
