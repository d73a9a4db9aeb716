"""The operations of a forward pass that proxies ask for: products, non-linearities, poolings."""

from dataclasses import dataclass

from torch import Tensor

from proxies.axes import NOWHERE, VIEWS, Axes

__all__ = ["BENDS", "PRODUCTS", "RESHAPED", "Bend", "Product"]

# Elementwise non-linearities by the name of their operation.
BENDS = {
    "relu", "hardtanh", "leaky_relu", "threshold", "elu", "gelu", "silu", "mish", "hardswish",
    "hardsigmoid", "sigmoid", "tanh", "softplus", "_prelu_kernel", "rrelu_with_noise",
    "log_sigmoid_forward", "clamp_min", "clamp", "celu", "maximum", "erf", "sin", "softshrink",
    "hardshrink", "abs", "minimum", "clamp_max", "glu",
}  # fmt: skip
# The places of the factors among the arguments of a product.
PRODUCTS = {
    "convolution": (0, 1), "mm": (0, 1), "addmm": (1, 2), "bmm": (0, 1), "baddbmm": (1, 2),
    "linear": (0, 1), "mv": (0, 1), "addmv": (1, 2), "_trilinear": (0, 1, 2),
}  # fmt: skip
# What may stand between a product and the bias that belongs to it.
RESHAPED = VIEWS | {"permute", "transpose", "t", "squeeze", "unsqueeze"}


@dataclass
class Product:
    """A convolution or matrix product with weights.

    Attributes:
        operation: ``convolution``, ``mm``, ``addmm`` and so on.
        weights: the names of the parameters that the weight is made of, mostly one.
        input: what is multiplied, (B, C, H, W) or (rows, C).
        output: the result, with a bias for each channel if one is added right away.
        number: the place on the tape, by which autograd knows the operation.
        axes: where the samples and channels of the output lie.
        groups: the number of products with weights of their own, in the output's first dimension.
        spread: to how many positions of the output a position of the input leads: the strides of
            a transposed convolution, multiplied.
        gated: whether autograd tells the derivative over the output: not inside a function that
            goes on with it.
    """

    operation: str
    weights: tuple[str, ...]
    input: Tensor
    output: Tensor
    number: int
    axes: Axes = NOWHERE
    groups: int = 1
    spread: int = 1
    gated: bool = True

    @property
    def outputs(self) -> int:
        """Return the number of channels that it gives, one for a product with a vector."""
        return (1 if self.axes.channel is None else self.axes.channel.size) * self.groups


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
