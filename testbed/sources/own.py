"""A user's own networks: what ``package.module:function`` returns, or timm builds."""

import hashlib
import importlib
import re
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from testbed.basis.errors import ToolkitError, did_you_mean
from testbed.basis.seeding import global_draws
from testbed.images import ImageSet
from testbed.sources.errors import SourceError
from testbed.sources.first_look import Apart, looked_at
from testbed.sources.fit import SHOWN, check_fit
from testbed.sources.own_name import OwnName, own_names
from testbed.sources.timm_networks import Fitting, timm_network
from testbed.train.checkpoint_files import fingerprint_of_weights

__all__ = ["OwnSource", "build_own"]


@dataclass(frozen=True)
class OwnSource:
    """Networks that functions return; the name of a network says which, see `own_name`.

    A function returns an ``nn.Module`` that maps images (N, C, H, W) in [0, 1] to logits (N, K),
    its weights loaded. Modules are looked for in the current folder too. Torch's global generator
    is as before afterwards.

    Attributes:
        names: of the networks.
        fingerprints: of their weights.
        factory: the function that takes a name, where the names do not say how to build them.
        fitting: the images that networks of timm are built for.
        answers: what else was asked of each network when it was looked at; empty if nothing was.
    """

    names: tuple[str, ...]
    fingerprints: tuple[str, ...]
    factory: str | None = None
    fitting: Fitting | None = None
    answers: tuple[Any, ...] = field(default=(), compare=False, repr=False)

    @staticmethod
    def of(
        names: Sequence[str],
        factory: str | None = None,
        images: ImageSet | None = None,
        apart: Apart | None = None,
        ask: Callable[[nn.Module], Any] | None = None,
    ) -> "OwnSource":
        """Return the source of these networks; each is built, to compute its fingerprint.

        Args:
            names: ``module:function``, with arguments perhaps, or ``timm:name``; anything that the
                factory takes if there is one.
            factory: ``module:function``, called with a name.
            images: that each has to take, and networks of timm are built for.
            apart: the processes that they are built in; None for this one.
            ask: a function of a network, for the answers; it can be pickled.

        Raises:
            SourceError: if one cannot be built, see `build`, or does not take the images.
        """
        names, factory = own_names(names, None, factory)
        fitting = None if images is None else Fitting.of(images)
        few = None if images is None else images.first(SHOWN)
        seen = looked_at(_FirstLook(factory, fitting, few, ask), names, apart)
        answers = () if ask is None else tuple(answer for _, answer in seen)
        return OwnSource(names, tuple(mark for mark, _ in seen), factory, fitting, answers)

    @cached_property
    def _marks(self) -> dict[str, str]:
        # Of twenty thousand names each would be looked for among the others, at every task.
        return dict(zip(self.names, self.fingerprints, strict=True))

    @property
    def init(self) -> str:
        """Return ``own``."""
        return "own"

    @property
    def fresh(self) -> bool:
        """Return False: a user knows the state of a network, and proxies check it themselves."""
        return False

    @property
    def untrained(self) -> list[str]:
        """Return the networks that are certainly untrained: timm's without pretrained weights."""
        if self.factory is not None:
            return []
        parsed = {name: OwnName.parse(name) for name in self.names}
        return [n for n, own in parsed.items() if own.of_timm and not own.options.get("pretrained")]

    def networks(self) -> Sequence[str]:
        """Return the names of the networks."""
        return self.names

    def settings(self, network: str, seed: int | None) -> dict[str, Any]:
        """Return a fingerprint of the weights: nothing else tells them apart; and the factory."""
        made = {} if self.factory is None else {"factory": self.factory}
        return {"weights": self._marks[network], **made}

    def build(self, network: str, seed: int | None) -> nn.Module:
        """Return what the function returns, in eval mode.

        Raises:
            SourceError: if there is no such module or function, or if it fails, returns no
                module, or returns other weights than at first.
        """
        return _as_before(network, self.factory, self.fitting, self._marks[network])


