"""Fetch the public archives: by name, with checksum and progress bar, when asked to.

Everything happens in a temporary folder beside the destination, and only the complete,
checked and unpacked data set is moved into place.
"""

import os
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, cast

import pooch

from testbed.images import imagenet16
from testbed.images.errors import DownloadError
from testbed.images.progress_bar import progress_bar

__all__ = ["SOURCES", "Source", "default_root", "download"]


@dataclass(frozen=True)
class Source:
    """A public ``.tar.gz`` archive: its address, its MD5 and the one folder in it."""

    url: str
    md5: str
    folder: str


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "cifar10": Source(
            url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            md5="c58f30108f718f92721af3b95e74349a",
            folder="cifar-10-batches-py",
        ),
        "cifar100": Source(
            url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
            md5="eb9058c3a382ffc7106e4002c42a8d85",
            folder="cifar-100-python",
        ),
    }
)


def default_root() -> Path:
    """Return the user's cache folder, where data sets lie if no other root is given."""
    return Path(pooch.os_cache("robustness-proxies"))


def download(
    name: str, root: str | os.PathLike[str], sources: Mapping[str, Source] = SOURCES
) -> Path:
    """Download and unpack a data set, and return its folder.

    A folder that is already there is returned as it is, whatever it holds.

    Args:
        name: the name of the data set.
        root: the folder to hold the data set's folder, or that folder itself.
        sources: the public archives, by the names of their data sets.

    Raises:
        DownloadError: if the data set has no public archive, or the download, its
            checksum or the unpacking fails. Nothing is left behind then.
    """
    source = _source(name, sources)
    root = Path(root)
    home = root.parent if root.name == source.folder else root
    target = home / source.folder
    if target.is_dir() and any(target.iterdir()):
        return target
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=home) as scratch:
            archive = _fetch(source, Path(scratch))
            _unpack(archive, Path(scratch))
            os.replace(Path(scratch) / source.folder, target)
    # The errors of requests are OSErrors.
    except (OSError, ValueError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DownloadError(
            f"downloading {name!r} from {source.url} failed: {error}; nothing was kept. "
            f"Try again, or fetch it otherwise and unpack it as {target}"
        ) from error
    return target


def _source(name: str, sources: Mapping[str, Source]) -> Source:
    if name in sources:
        return sources[name]
    if name == "imagenet16_120":
        raise DownloadError(
            f"{name!r} cannot be downloaded; {imagenet16.WHERE}. "
            f"Then give --data-root the folder {imagenet16.FOLDER} or the one that holds it"
        )
    raise DownloadError(f"no archive is known for {name!r}; there are {', '.join(sources)}")


def _fetch(source: Source, folder: Path) -> Path:
    path = folder / "archive.tar.gz"
    with progress_bar(source.url) as bar:
        # pooch's annotation allows only a bool; its documentation, any such object.
        get = pooch.HTTPDownloader(progressbar=cast(Any, bar), chunk_size=1 << 16)
        get(source.url, str(path), None)
    md5 = pooch.file_hash(str(path), alg="md5")
    if md5 != source.md5:
        raise ValueError(f"its MD5 is {md5}, expected {source.md5}")
    return path


def _unpack(archive: Path, into: Path) -> None:
    with tarfile.open(archive, "r:gz") as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(into, filter="data")
            return
        # Python before 3.10.12 and 3.11.4.
        for member in tar.getmembers():
            name = PurePosixPath(member.name)
            plain = member.isfile() or member.isdir()
            if name.is_absolute() or ".." in name.parts or not plain:
                raise tarfile.ExtractError(f"refused to unpack {member.name!r}")
        tar.extractall(into)
