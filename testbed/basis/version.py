"""The version of the package; ``pyproject.toml`` is where it is written."""

from importlib import metadata

__all__ = ["PACKAGE", "__version__", "installed_version"]

PACKAGE = "robustness-proxies"


def installed_version() -> str:
    """Return the version of the installed package; ``unknown`` where it is not installed."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "unknown"


__version__ = installed_version()
