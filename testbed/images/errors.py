"""The errors of reading and downloading images."""

from testbed.basis.errors import ToolkitError

__all__ = [
    "DataFileError",
    "DownloadError",
    "ForbiddenGlobalError",
    "ImagesError",
    "MissingDataError",
]


class ImagesError(ToolkitError):
    """The base of all errors of this package: an unusable name, file, request or data set."""


class MissingDataError(ImagesError):
    """A data set whose files are not where they were looked for."""


class DataFileError(ImagesError):
    """A data file that is truncated, garbled, or holds something else than images."""


class ForbiddenGlobalError(DataFileError):
    """A pickle that names a function or class which no official data file contains."""


class DownloadError(ImagesError):
    """A data set that could not be downloaded, or has no public address."""
