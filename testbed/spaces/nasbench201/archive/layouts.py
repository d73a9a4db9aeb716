"""The kinds of archives on disk, and how the content of one architecture is read.

Whatever the kind, an architecture's content is ``{hp: {"arch_index", "arch_str",
"all_results": {(data set, seed): trial}}}`` with hp ``12`` or ``200``.
"""

import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from testbed.basis.foreign_text import described
from testbed.files.bounded_bz2 import read_bz2
from testbed.files.pickle_scan import LIMITS, Limits
from testbed.files.safe_pickle import SafeUnpickler
from testbed.spaces.nasbench201.archive.errors import (
    MissingArchitectureError,
    NotEnoughMemoryError,
    reading,
)
from testbed.spaces.nasbench201.archive.torch_files import ARCHIVE_NAMES, read_torch_file
from testbed.spaces.nasbench201.archive_names import archive_files

__all__ = ["FULL_ARCHIVE", "Layout", "NasBench201Folder", "NasBench201Single", "NatsFolder"]

MAX_UNPACKED = 2**28  # more than twice the largest official file
BYTES_AN_OPCODE = 50  # at least, of structure, in the single file
BYTES_PER_BYTE = 6  # of memory, for one of the single file: measured on the real content
EPOCHS_OF = {"less": "12", "full": "200"}
FULL_ARCHIVE = (
    "the *full* archive NATS-tss-v1_0-3ffb9-full, a tar file in parts of 30 GB each, some "
    "hundreds of GB in all (https://github.com/D-X-Y/NATS-Bench, 'Preparation and Download')"
)


class Layout(Protocol):
    """An archive on disk."""

    kind: ClassVar[str]

    @property
    def path(self) -> Path:
        """Return the path of the folder or the file."""
        ...

    def file(self, index: int) -> Path:
        """Return the file that holds an architecture.

        Raises:
            MissingArchitectureError: if there is none.
        """
        ...

    def content(self, index: int) -> Mapping[str, Any]:
        """Read and return the content of an architecture, by hyper-parameters.

        Raises:
            ArchiveError: if its file is missing, damaged or refused.
        """
        ...

    def indices(self) -> Collection[Any]:
        """Return the ids that there may be something of; none has more than these.

        Raises:
            ArchiveError: if the folder or the file cannot be read.
        """
        ...


@dataclass(frozen=True)
class NatsFolder:
    """NATS-Bench, topology: a folder of ``NNNNNN.pickle.pbz2``."""

    path: Path
    kind: ClassVar[str] = "NATS-Bench topology"

    def file(self, index: int) -> Path:
        """Return the file of an architecture."""
        # The official reader, too, takes numbers without leading zeros.
        return _first_file(self.path, [f"{index:06d}.pickle.pbz2", f"{index}.pickle.pbz2"])

    def content(self, index: int) -> Mapping[str, Any]:
        """Read and return the content of an architecture's file."""
        path = self.file(index)
        with reading(path):
            raw = read_bz2(path, MAX_UNPACKED)
            return _mapping(SafeUnpickler(io.BytesIO(raw), ARCHIVE_NAMES).load())

    def indices(self) -> Collection[int]:
        """Return the ids that the names of the folder's files say."""
        return _indices(self.path)


@dataclass(frozen=True)
class NasBench201Folder:
    """NAS-Bench-201: a folder of ``NNNNNN-FULL.pth``, or ``-SIMPLE.pth`` without weights."""

    path: Path
    kind: ClassVar[str] = "NAS-Bench-201"
    suffixes: ClassVar[tuple[str, ...]] = ("-FULL.pth", "-SIMPLE.pth", "-SIMPLIFY.pth")

    def file(self, index: int) -> Path:
        """Return the file of an architecture, the one with weights if there are two."""
        return _first_file(self.path, [f"{index:06d}{suffix}" for suffix in self.suffixes])

    def content(self, index: int) -> Mapping[str, Any]:
        """Read and return the content of an architecture's file, its weights excepted."""
        path = self.file(index)
        with reading(path):
            return _by_epochs(_mapping(read_torch_file(path)))

    def indices(self) -> Collection[int]:
        """Return the ids that the names of the folder's files say."""
        return _indices(self.path)


@dataclass
class NasBench201Single:
    """NAS-Bench-201 in one file, ``NAS-Bench-201-v1_1-096897.pth``, which has no weights.

    It is one pickle: to know one architecture is to read all, about 6 bytes of memory for
    each byte of the file (28 GB for version 1.1, 13 GB for 1.0).
    """

    path: Path
    _loaded: Mapping[Any, Any] | None = field(default=None, repr=False)
    kind: ClassVar[str] = "NAS-Bench-201, single file"

    def file(self, index: int) -> Path:
        """Return the file, which is the same for all architectures."""
        return self.path

    def content(self, index: int) -> Mapping[str, Any]:
        """Return an architecture's content; the first call reads the whole file.

        Raises:
            NotEnoughMemoryError: if the content does not fit into the memory that is free.
        """
        loaded = self._content()
        if index not in loaded:
            raise MissingArchitectureError(
                f"{self.path} has no architecture {index}; it has {len(loaded)}"
            )
        with reading(self.path):
            return _by_epochs(_mapping(loaded[index]))

    def indices(self) -> Collection[Any]:
        """Return the ids of the file, which is read if it was not; as `content` does."""
        return self._content().keys()

    def _content(self) -> Mapping[Any, Any]:
        if self._loaded is None:
            self._check_memory()
            with reading(self.path):
                # As much as the file is long: the memory for it is there.
                size = self.path.stat().st_size
                limits = Limits(LIMITS.plain + size, LIMITS.others + size // BYTES_AN_OPCODE)
                whole = _mapping(read_torch_file(self.path, limits))
                self._loaded = _mapping(whole["arch2infos"])
        return self._loaded

    def __getstate__(self) -> dict[str, Any]:
        # Not the gigabytes: workers read the file themselves.
        return {"path": self.path, "_loaded": None}

    def _check_memory(self) -> None:
        free, size = free_memory(), self.path.stat().st_size
        needed = BYTES_PER_BYTE * size
        if free is not None and needed > free:
            raise NotEnoughMemoryError(
                f"{self.path} is a single pickle of {size / 1e9:.1f} GB, which takes about "
                f"{needed / 1e9:.1f} GB of memory to read; {free / 1e9:.1f} GB are free. An "
                f"archive with a file for each architecture takes next to none: "
                f"NATS-tss-v1_0-3ffb9-simple for the accuracies, or {FULL_ARCHIVE}"
            )


def _first_file(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise MissingArchitectureError(
        f"{folder} has no {' nor '.join(names)}; complete it, or ask for another architecture"
    )


def _indices(folder: Path) -> Collection[int]:
    with reading(folder):
        return {int(re.split("[.-]", name)[0]) for name in archive_files(folder)}


def _mapping(found: Any) -> Mapping[Any, Any]:
    if not isinstance(found, Mapping):
        raise TypeError(f"expected a dictionary; got {described(found)}")
    return found


def _by_epochs(content: Mapping[str, Any]) -> dict[str, Any]:
    other = [name for name in content if name not in EPOCHS_OF]
    if other:
        raise ValueError(f"expected {' and '.join(EPOCHS_OF)}; got {described(other[0])}")
    return {EPOCHS_OF[name]: results for name, results in content.items()}


def free_memory() -> int | None:
    """Return the bytes of memory that are free; None if the system does not report them."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
