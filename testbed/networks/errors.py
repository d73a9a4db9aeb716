"""The error of a network, or of inputs to it, that cannot be worked with."""

from testbed.basis.errors import ToolkitError

__all__ = ["NetworkError"]


class NetworkError(ToolkitError):
    """A network or its input is unusable; the message says what is expected and what to do."""
