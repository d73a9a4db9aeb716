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
from torch.utils._python_dispatch import TorchDispatchMode

from proxies.attention import attention_in_steps
from proxies.axes import NOWHERE, Axes, Axis, followed, of_product, seen_as
from proxies.conditions import UndefinedError
from testbed.networks.copying import working_copy
from testbed.networks.logits import check_logits
from testbed.networks.recurrence import step_by_step
from testbed.networks.strides import safe_strides

__all__ = ["BENDS", "POOLS", "Bend", "Product", "Tape", "below", "record", "reduces_positions"]

# Elementwise non-linearities by the name of their operation, and whether they are zero for
# negative inputs, so that the sign of the output is the state of the unit.
BENDS = {
    "relu": True, "hardtanh": False, "leaky_relu": False, "threshold": True, "elu": False,
    "gelu": False, "silu": False, "mish": False, "hardswish": False, "hardsigmoid": False,
    "sigmoid": False, "tanh": False, "softplus": False, "_prelu_kernel": False,
    "rrelu_with_noise": False, "log_sigmoid_forward": False, "clamp_min": False, "clamp": False,
    "celu": False, "maximum": True, "erf": False, "sin": False, "softshrink": False,
    "hardshrink": False,
}  # fmt: skip
# The places of the two factors among the arguments of a product.
PRODUCTS = {
    "convolution": (0, 1), "mm": (0, 1), "addmm": (1, 2), "bmm": (0, 1), "baddbmm": (1, 2),
    "linear": (0, 1), "mv": (0, 1), "addmv": (1, 2),
}  # fmt: skip
# Operations that may reduce all positions of a feature map to one.
POOLS = {
    "mean", "sum", "amax", "avg_pool2d", "_adaptive_avg_pool2d", "adaptive_avg_pool2d",
    "max_pool2d_with_indices", "adaptive_max_pool2d",
}  # fmt: skip
LEAF = "AccumulateGrad"


@dataclass
class Product:
    """A convolution or matrix product with weights.

    Attributes:
        operation: ``convolution``, ``mm``, ``addmm`` and so on.
        weights: the names of the parameters that the weight is made of, mostly one.
        input: what is multiplied, (B, C, H, W) or (rows, C).
        output: the result before a bias of its own kind of layer is told apart: as executed.
        number: the place on the tape, by which autograd knows the operation.
        axes: where the samples and channels of the output lie.
        groups: the number of products with weights of their own, in the output's first dimension.
    """

    operation: str
    weights: tuple[str, ...]
    input: Tensor
    output: Tensor
    number: int
    axes: Axes = NOWHERE
    groups: int = 1


@dataclass
class Bend:
    """An elementwise non-linearity: its operation, input, output, place on the tape and axes."""

    operation: str
    input: Tensor
    output: Tensor
    number: int
    axes: Axes = NOWHERE

    @property
    def active(self) -> Tensor:
        """Return which units let through, a bool tensor: a positive input, for any bend."""
        return self.input > 0


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
            place of the reduction among all of the pass.
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
    pooled: dict[int, Tensor]
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
        varying = _varying(self.logits.grad_fn, self.images)
        places = sorted({node._sequence_nr() for node in varying})  # type: ignore[attr-defined]
        index = {place: number for number, place in enumerate(places)}
        passed = [0] * (len(places) + 1)  # how many edges lead past a place, as differences
        for node in varying:
            above = index[node._sequence_nr()]  # type: ignore[attr-defined]
            for child, _ in node.next_functions:
                if child in varying:
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
        parameter.requires_grad_(parameter.is_floating_point())
    leaf = images.detach().clone().requires_grad_()
    start = _number() + 1
    sizes = {id(parameter): parameter.numel() for parameter in copy.parameters()}
    listener = _Listener(leaf, start, keep, sizes)
    with torch.enable_grad(), step_by_step(), attention_in_steps(), safe_strides(), listener:
        logits = check_logits(copy(leaf.clone()), len(images))
    if not bool(logits.isfinite().all()):
        raise UndefinedError("the logits are not finite numbers")
    nodes, leaves = below(logits.grad_fn)
    named: dict[str, Tensor] = {name: p for name, p in copy.named_parameters() if id(p) in leaves}
    products = [
        Product(
            operation, tuple(n for n, p in named.items() if id(p) in owners), x, y, number, *rest
        )
        for operation, owners, x, y, number, *rest in listener.products
        if number in nodes
    ]
    bends = [bend for bend in listener.bends if bend.number in nodes]
    pooled = {i: map_ for i, (map_, number) in enumerate(listener.pooled) if number in nodes}
    products = [product for product in products if product.weights]
    kept = listener.kept
    axes = {place: listener.axes.get(place + start, NOWHERE) for place in kept}
    return Tape(leaf, logits, named, products, bends, pooled, copy, start, kept, axes, nodes)


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
            leaves.add(id(_variable(node)))
        else:
            nodes[node._sequence_nr()] = node  # type: ignore[attr-defined]
        waiting += [below for below, _ in node.next_functions]
    return nodes, leaves


def reduces_positions(features: Tensor, result: Any) -> bool:
    """Say whether an operation made one number of all positions of each channel's map."""
    output = result[0] if isinstance(result, tuple) else result
    if features.dim() != 4:
        return False
    samples, channels, *size = features.shape
    return size != [1, 1] and output.numel() == samples * channels


def _varying(top: Node | None, images: Tensor) -> set[Node]:
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
    varying: set[Node] = set()
    for node in order:  # from the leaves on
        if node.name().endswith(LEAF):
            if _variable(node) is images:
                varying.add(node)
        elif any(child in varying for child, _ in node.next_functions):
            varying.add(node)
    return {node for node in varying if not node.name().endswith(LEAF)}


