"""What happens inside a ``torch.autograd.Function``, where autograd keeps no graph.

Its forward runs without gradients, so that no tensor in it says what it was made of; all of its
operations stand behind one node. Here they are followed one by one.
"""

import sys
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node

from proxies.axes import NOWHERE, Axes
from proxies.graph import latest, tensors

__all__ = ["Inner", "Origin", "function_node", "is_own_function"]

APPLY = torch.autograd.Function.apply.__func__.__code__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Origin:
    """What a tensor was made of.

    Attributes:
        kind: ``images``, ``parameters`` or ``nothing``.
        owners: the identities of the leaves, of one that is made of parameters only.
        axes: where samples and channels lie.
    """

    kind: str
    owners: frozenset[int] = frozenset()
    axes: Axes = NOWHERE


class Inner:
    """The tensors that were made inside functions, by identity; each is kept, as its identity."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Tensor, Origin]] = {}

    def of(self, tensor: Tensor) -> Origin | None:
        """Return the origin of a tensor; None if it was not made inside a function."""
        found = self._made.get(id(tensor))
        return None if found is None else found[1]

    def note(self, result: Any, origins: list[Origin], axes: Axes) -> None:
        """Note the results of an operation on tensors of these origins."""
        kinds = {origin.kind for origin in origins}
        kind = next((kind for kind in ("images", "parameters") if kind in kinds), "nothing")
        own = [origin.owners for origin in origins] if kind == "parameters" else []
        for tensor in tensors((result,)):
            self._made[id(tensor)] = tensor, Origin(kind, frozenset().union(*own), axes)


def function_node() -> int | None:
    """Return the place of the function whose forward is under way; None outside of any."""
    frame, before, outermost, found = sys._getframe(1), None, None, False
    while frame is not None:
        if frame.f_code is APPLY:
            outermost, found = before, True
        before, frame = frame, frame.f_back
    if not found:
        return None
    given = next(iter(outermost.f_locals.values()), None) if outermost is not None else None
    # A function within the function has taken a number since.
    return given._sequence_nr() if isinstance(given, BackwardCFunction) else latest()  # type: ignore[attr-defined]


def is_own_function(node: Node) -> bool:
    """Say whether a node is of a ``torch.autograd.Function``, whatever it is called."""
    return isinstance(node, BackwardCFunction)
