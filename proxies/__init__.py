"""Training-free robustness proxies: how robust a network promises to be."""

import testbed.basis.interrupts  # noqa: F401, I001 - first of all, as in `testbed`

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