class _Listener(TorchDispatchMode):
    """Notes products and bends, and what their factors depend on."""

    def __init__(
        self, images: Tensor, start: int, keep: Container[int], sizes: dict[int, int]
    ) -> None:
        super().__init__()
        self.images, self.start, self.keep, self.sizes = images, start, keep, sizes
        self.kept: dict[int, Tensor] = {}
        self.products: list[tuple] = []
        self.bends: list[Bend] = []
        self.pooled: list[tuple[Tensor, int]] = []
        self.axes: dict[int, Axes] = {}
        self.number = start  # of the operation under way
        self._former: tuple[str, int] = "", start
        self._varies: dict[Node, bool] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        entered = _number()
        name = func._schema.name.removeprefix("aten::")
        written = func._schema.is_mutable and name.endswith("_")
        # What is written over is first copied where a derivative needs it, which is an operation
        # with a node of its own, made after that of the operation itself.
        self.number = entered - (written and self._former == ("clone", entered))
        inside = written and args[0]._is_view() and any(t.requires_grad for t in _tensors(args))
        if inside:  # what is looked at gets the node, made after that of the operation itself
            self.number = entered + 1
            self.axes[self.number] = self._axes_of(args[0]._base)
        known = [(item, self._axes_of(item)) for item in _tensors((args, kwargs))]
        known = [(item, axes) for item, axes in known if axes != NOWHERE]
        name = name.rstrip("_") if written else name
        result = self._noted(name, written, func, args, kwargs or {}, known)
        self._former = name, entered
        place = self.number - self.start
        if place in self.keep and place not in self.kept:  # later ones have no node of their own
            self.kept[place] = result[0] if isinstance(result, list | tuple) else result
        return result

    def _noted(
        self, name: str, written: bool, func: Any, args: Any, kwargs: Any,
        known: list[tuple[Tensor, Axes]],
    ) -> Any:  # fmt: skip
        if name not in BENDS and name not in PRODUCTS:
            if written:
                self._keep(args[0])
            result = func(*args, **kwargs)
            self._follow(name, func, args, kwargs, known, result)
            if name in POOLS and reduces_positions(args[0], result):
                self.pooled.append((args[0], self.number))
            return result
        before = args[0].detach().clone() if written else args[0].detach()
        if written:
            self._keep(args[0])
        factors = [(args[i], self._depends(args[i])) for i in PRODUCTS.get(name, (0,))]
        result = func(*args, **kwargs)
        output = (result[0] if isinstance(result, tuple) else result).detach()
        number = self.number
        if {kind for _, kind in factors} == {"images", "parameters"}:
            (inputs, _), (weights, _) = sorted(factors, key=lambda pair: pair[1])
            moving = self._axes_of(inputs)
            self.axes[number] = of_product(name, weights, weights is factors[0][0], moving, output)
            owners, groups = _leaves(weights), self._groups(name, weights)
            self.products.append(
                (name, owners, inputs.detach(), output, number, self.axes[number], groups)
            )
            return result
        self._follow(name, func, args, kwargs, known, result)
        if name in BENDS and factors[0][1] == "images" and self._of_one(args):
            axes = known[0][1] if known else NOWHERE
            self.bends.append(Bend(name, before, output, number, axes))
        return result

    def _of_one(self, args: Any) -> bool:
        """Say whether no second argument depends on the images, as in a maximum of two features."""
        return all(self._depends(other) != "images" for other in _tensors(args[1:]))

    def _follow(
        self, name: str, func: Any, args: Any, kwargs: Any, known: list, result: Any
    ) -> None:
        """Note where the samples and channels of a result lie."""
        outputs = _tensors((result,))
        if known and outputs and self.number not in self.axes:  # a view's memory has its own
            named = dict(zip((a.name for a in func._schema.arguments), args, strict=False))
            self.axes[self.number] = followed(name, named | kwargs, known, outputs[0])

    def _axes_of(self, tensor: Tensor | None) -> Axes:
        if tensor is None:
            return NOWHERE
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
        entries = sum(self.sizes.get(owner, 0) for owner in _leaves(weights))
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

    def _depends(self, tensor: Tensor) -> str:
        """Say what a tensor depends on: ``images``, ``parameters`` only, or ``nothing``."""
        if not tensor.requires_grad:
            return "nothing"
        if tensor.grad_fn is None:
            return "images" if tensor is self.images else "parameters"
        return "images" if self._varies_with_images(tensor.grad_fn) else "parameters"

    def _varies_with_images(self, top: Node) -> bool:
        waiting = [top]
        while waiting:
            node = waiting[-1]
            if node in self._varies:
                waiting.pop()
                continue
            below = [child for child, _ in node.next_functions if child is not None]
            unknown = [child for child in below if child not in self._varies]
            waiting += unknown
            if not unknown:
                own = node.name().endswith(LEAF) and _variable(node) is self.images
                self._varies[node] = own or any(self._varies[child] for child in below)
        return self._varies[top]


def _tensors(items: Any) -> list[Tensor]:
    """Return the tensors among arguments or results, those of lists and dictionaries too."""
    if isinstance(items, Tensor):
        return [items]
    if isinstance(items, dict):
        items = list(items.values())
    if isinstance(items, list | tuple):
        return [tensor for item in items for tensor in _tensors(item)]
    return []


def _leaves(tensor: Tensor) -> set[int]:
    """Return the identities of the leaves that a tensor is made of."""
    return {id(tensor)} if tensor.grad_fn is None else below(tensor.grad_fn)[1]


def _number() -> int:
    """Return the number of the node that autograd has made for the operation under way."""
    return torch.autograd._get_sequence_nr() - 1  # type: ignore[attr-defined]


def _variable(node: Node) -> Tensor:
    return node.variable  # type: ignore[attr-defined]
