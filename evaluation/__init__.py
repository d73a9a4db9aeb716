"""How robust networks are: published truths, and how well scores rank them."""

import testbed.basis.interrupts  # noqa: F401, I001 - first of all, as in `testbed`

from pathlib import Path

from testbed.basis.lazy import attributes

__getattr__ = attributes(__name__, {"__version__": "testbed.basis.version"})

# Modules that moved are found under their former names for one release.
__path__.append(str(Path(__file__).parent / "former"))
