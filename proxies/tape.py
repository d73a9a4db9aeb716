"""One recorded forward pass: what a network computes, in the order of computing.

The proxies of the zero-cost family ask for weights and their gradients, for ReLU patterns, for
features. Hooks on modules miss what a forward does without a module and count a module that is
used twice once, so the tape listens to the operations that are executed. A product is a
convolution or matrix product of something that depends on the images with something that
depends on parameters only; a bend is an elementwise non-linearity. What does not reach the
logits is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from proxies.attention import attention_in_steps
from proxies.axes import NOWHERE, Axes
from proxies.conditions import UndefinedError
from proxies.feature_maps import FeatureMap
from proxies.graph import below, latest, varying
from proxies.listener import Listener
from proxies.operations import Bend, Product
from testbed.networks.copying import working_copy
from testbed.networks.logits import check_logits
from testbed.networks.recurrence import step_by_step
from testbed.networks.strides import safe_strides

__all__ = ["Tape", "record"]


@dataclass
class Tape:
    """A forward pass with its graph.

    Attributes:
        images: the leaf that the pass started from, (B, C, H, W).
        logits: the logits, (B, K), with their graph.
        parameters: the leaves by their names in the network, those that reach the logits.
        products: the products with weights, in the order of execution.
        bends: the non-linearities, likewise.
        pooled: the feature maps, with their graphs, whose positions were reduced to one, by the
            place of the reduction among all that might be one.
        last_map: the last feature map of more than one position, (B, C, H, W) or (B, H, W, C).
        network: the copy of the network that ran.
        start: the place at which the pass began; two passes differ in it alone.
        kept: outputs of operations that were asked for, with their graphs, by their place
            relative to the start.
        kept_axes: where the samples and channels of these outputs lie.
    """

    images: Tensor
    logits: Tensor
    parameters: dict[str, Tensor]
    products: list[Product]
    bends: list[Bend]
    pooled: dict[int, FeatureMap]
    last_map: FeatureMap | None
    network: nn.Module
    start: int
    kept: dict[int, Tensor]
    kept_axes: dict[int, Axes]
    _nodes: dict[int, Node] = field(repr=False, default_factory=dict)

    @property
    def weights(self) -> dict[str, Tensor]:
        """Return the parameters that are factors of products, each once, in order of use."""
        names = dict.fromkeys(name for product in self.products for name in product.weights)
        return {name: self.parameters[name] for name in names}

    def gradients(
        self, value: Tensor, leaves: Iterable[Tensor], *, create_graph: bool = False
    ) -> list[Tensor]:
        """Return the gradients of a scalar that was made of the logits; the graph is kept."""
        return list(
            torch.autograd.grad(
                value, list(leaves), retain_graph=True, create_graph=create_graph,
                materialize_grads=True,
            )
        )  # fmt: skip

    def bottlenecks(self) -> list[int]:
        """Return the places, relative to the start, that every path to the logits leads through."""
        between = varying(self.logits.grad_fn, self.images)
        places = sorted({node._sequence_nr() for node in between})  # type: ignore[attr-defined]
        index = {place: number for number, place in enumerate(places)}
        passed = [0] * (len(places) + 1)  # how many edges lead past a place, as differences
        for node in between:
            above = index[node._sequence_nr()]  # type: ignore[attr-defined]
            for child, _ in node.next_functions:
                if child in between:
                    passed[index[child._sequence_nr()] + 1] += 1  # type: ignore[attr-defined]
                    passed[above] -= 1
        return [
            p - self.start for p, past in zip(places, accumulate(passed), strict=False) if not past
        ]

    @contextmanager
    def watched(
        self, what: Iterable[Product | Bend], see: Callable[[Any, Tensor], None]
    ) -> Iterator[None]:
        """Let ``see(item, gradient)`` be called with ∂ value / ∂ item.output in a backward pass."""
        handles = []
        for item in what:
            node = self._nodes[item.number]

            def hook(gradients: tuple[Tensor | None, ...], item: Product | Bend = item) -> None:
                if gradients[0] is not None:
                    see(item, gradients[0].detach())

            handles.append(node.register_prehook(hook))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def record(network: nn.Module, images: Tensor, keep: Container[int] = ()) -> Tape:
    """Return the tape of a forward pass of a copy of the network, modes as they are.

    Args:
        network: any network, prepared.
        images: the batch, (B, C, H, W); the weights are put into its order of memory.
        keep: the places, relative to the start, of operations whose outputs are kept.

    Raises:
        NetworkError: if the network cannot be copied or gives no logits.
        UndefinedError: if the logits are not finite numbers.
    """
    copy = working_copy(network)
    channels_last = images.dim() == 4 and images.is_contiguous(memory_format=torch.channels_last)
    for parameter in copy.parameters():
        if parameter.dim() == 4 and channels_last:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        parameter.requires_grad_(parameter.is_floating_point() or parameter.is_complex())
    leaf = images.detach().clone().requires_grad_()
    start = latest() + 1
    sizes = {id(parameter): parameter.numel() for parameter in copy.parameters()}
    listener = Listener(leaf, start, keep, sizes)
    with torch.enable_grad(), step_by_step(), attention_in_steps(), safe_strides(), listener:
        logits = check_logits(copy(leaf.clone()), len(images))
    if not bool(logits.isfinite().all()):
        raise UndefinedError("the logits are not finite numbers")
    nodes, leaves = below(logits.grad_fn)
    named: dict[str, Tensor] = {name: p for name, p in copy.named_parameters() if id(p) in leaves}
    products = [
        Product(
            operation, tuple(n for n, p in named.items() if id(p) in owners), x, y, number, *rest,
            gated=listener.has_gradient(index),
        )
        for index, (operation, owners, x, y, number, *rest) in enumerate(listener.products)
        if number in nodes and _reached(owners, sizes, leaves)
    ]  # fmt: skip
    bends = [bend for bend in listener.bends if bend.number in nodes]
    maps = listener.maps
    pooled = {place: map_ for place, (map_, number) in maps.pooled.items() if number in nodes}
    last = next((map_ for map_, number in reversed(maps.last) if number in nodes), None)
    products = [product for product in products if product.weights]
    kept = listener.kept
    axes = {place: listener.axes.get(place + start, NOWHERE) for place in kept}
    return Tape(leaf, logits, named, products, bends, pooled, last, copy, start, kept, axes, nodes)


def _reached(owners: Container[int], sizes: Iterable[int], leaves: Container[int]) -> bool:
    """Say that a product with parameters has some that autograd knows of.

    Raises:
        UndefinedError: if a function uses parameters that are not among its arguments.
    """
    own = [owner for owner in sizes if owner in owners]
    if own and not any(owner in leaves for owner in own):
        raise UndefinedError(
            "a torch.autograd.Function multiplies with parameters that are none of its arguments, "
            "so that nobody knows their derivatives; if it is a reentrant checkpoint, call "
            "torch.utils.checkpoint.checkpoint with use_reentrant=False"
        )
    return True
