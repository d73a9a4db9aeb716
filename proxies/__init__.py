"""Training-free robustness proxies: how robust a network promises to be."""

from proxies.probe import Score
from proxies.registry import PROXIES, ProxySpec, UnknownProxyError
from proxies.scoring import score
from testbed import __version__

__all__ = ["PROXIES", "ProxySpec", "Score", "UnknownProxyError", "__version__", "score"]
