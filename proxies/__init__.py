"""Training-free robustness proxies: how robust a network promises to be."""

# First of all, and quiet where Ctrl-C meets it, as in `testbed`.
try:
    import testbed.basis.interrupts  # noqa: F401
except KeyboardInterrupt:
    if "".join(__import__("sys").argv[:1]).rpartition("/")[2] in ("-m", "robustness-proxies"):
        raise SystemExit(130) from None
    raise

from typing import TYPE_CHECKING

from testbed.basis.lazy import attributes

if TYPE_CHECKING:
    from proxies.probe import Score
    from proxies.scoring import score
    from testbed.basis.version import __version__
    from testbed.catalogue.registry import PROXIES, UnknownProxyError, register
    from testbed.catalogue.spec import ProxySpec

__all__ = [
    "PROXIES",
    "ProxySpec",
    "Score",
    "UnknownProxyError",
    "__version__",
    "register",
    "score",
]

__getattr__ = attributes(
    __name__,
    {
        "Score": "proxies.probe",
        "PROXIES": "testbed.catalogue.registry",
        "ProxySpec": "testbed.catalogue.spec",
        "UnknownProxyError": "testbed.catalogue.registry",
        "register": "testbed.catalogue.registry",
        "score": "proxies.scoring",
        "__version__": "testbed.basis.version",
    },
)
