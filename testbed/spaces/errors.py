"""What a search space raises."""

from testbed.basis.errors import ToolkitError

__all__ = ["GenotypeError", "SpaceError"]


class GenotypeError(ToolkitError):
    """A text, an index or a word of ``--archs`` that names no network of the space."""


class SpaceError(ToolkitError):
    """A space that is not known, or that does not have what was asked of it."""
