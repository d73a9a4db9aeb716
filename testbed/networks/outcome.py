"""The outcome of a network on one image: logits, and the gradient of a combination of them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from testbed.basis.seeding import generator, global_draws, states
from testbed.networks.errors import NetworkError
from testbed.networks.logits import check_logits
from testbed.networks.memory import not_of_memory

__all__ = ["Outcome", "called", "explained", "outcome"]


@dataclass(frozen=True)
class Outcome:
    """A forward and a backward pass over copies of one image.

    Attributes:
        logits: (N, K), with the graph that led to them, whose saved tensors are freed.
        gradient: the gradient over the images, (N, C, H, W), of Σ u · logits for a fixed
            direction u; None where autograd cannot walk the network's graph.
        reason: why there is no gradient; None if there is one.
        writes: whether the network wrote into the images it was given.
        graph_bytes: what the graph of one image kept for the backward pass.
        drew: whether the pass forward drew from one of the process's generators.
    """

    logits: Tensor
    gradient: Tensor | None
    reason: str | None
    writes: bool
    graph_bytes: int
    drew: bool

    @property
    def connected(self) -> bool:
        """Say whether a path of derivatives leads from the images to the logits."""
        return self.logits.requires_grad


def outcome(network: nn.Module, images: Tensor) -> Outcome:
    """Return the outcome of images (N, C, H, W), all of them copies of one.

    Raises:
        NetworkError: if the network fails, or gives no logits.
    """
    leaf = images.detach().clone().requires_grad_()
    given = leaf.clone()  # not the leaf itself, which a network may not write into
    version, kept = given._version, _Kept()
    with global_draws("outcome", device=images.device):
        before = states(images.device)
        logits = check_logits(kept.while_(lambda: called(network, given)), len(images))
        drew = states(images.device) != before
    writes = given._version != version or not torch.equal(given.detach(), leaf.detach())
    gradient, reason = torch.zeros_like(images), None
    if logits.requires_grad:
        weights = direction(logits.shape[1]).to(logits)
        try:
            (found,) = torch.autograd.grad((logits @ weights).sum(), leaf, allow_unused=True)
            gradient = gradient if found is None else found
        except Exception as error:  # a step without a derivative, in torch or a user's own
            not_of_memory(error)
            gradient, reason = None, explained(error)
    return Outcome(logits, gradient, reason, writes, kept.bytes // len(images), drew)


def direction(classes: int) -> Tensor:
    """Return the fixed direction in logit space, (K,)."""
    return torch.randn(classes, generator=generator("outcome", classes), dtype=torch.float64)


def explained(error: BaseException) -> str:
    """Return in one sentence why a derivative failed."""
    first = str(error).strip().partition("\n")[0][:200]
    if "use_reentrant=True" in str(error):
        return (
            "a reentrant checkpoint has no derivative over the images: call "
            "torch.utils.checkpoint.checkpoint with use_reentrant=False"
        )
    return f"{type(error).__name__}: {first}"


def called(network: nn.Module, images: Tensor) -> Tensor:
    """Return the output of a network for images (N, C, H, W).

    Raises:
        NetworkError: if the network raises an exception of any kind.
    """
    try:
        return network(images)
    except NetworkError:
        raise
    except Exception as error:  # whatever a user's forward may raise
        raise NetworkError(
            f"the network fails on images {tuple(images.shape)} of {images.dtype} on "
            f"{images.device}: {explained(error)}"
        ) from error


class _Kept:
    """Counts the bytes that a graph keeps, each tensor once, parameters not at all."""

    def __init__(self) -> None:
        self.tensors: dict[int, int] = {}

    @property
    def bytes(self) -> int:
        return sum(self.tensors.values())

    def while_(self, run: Callable[[], Tensor]) -> Tensor:
        """Return what ``run`` returns, counting what is kept meanwhile."""
        with torch.autograd.graph.saved_tensors_hooks(self._pack, _unpack):
            return run()

    def _pack(self, tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            self.tensors[tensor.data_ptr()] = tensor.nbytes
        # Detached: a node that keeps its own output would otherwise live for ever.
        return tensor.detach()


def _unpack(tensor: Tensor) -> Tensor:
    return tensor
