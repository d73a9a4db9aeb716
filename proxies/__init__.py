"""Training-free robustness proxies: how robust a network promises to be."""

from typing import TYPE_CHECKING

from testbed.basis.lazy import attributes

if TYPE_CHECKING:
    from proxies.probe import Score
    from proxies.registry import PROXIES, UnknownProxyError, register
    from proxies.scoring import score
    from proxies.spec import ProxySpec
    from testbed.basis.version import __version__

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
        "PROXIES": "proxies.registry",
        "ProxySpec": "proxies.spec",
        "UnknownProxyError": "proxies.registry",
        "register": "proxies.registry",
        "score": "proxies.scoring",
        "__version__": "testbed.basis.version",
    },
)
