"""When a score over the images has no meaning for a network, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from proxies.graph import below
from proxies.inner import is_own_function
from testbed.basis.errors import ToolkitError
from testbed.networks.independence import by_how_much, influence, is_random, neighbours
from testbed.networks.outcome import explained

if TYPE_CHECKING:
    from proxies.probe import Probe

__all__ = [
    "OptionError", "UndefinedError", "draws", "require_derivative",
    "require_independence", "require_parameters", "require_real", "undefined_where_it_fails",
]  # fmt: skip


class OptionError(ToolkitError):
    """An option that the proxy does not have, or that does not fit the network."""


class UndefinedError(ToolkitError):
    """A score has no value for this network; the message is the reason."""


def require_derivative(probe: Probe) -> None:
    """Check that derivatives over the images describe the network.

    A network whose logits do not change with the images has the derivative 0.

    Raises:
        UndefinedError: if a step of the network has no derivative, or its logits change with
            the images and no path of derivatives leads from one to the other.
    """
    alone = probe.fast.alone
    if alone.reason is not None:
        raise UndefinedError(f"the logits have no derivative over the images: {alone.reason}")
    if not alone.connected and probe.shared("varies", lambda: _varies(probe)):
        raise UndefinedError(
            "the logits change with the images, but no path of derivatives leads from one to the "
            "other: the network detaches its features, or leaves torch for a while"
        )


def require_independence(probe: Probe, logits: Tensor | None = None) -> None:
    """Check that an image's logits do not depend on the images beside it.

    Args:
        probe: the network and its batch. In batch-norm mode ``batch`` images influence each
            other on purpose, and nothing is checked.
        logits: the logits of the batch, (B, K), where they are known; otherwise those of two
            images are computed.

    Raises:
        UndefinedError: if the logits depend on other images; the message says by how much.
    """
    if probe.batch_norm == "batch":
        return
    known = logits is not None and len(probe.images) > 1
    name = "influence in the batch" if known else "influence of one image"
    change = probe.shared(name, lambda: _influence(probe, logits if known else None))
    if change is not None:
        raise UndefinedError(
            f"images influence each other: the first one's logits change {by_how_much(change)} "
            "when it comes alone, so that no image has a derivative of its own; keep statistics "
            "over the batch out of the forward pass"
        )


def _influence(probe: Probe, logits: Tensor | None) -> float | None:
    fast = probe.fast
    images = fast.arrange(neighbours(probe.images) if logits is None else probe.images)
    with torch.no_grad():
        among = fast.network(images) if logits is None else logits
    return influence(fast.network, images, fast.alone.logits[:1], among[:1])


def _varies(probe: Probe) -> bool:
    with torch.no_grad():
        logits = probe.network(neighbours(probe.images))
    return not torch.equal(logits[0], logits[1])


def require_parameters(probe: Probe) -> None:
    """Check that the gradients over all parameters can be known, and are of real numbers.

    Raises:
        UndefinedError: if a parameter is complex, or a function hides some.
    """
    require_real(probe.network.named_parameters())
    nodes, _ = below(probe.fast.alone.logits.grad_fn)
    if any(is_own_function(node) for node in nodes.values()):
        assert probe.tape  # which finds what is hidden


def require_real(parameters: Iterable[tuple[str, Tensor]]) -> None:
    """Raise UndefinedError if some parameter is complex: gradients over it are of two kinds."""
    if found := next((name for name, value in parameters if value.is_complex()), None):
        raise UndefinedError(
            f"{found} is of complex numbers, and scores of parameters are of real ones: keep its "
            "real and its imaginary part as two parameters"
        )


def draws(probe: Probe) -> bool:
    """Say whether a network draws numbers in eval mode, and gives other logits for others."""
    fast = probe.fast
    if not (fast.alone.drew or fast.given_up):
        return False
    images = probe.images if probe.batch_norm == "batch" else neighbours(probe.images)
    return probe.shared("is random", lambda: is_random(fast.plain, images))


@contextmanager
def undefined_where_it_fails(how: str) -> Iterator[None]:
    """Make any failure of the block the reason of an undefined score.

    A forward pass may insist on float32, for instance.

    Args:
        how: the network is run there, after "the network fails".

    Raises:
        UndefinedError: if the block raises.
    """
    try:
        yield
    except UndefinedError:
        raise
    except Exception as error:
        raise UndefinedError(f"the network fails {how}: {explained(error)}") from error
