"""How robust networks are: published truths, and how well scores rank them."""

# First of all, and quiet where Ctrl-C meets it, as in `testbed`.
try:
    import testbed.basis.interrupts  # noqa: F401
except KeyboardInterrupt:
    if "".join(__import__("sys").argv[:1]).rpartition("/")[2] in ("-m", "robustness-proxies"):
        raise SystemExit(130) from None
    raise

from pathlib import Path

from testbed.basis.lazy import attributes

__getattr__ = attributes(__name__, {"__version__": "testbed.basis.version"})

# Modules that moved are found under their former names for one release.
__path__.append(str(Path(__file__).parent / "former"))
