"""Listens to a forward pass: its products and bends, and what their factors depend on."""

import math
from collections.abc import Container
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from proxies.axes import NOWHERE, Axes, Axis, followed, of_product, seen_as
from proxies.biases import Biases
from proxies.contractions import Contractions
from proxies.feature_maps import FeatureMap, FeatureMaps
from proxies.gates import Gates
from proxies.graph import latest, tensors
from proxies.inner import function_node
from proxies.operations import BENDS, PRODUCTS, Bend
from proxies.sources import Sources

__all__ = ["Listener"]


# What gives a tensor another shape in place.
TURNED = {
    "squeeze_", "unsqueeze_", "t_", "transpose_", "swapaxes_", "swapdims_", "as_strided_",
    "resize_", "set_",
}  # fmt: skip


class Listener(TorchDispatchMode):
    """Notes products and bends, and what their factors depend on."""

    def __init__(
        self, images: Tensor, start: int, keep: Container[int], sizes: dict[int, int]
    ) -> None:
        super().__init__()
        self.images, self.start, self.keep, self.sizes = images, start, keep, sizes
        self.kept: dict[int, Tensor] = {}
        self.products: list[tuple] = []
        self.results: list[tuple[Tensor, int] | None] = []  # of the products inside functions
        self.bends: list[Bend] = []
        self.maps = FeatureMaps(kept=100 if len(images) == 1 else 1)
        self.axes: dict[int, Axes] = {}
        self.number = start  # of the operation under way
        self.inside = False  # of a function with a derivative of its own
        self._sources = Sources(images)
        self._former: tuple[str, int] = "", start
        self._biases = Biases(lambda tensor: self._sources.kind(tensor) == "parameters")
        self._contractions = Contractions(self._sources.kind)
        self._gates = Gates(lambda tensor: self._sources.kind(tensor) == "images")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        entered = latest()
        name = func._schema.name.removeprefix("aten::")
        written = func._schema.is_mutable and name.endswith("_")
        # What is written over is first copied where a derivative needs it, which is an operation
        # with a node of its own, made after that of the operation itself.
        self.number = entered - (written and self._former == ("clone", entered))
        self.inside = self._sources.inside = False
        if not torch.is_grad_enabled():
            function = function_node()
            if function is None:
                return self._aside(name, written, func, args, kwargs or {})
            self.inside = self._sources.inside = True
            self.number = function
        if written and not self.inside and args[0]._is_view() and _required(args):
            # What is looked at gets the node, made after that of the operation itself.
            self.number = entered + 1
            self.axes[self.number] = self._axes_of(args[0]._base)
        known = [(item, self._axes_of(item)) for item in tensors((args, kwargs))]
        known = [(item, axes) for item, axes in known if axes != NOWHERE]
        if name in TURNED:  # in place: what is known of is what it was before
            known = [(item.detach(), axes) for item, axes in known]
        name = name.rstrip("_") if written else name
        origins = [self._sources.origin(item) for item in tensors((args, kwargs)) if self.inside]
        if self.inside:  # all operations of a function have one number
            self.axes.pop(self.number, None)
        result = self._noted(name, written, func, args, kwargs or {}, known)
        self._former = name, entered
        if self.inside:
            self._sources.inner.note(result, origins, self.axes.get(self.number, NOWHERE))
        place = self.number - self.start
        # Later ones have no node of their own; of a function the last may be what it gives.
        if place in self.keep and (place not in self.kept or self.inside):
            self.kept[place] = result[0] if isinstance(result, list | tuple) else result
        return result

    def _aside(self, name: str, written: bool, func: Any, args: Any, kwargs: Any) -> Any:
        """Run an operation without derivatives, which leads nowhere but for the masks it makes."""
        if written:
            self._keep(args[0])
        first = args[0] if args and isinstance(args[0], Tensor) else None
        moving = self._axes_of(first)
        result = func(*args, **kwargs)
        self._gates.see(name, args, moving, result)
        return result

    def _noted(
        self, name: str, written: bool, func: Any, args: Any, kwargs: Any,
        known: list[tuple[Tensor, Axes]],
    ) -> Any:  # fmt: skip
        if name not in BENDS and name not in PRODUCTS:
            if written:
                self._keep(args[0])
            first = args[0] if args and isinstance(args[0], Tensor) else None
            moving = self._axes_of(first)
            result = func(*args, **kwargs)
            self._follow(name, func, args, kwargs, known, result)
            axes = self.axes.get(self.number, NOWHERE)
            index = self._biases.see(name, args, kwargs, result, axes)
            if index is not None:
                self._ended(index, result)
            if product := self._contractions.see(name, args, kwargs, result, axes):
                self.axes[self.number] = product.axes
                self._found("mul", product.inputs, [product.weights], result, 1, 1)
            if first is not None and not written:
                self.maps.see(name, FeatureMap(first, moving), result, axes, self.number)
            if gate := self._gates.see(name, args, moving, result):
                self.bends.append(Bend(name, gate[0], result.detach(), self.number, gate[1]))
            return result
        before = args[0].detach().clone() if written else args[0].detach()
        if name == "glu":  # the half that opens and closes the other
            before = before.chunk(2, args[1] if len(args) > 1 else -1)[1]
        if written:
            self._keep(args[0])
        factors = [(args[i], self._sources.kind(args[i])) for i in PRODUCTS.get(name, (0,))]
        result = func(*args, **kwargs)
        output = result[0] if isinstance(result, tuple) else result
        if {"images", "parameters"} <= {kind for _, kind in factors}:
            self._multiplied(name, args, factors, output)
            return result
        self._follow(name, func, args, kwargs, known, result)
        if name in BENDS and factors[0][1] == "images" and self._of_one(args):
            axes = known[0][1] if known else NOWHERE
            axes = self.axes.get(self.number, NOWHERE) if name == "glu" else axes
            self.bends.append(Bend(name, before, output.detach(), self.number, axes))
        return result

    def _multiplied(
        self, name: str, args: Any, factors: list[tuple[Tensor, str]], output: Tensor
    ) -> None:
        """Note a product of what depends on the images with what depends on parameters only."""
        inputs = next(tensor for tensor, kind in factors if kind == "images")
        own = [tensor for tensor, kind in factors if kind == "parameters"]
        weights = max(own, key=Tensor.numel)
        left = weights is factors[0][0]
        axes = of_product(name, weights, left, self._axes_of(inputs), output)
        self.axes[self.number] = axes
        spread = math.prod(args[3]) if name == "convolution" and args[6] else 1
        self._found(name, inputs, own, output, self._groups(name, weights), spread)

    def _found(
        self, name: str, inputs: Tensor, weights: list[Tensor], output: Tensor, groups: int,
        spread: int,
    ) -> None:  # fmt: skip
        owners = frozenset().union(*(self._sources.origin(tensor).owners for tensor in weights))
        facts = self.number, self.axes[self.number], groups, spread
        self.results.append((output, output._version) if self.inside else None)
        self._biases.begin(output, len(self.products))
        self.products.append((name, owners, inputs.detach(), output.detach(), *facts))

    def _ended(self, index: int, result: Tensor) -> None:
        """Let a product end with what came of it when its bias was added."""
        name, owners, factor, _, _, _, groups, spread = self.products[index]
        if groups == 1:
            facts = self.number, self.axes[self.number], groups, spread
            self.products[index] = name, owners, factor, result.detach(), *facts
            self.results[index] = (result, result._version) if self.inside else None

    def _of_one(self, args: Any) -> bool:
        """Say whether no second argument depends on the images, as in a maximum of two features."""
        return all(self._sources.kind(other) != "images" for other in tensors(args[1:]))

    def _follow(
        self, name: str, func: Any, args: Any, kwargs: Any, known: list, result: Any
    ) -> None:
        """Note where the samples and channels of a result lie."""
        outputs = tensors((result,))
        if known and outputs and self.number not in self.axes:  # a view's memory has its own
            named = dict(zip((a.name for a in func._schema.arguments), args, strict=False))
            self.axes[self.number] = followed(name, named | kwargs, known, outputs[0])

    def _axes_of(self, tensor: Tensor | None) -> Axes:
        if tensor is None:
            return NOWHERE
        if origin := self._sources.inner.of(tensor):
            return origin.axes
        if tensor is self.images:
            return Axes(Axis(0, len(tensor)), Axis(1, tensor.shape[1]))
        node = tensor.grad_fn if tensor.requires_grad else None
        if node is None:
            return NOWHERE
        found = self.axes.get(node._sequence_nr(), NOWHERE)  # type: ignore[attr-defined]
        if found == NOWHERE and tensor._is_view():  # of something that was written into
            return seen_as(tensor, self._axes_of(tensor._base))
        return found

    def _groups(self, name: str, weights: Tensor) -> int:
        """Return how many matrices of a batch of them have entries of their own."""
        if name not in ("bmm", "baddbmm") or len(weights) == 1:
            return 1
        entries = sum(self.sizes.get(owner, 0) for owner in self._sources.origin(weights).owners)
        return len(weights) if weights.numel() <= entries else 1

    def _keep(self, written: Tensor) -> None:
        """Copy what was noted of a memory that is about to be written into."""
        place = written.untyped_storage().data_ptr()

        def kept(tensor: Tensor) -> Tensor:
            return tensor.clone() if tensor.untyped_storage().data_ptr() == place else tensor

        self.products = [
            (name, owners, kept(factor), kept(output), *rest)
            for name, owners, factor, output, *rest in self.products
        ]
        for bend in self.bends:
            bend.input, bend.output = kept(bend.input), kept(bend.output)

    def has_gradient(self, index: int) -> bool:
        """Say whether autograd has the derivative over the result of a product, by its place.

        Of what is computed inside a function it has that of what the function gives only.
        """
        found = self.results[index]
        if found is None:
            return True
        output, version = found
        node = output.grad_fn
        given = node is not None and node._sequence_nr() == self.products[index][4]  # type: ignore[attr-defined]
        return given and output.output_nr == 0 and output._version == version


def _required(args: Any) -> bool:
    return any(tensor.requires_grad for tensor in tensors(args))
