"""A network, or what it is given, that cannot be worked with."""

from testbed.errors import ToolkitError

__all__ = ["NetworkError"]


class NetworkError(ToolkitError):
    """Says in a sentence what was got, what was expected, and what to do."""
