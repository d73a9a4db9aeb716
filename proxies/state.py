"""What a network is at a moment: weights, modes, hooks, gradients; and what is not so any more."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

__all__ = ["State", "same"]

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class State:
    """The state of a network when this was made."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.modules = dict(network.named_modules())
        self.modes = {name: module.training for name, module in self.modules.items()}
        self.moving = {name for name, module in self.modules.items() if _moves(module)}
        self.hooks = self._hooks()
        self.tensors = {
            name: (tensor.detach().clone(), tensor.requires_grad, _gradient(tensor))
            for name, tensor in self._named()
        }

    def changes(self) -> list[str]:
        """Return in words what is not as it was, nothing if all is."""
        now = dict(self._named())
        modules = dict(self.network.named_modules())
        if modules != self.modules or now.keys() != self.tensors.keys():
            return ["the layers"]
        pairs = [(now[name], was) for name, was in self.tensors.items()]
        found = {
            "the weights or buffers": all(same(t.detach(), value) for t, (value, *_) in pairs),
            "which weights require a gradient": all(
                t.requires_grad == required for t, (_, required, _) in pairs
            ),
            "the gradients of the weights": all(_gradient(t) == was for t, (*_, was) in pairs),
            "the modes (train, eval)": all(
                module.training == self.modes[name] for name, module in modules.items()
            ),
            "the hooks": self._hooks() == self.hooks,
        }
        return [what for what, kept in found.items() if not kept]

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        yield from self.network.named_parameters(remove_duplicate=False)
        for name, buffer in self.network.named_buffers(remove_duplicate=False):
            if name.rpartition(".")[0] not in self.moving:
                yield name, buffer

    def _hooks(self) -> list[list[Any]]:
        return [list(getattr(m, kind, ())) for m in self.network.modules() for kind in HOOKS]


def same(now: Tensor, was: Tensor) -> bool:
    """Say whether two tensors are equal, NaN to NaN too."""
    if now.shape != was.shape or now.dtype != was.dtype or now.device != was.device:
        return False
    return torch.equal(now, was) or bool(((now == was) | (now.isnan() & was.isnan())).all())


def _moves(module: nn.Module) -> bool:
    """Say whether every pass moves the statistics of a layer, which reads none of them."""
    return isinstance(module, _NormBase) and module.training


def _gradient(tensor: Tensor) -> tuple[int, int] | None:
    """Return what tells whether a gradient is another one, or was added to."""
    return None if tensor.grad is None else (id(tensor.grad), tensor.grad._version)
