"""Size: the baselines that any proxy must beat."""

from testbed.basis.lazy import Later
from testbed.catalogue.spec import ProxySpec

__all__ = ["RECORDS"]

SUITE = ("suite-zero",)

RECORDS = (
    ProxySpec(
        "params", Later("proxies.cost:params"), "number of parameters (baseline)", "-", "higher",
        "none", "baseline", SUITE, (), structural=True,
    ),
    ProxySpec(
        "flops", Later("proxies.cost:flops"), "multiply-accumulates of an image (baseline)", "-",
        "higher", "none", "baseline", SUITE, (), structural=True,
    ),
)  # fmt: skip
