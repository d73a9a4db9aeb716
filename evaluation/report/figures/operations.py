"""How operations are written and coloured in all figures."""

from testbed.spaces import registry

__all__ = ["COLOURS", "EDGE_NAMES", "LETTERS", "NAMES", "OPERATIONS"]

NAMES = {
    "none": "none",
    "skip_connect": "skip",
    "nor_conv_1x1": "1×1 conv.",
    "nor_conv_3x3": "3×3 conv.",
    "avg_pool_3x3": "avg. pool",
}
OPERATIONS = tuple(NAMES)  # in the order of the space
# Colour is never alone: the letter says the same.
LETTERS: dict[str, str] = dict(zip(OPERATIONS, ("–", "S", "1", "3", "P"), strict=True))
COLOURS = {
    "none": "#a2a4a6",
    "skip_connect": "#cc79a7",
    "nor_conv_1x1": "#e69f00",
    "nor_conv_3x3": "#0072b2",
    "avg_pool_3x3": "#009e73",
}
EDGE_NAMES = tuple(registry.get("nasbench201").choices)
