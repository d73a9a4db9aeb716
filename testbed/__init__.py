"""The ground floor: networks, images, the store and the engine; imports nothing of ours."""

# First, and above all other imports: they take a while, and Ctrl-C must not meet one unprepared.
from testbed.basis.interrupts import watch

watch()

from pathlib import Path  # noqa: E402

from testbed.basis.lazy import attributes  # noqa: E402

__getattr__ = attributes(__name__, {"__version__": "testbed.basis.version"})

# Modules that moved are found under their former names for one release.
__path__.append(str(Path(__file__).parent / "former"))
