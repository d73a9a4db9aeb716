"""Training-free robustness proxies: how robust a network promises to be."""

import testbed.basis.interrupts  # noqa: F401, I001 - first of all, as in `testbed`

from typing import TYPE_CHECKING

from testbed.basis.lazy import attributes

if TYPE_CHECKING:
    from proxies.probe import Score
    from proxies.registry import PROXIES, ProxySpec, UnknownProxyError
    from proxies.scoring import score
    from testbed.basis.version import __version__

__all__ = [
    "PROXIES",
    "ProxySpec",
    "Score",
    "UnknownProxyError",
    "__version__",
    "score",
]

__getattr__ = attributes(
    __name__,
    {
        "Score": "proxies.probe",
        "PROXIES": "proxies.registry",
        "ProxySpec": "proxies.registry",
        "UnknownProxyError": "proxies.registry",
        "score": "proxies.scoring",
        "__version__": "testbed.basis.version",
    },
)
