"""Search spaces: which networks there are, and how they are built; one record a space."""

from testbed.spaces.design import Design, design_of
from testbed.spaces.errors import GenotypeError, SpaceError
from testbed.spaces.registry import get, names, register, space_of
from testbed.spaces.space import Cell, SearchSpace

__all__ = [
    "Cell", "Design", "GenotypeError", "SearchSpace", "SpaceError", "design_of", "get", "names",
    "register", "space_of",
]  # fmt: skip
