"""The ground floor: networks, images, the store and the engine; imports nothing of ours."""

# First, and above all other imports: they take a while, and Ctrl-C must not meet one unprepared.
try:
    from testbed.basis.interrupts import watch

    watch()
except KeyboardInterrupt:  # it did; of a command that is not told in a traceback
    if "".join(__import__("sys").argv[:1]).rpartition("/")[2] in ("-m", "robustness-proxies"):
        raise SystemExit(130) from None
    raise

from pathlib import Path

from testbed.basis.lazy import attributes

__getattr__ = attributes(__name__, {"__version__": "testbed.basis.version"})

# Modules that moved are found under their former names for one release.
__path__.append(str(Path(__file__).parent / "former"))
