"""Patterns and features of forward passes."""

from proxies.spec import ProxySpec
from testbed.basis.lazy import Later

__all__ = ["RECORDS"]

NASWOT = "Mellor et al., ICML 2021, arXiv:2006.04647"
ZEN = "Lin et al., ICCV 2021, arXiv:2102.01063"
SUITE = ("suite-zero",)

RECORDS = (
    ProxySpec(
        "nwot", Later("proxies.patterns:nwot"),
        "log-determinant of how many ReLUs two samples share the state of",
        NASWOT, "higher", "1 forward", "activation", SUITE,
    ),
    ProxySpec(
        "zen", Later("proxies.zen:zen"),
        "how far the features of random networks move with their random input",
        ZEN, "higher", "2 forward a repeat", "activation", SUITE, (),
        options={"repeats": 4, "step": 0.01, "batch": 16},
    ),
)  # fmt: skip
