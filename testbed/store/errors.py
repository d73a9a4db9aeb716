"""What can go wrong with a results file."""

from testbed.basis.errors import ToolkitError

__all__ = ["StoreBusy", "StoreError"]


class StoreError(ToolkitError, RuntimeError):
    """A results file, or what was to be put in it, is not what it should be."""


class StoreBusy(StoreError):  # noqa: N818 - a state of the file, not a fault of it
    """Another process writes this results file."""
