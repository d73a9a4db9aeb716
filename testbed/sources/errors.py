"""What the sources of networks raise; nothing here needs torch."""

from testbed.basis.errors import ToolkitError

__all__ = ["SourceError"]


class SourceError(ToolkitError):
    """Networks that were asked for are not available."""
