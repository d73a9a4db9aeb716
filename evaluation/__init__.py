"""How robust networks are: published truths, and how well scores rank them."""

from pathlib import Path

from testbed import __version__ as __version__

# Modules that moved are found under their former names for one release.
__path__.append(str(Path(__file__).parent / "former"))
