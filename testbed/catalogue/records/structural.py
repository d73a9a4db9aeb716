"""The cell's structure: paths from input to output, and operations that are alive."""

from testbed.basis.lazy import Later
from testbed.catalogue.spec import ProxySpec

__all__ = ["RECORDS"]

OPERATIONS = {
    "pool": "average poolings", "conv3": "3×3 convolutions", "conv1": "1×1 convolutions",
    "skip": "skips",
}  # fmt: skip


def _spec(name: str, summary: str, better: str = "higher") -> ProxySpec:
    return ProxySpec(
        name, Later(f"proxies.structure:{name}"), summary, "-", better, "none", "structural", (),
        (), structural=True,
    )  # fmt: skip


RECORDS = (
    _spec("paths_count", "number of live paths from the cell's input to its output"),
    *(
        _spec(f"paths_{name}_{how}", f"{words} {operations} on a live path of the cell", better)
        for name, operations in OPERATIONS.items()
        for how, words in (("min", "fewest"), ("mean", "mean number of"))
        for better in (("lower" if name in ("conv1", "skip") else "higher"),)
    ),
    _spec("paths_conv3_pool_mean", "mean number of 3×3 convolutions and poolings on a live path"),
    *(
        _spec(
            f"live_{name}", f"number of {operations} on live edges of the cell",
            "lower" if name in ("conv1", "skip") else "higher",
        )
        for name, operations in OPERATIONS.items()
    ),
    _spec(
        "paths_nonlinear_pool_min", "fewest average poolings on a live path with a convolution"
    ),
    _spec(
        "smoothed_stacking",
        "for PGD, APGD: poolings on every nonlinear path first, then 3×3 convolutions",
    ),
    _spec("stacking", "for FGSM: 3×3 convolutions, stacked, less the linear paths"),
    _spec("capacity", "for clean accuracy: 2 · 3×3 + 1×1 convolutions − poolings"),
)  # fmt: skip
