"""The graph that autograd keeps of a forward pass: its nodes, their order, and what varies."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

__all__ = ["LEAF", "below", "latest", "leaves", "tensors", "variable", "varying"]

LEAF = "AccumulateGrad"


def below(top: Node | None) -> tuple[dict[int, Node], set[int]]:
    """Return the nodes of a graph by their numbers, and the identities of its leaves."""
    nodes: dict[int, Node] = {}
    leaves, seen, waiting = set(), set(), [top]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name().endswith(LEAF):
            leaves.add(id(variable(node)))
        else:
            nodes[node._sequence_nr()] = node  # type: ignore[attr-defined]
        waiting += [below for below, _ in node.next_functions]
    return nodes, leaves


def varying(top: Node | None, images: Tensor) -> set[Node]:
    """Return the nodes between the logits and the images."""
    order: list[Node] = []
    seen: set[Node] = set()
    waiting = [top]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        order.append(node)
        waiting += [child for child, _ in node.next_functions]
    order.sort(key=lambda node: node._sequence_nr() if not node.name().endswith(LEAF) else -1)
    found: set[Node] = set()
    for node in order:  # from the leaves on
        if node.name().endswith(LEAF):
            if variable(node) is images:
                found.add(node)
        elif any(child in found for child, _ in node.next_functions):
            found.add(node)
    return {node for node in found if not node.name().endswith(LEAF)}


def leaves(tensor: Tensor) -> set[int]:
    """Return the identities of the leaves that a tensor is made of."""
    return {id(tensor)} if tensor.grad_fn is None else below(tensor.grad_fn)[1]


def tensors(items: Any) -> list[Tensor]:
    """Return the tensors among arguments or results, those of lists and dictionaries too."""
    if isinstance(items, Tensor):
        return [items]
    if isinstance(items, dict):
        items = list(items.values())
    if isinstance(items, list | tuple):
        return [tensor for item in items for tensor in tensors(item)]
    return []


def latest() -> int:
    """Return the number of the node that autograd has made for the operation under way."""
    return torch.autograd._get_sequence_nr() - 1  # type: ignore[attr-defined]


def variable(node: Node) -> Tensor:
    """Return the leaf that a node gathers the gradient of."""
    return node.variable  # type: ignore[attr-defined]
