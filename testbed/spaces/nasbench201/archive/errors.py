"""The errors of reading an archive."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.basis.errors import ToolkitError
from testbed.basis.foreign_text import shown
from testbed.files.safe_pickle import RefusedNameError

__all__ = [
    "ArchiveError",
    "ArchiveFileError",
    "ForbiddenGlobalError",
    "MissingArchitectureError",
    "MissingTrialError",
    "NoWeightsError",
    "NotAnArchiveError",
    "NotEnoughMemoryError",
    "WrongArchitectureError",
    "reading",
]


class ArchiveError(ToolkitError):
    """The base of all errors of this package."""


class NotAnArchiveError(ArchiveError):
    """A path that holds no archive of a known kind."""


class MissingArchitectureError(ArchiveError):
    """An archive without the file of an architecture."""


class MissingTrialError(ArchiveError):
    """A file without the wanted hyper-parameters, data set or seed."""


class NoWeightsError(ArchiveError):
    """A trial that was stored without its weights."""


class NotEnoughMemoryError(ArchiveError):
    """A single-file archive that does not fit into memory."""


class ArchiveFileError(ArchiveError):
    """A file that is truncated, garbled, or not of the official layout."""


class ForbiddenGlobalError(ArchiveFileError):
    """A pickle that names a function or class which no official archive contains."""


class WrongArchitectureError(ArchiveFileError):
    """A file that holds another architecture than its name or number says."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn every exception while ``path`` is read into an `ArchiveError`."""
    try:
        yield
    except ArchiveError:
        raise
    except RefusedNameError as error:
        raise ForbiddenGlobalError(
            f"{path} was refused: it asks for {error.name}, which no official archive "
            f"contains and which could run code of the file's choosing; nothing was run. "
            f"Fetch the file again from its official source"
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise ArchiveFileError(f"cannot read {path}: {reason}") from error
    # The bytes decide what a broken pickle raises: nearly any exception is possible.
    except Exception as error:
        raise ArchiveFileError(
            f"{path} is truncated or not an archive file of the official layout "
            f"({type(error).__name__}: {shown(str(error))}); fetch it again"
        ) from error