@dataclass(frozen=True)
class _FirstLook:
    """Builds a network twice, tries it, and asks; gives its fingerprint and the answer."""

    factory: str | None
    fitting: Fitting | None
    images: ImageSet | None
    ask: Callable[[nn.Module], Any] | None

    def __call__(self, network: str) -> tuple[str, Any]:
        mark = _fingerprint(_build(network, self.factory, self.fitting))
        if self.images is None and self.ask is None:
            return mark, None
        made = _as_before(network, self.factory, self.fitting, mark)
        answer = self._answer(made, network)
        if self.images is not None:
            check_fit(made, network, self.images)
        return mark, answer

    def _answer(self, made: nn.Module, network: str) -> Any:
        try:
            return None if self.ask is None else self.ask(made)
        except ToolkitError as error:
            raise SourceError(f"{network}: {error}") from error


def build_own(
    network: str, factory: str | None, fitting: Fitting | None, key: Sequence[object]
) -> nn.Module:
    """Return the network of a name in eval mode, whose draws depend on the key alone.

    Raises:
        SourceError: if there is no such module or function, or it fails or returns no module.
    """
    name = OwnName.parse(network if factory is None else factory)
    if name.of_timm:
        return timm_network(name, fitting).cpu().eval()
    called = network if factory is None else f"{factory} of {network}"
    arguments = name.arguments if factory is None else (network, *name.arguments)
    here = str(Path.cwd())
    # Last, so that a folder of the user's that is called evaluation hides nothing of ours.
    if here not in sys.path:
        sys.path.append(here)
    try:
        with global_draws(*key):
            found = importlib.import_module(name.module)
            if not callable(getattr(found, name.function, None)):
                raise SourceError(
                    f"{called}: the module {name.module} has no function {name.function!r}"
                    f"{did_you_mean(name.function, _functions(found))}"
                )
            made = getattr(found, name.function)(*arguments, **name.options)
    except SourceError:
        raise
    # Whatever a user's code raises is a failure of that code, reported by name.
    except (Exception, SystemExit) as error:
        raise SourceError(f"{called} gives no network: {type(error).__name__}: {error}") from error
    if not isinstance(made, nn.Module):
        raise SourceError(
            f"{called} returned {type(made).__name__}; expected a torch.nn.Module from images "
            "in [0, 1] to logits"
        )
    return made.cpu().eval()


def _build(network: str, factory: str | None, fitting: Fitting | None) -> nn.Module:
    # Other draws at every call, so that weights nobody loaded or seeded are noticed.
    return build_own(network, factory, fitting, (network, uuid.uuid4()))


def _as_before(
    network: str, factory: str | None, fitting: Fitting | None, fingerprint: str
) -> nn.Module:
    made = _build(network, factory, fitting)
    if _fingerprint(made) != fingerprint:
        raise SourceError(
            f"{network} returns other weights at every call: load trained ones, or seed them"
        )
    return made


def _functions(module: ModuleType) -> list[str]:
    return [name for name, thing in vars(module).items() if callable(thing) and name[0] != "_"]


def _fingerprint(network: nn.Module) -> str:
    # Not the state dict alone: it lacks what a normalisation subtracts, and cannot tell one
    # activation from another.
    tensors = {f"buffer {name}": tensor for name, tensor in network.named_buffers()}
    tensors |= {f"parameter {name}": tensor for name, tensor in network.named_parameters()}
    digest = hashlib.sha256(fingerprint_of_weights(tensors).encode())
    for name, layer in network.named_modules():
        # Some describe a function by its place in memory, which is never the same.
        text = re.sub(r" at 0x[0-9a-fA-F]+", "", layer.extra_repr())
        digest.update(repr((name, type(layer).__qualname__, text)).encode())
    return digest.hexdigest()[:16]
