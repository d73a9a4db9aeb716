"""Files of ``torch.save``, both formats, without ``torch.load``.

The weights stay in the file until they are read: a ``NNNNNN-FULL.pth`` is about 30 MB, of
which one trained network is some 2 MB. The names allowed are those of the archives alone,
far fewer than ``torch.load(weights_only=True)`` allows.

The format of PyTorch before 1.6, which NAS-Bench-201 was written with, is five pickles in
a row (magic number, protocol, system, content, storage keys), then for each key the count
of its numbers (int64) and the numbers. The later format is a zip file with the content in
``<name>/data.pkl`` and the numbers in ``<name>/data/<key>``. Both are little-endian.
"""

import io
import os
import zipfile
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from testbed.basis.foreign_text import described, quoted
from testbed.basis.ranges import first_twice
from testbed.files.pickle_scan import LIMITS, Limits
from testbed.files.safe_pickle import NUMPY_NAMES, Dtype, SafeUnpickler
from testbed.spaces.nasbench201.archive.tensors import TENSOR_NAMES, Storage, StorageType

__all__ = ["ARCHIVE_NAMES", "PickledStorage", "read_torch_file"]

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MOST_OF_DIRECTORY = 2**22  # bytes of 40,000 entries; a file of 17 networks has half as many
MOST_BYTES = 2**26  # of the pickle in a zip file, ten times that of the largest official file


def read_torch_file(path: Path, limits: Limits = LIMITS) -> Any:
    """Return the content of a file of ``torch.save``, its tensors as `StoredTensor`.

    Args:
        path: the path of the file.
        limits: what its pickle may hold.

    Raises whatever a damaged file makes Python raise: call it within `reading`.
    """
    if zipfile.is_zipfile(path):
        return _read_zip(path, limits)
    with path.open("rb") as file:
        return _read_legacy(file, path, limits)


class PickledStorage:
    """A storage that was pickled on its own: the bytes of a small file of ``torch.save``."""

    __slots__ = ("found", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw, self.found = raw, None

    def stored(self) -> Storage:
        """Return the storage."""
        if self.found is None:
            self.found = _read_legacy(io.BytesIO(self.raw), self.raw)
        if not isinstance(self.found, Storage):
            raise TypeError(f"expected a pickled storage; got {described(self.found)}")
        return self.found


class _Unpickler(SafeUnpickler):
    """An unpickler that notes which storages the content mentions."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        super().__init__(file, ARCHIVE_NAMES, limits=limits)
        self.storages: dict[str, Storage] = {}

    def persistent_load(self, pid: Any) -> Storage:
        # The last of the six, in the older format only, describes a view; none is used.
        kind, storage_type, key, _, count = pid[:5]
        plain = isinstance(key, str) and type(count) is int and count >= 0
        if (
            kind != "storage"
            or not isinstance(storage_type, StorageType)
            or any(pid[5:])
            or not plain
        ):
            raise ValueError(f"expected the description of a storage; got {described(pid)}")
        storage = self.storages.setdefault(key, Storage(storage_type.dtype, count))
        if (storage.dtype, storage.count) != (storage_type.dtype, count):
            raise ValueError(f"storage {quoted(key)} is described in two ways")
        return storage


def _read_legacy(file: BinaryIO, source: Path | bytes, limits: Limits = LIMITS) -> Any:
    for expected in (MAGIC, PROTOCOL):
        got = SafeUnpickler(file, {}).load()
        if type(got) is not int or got != expected:
            raise ValueError(
                f"this is no file of torch.save: expected {expected:#x}; got {described(got)}"
            )
    SafeUnpickler(file, {}).load()  # sizes of types on the writer's system
    unpickler = _Unpickler(file, limits)
    content = unpickler.load()
    for key in SafeUnpickler(file, {}).load():
        storage = unpickler.storages.get(key) if isinstance(key, str) else None
        if storage is None:
            raise ValueError(f"it has a storage {described(key)} that its content does not name")
        count = int.from_bytes(file.read(8), "little")
        if count != storage.count:
            raise ValueError(f"storage {quoted(key)} has {count} numbers; expected {storage.count}")
        storage.fetch = partial(_part, source, file.tell(), storage.size)
        file.seek(storage.size, os.SEEK_CUR)
    end, length = file.tell(), file.seek(0, os.SEEK_END)
    if end > length:
        raise EOFError(f"it has {length:,} bytes; expected {end:,}")
    return content


def _part(source: Path | bytes, offset: int, size: int) -> bytes:
    if isinstance(source, bytes):
        return source[offset : offset + size]
    with source.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _read_zip(path: Path, limits: Limits) -> Any:
    size = path.stat().st_size
    with _Directory(path) as raw, zipfile.ZipFile(raw) as archive, path.open("rb") as file:
        raw.most = None
        names = archive.namelist()
        if (twice := first_twice(names)) is not None:
            raise ValueError(f"it has the file {quoted(twice, 60)} twice")
        (member,) = (name for name in names if name.endswith("/data.pkl"))
        unpickler = _Unpickler(io.BytesIO(_pickle_of(archive, member)), limits)
        content = unpickler.load()
        for key, storage in unpickler.storages.items():
            info = archive.getinfo(f"{member.removesuffix('.pkl')}/{key}")
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != storage.size:
                raise ValueError(
                    f"storage {quoted(key)} does not have {storage.size} bytes as they are"
                )
            # Where the numbers begin, so that the zip file is not opened for every tensor.
            file.seek(info.header_offset + 26)
            name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
            start = info.header_offset + 30 + name + extra
            if start + storage.size > size:
                raise EOFError(f"it has {size:,} bytes; expected {start + storage.size:,}")
            storage.fetch = partial(_part, path, start, storage.size)
    return content


class _Directory(io.FileIO):
    """A zip file whose directory, which is read at once as it is opened, is of bounded length."""

    most: int | None = MOST_OF_DIRECTORY

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is not None and (size or 0) > self.most:
            raise ValueError(f"its directory has {size:,} bytes; expected at most {self.most:,}")
        return super().read(size)


def _pickle_of(archive: zipfile.ZipFile, member: str) -> bytes:
    # Zeros are packed a thousandfold. No more is unpacked than the directory says.
    if archive.getinfo(member).file_size > MOST_BYTES:
        raise ValueError(f"the pickle in it has more than {MOST_BYTES:,} bytes")
    return archive.read(member)


class _LoadFromBytes:
    __slots__ = ()

    def __call__(self, raw: bytes) -> PickledStorage:
        if not isinstance(raw, bytes):
            raise TypeError(f"expected the bytes of a storage; got {described(raw)}")
        return PickledStorage(raw)


class _Scalar:
    """The stand-in of ``numpy.core.multiarray.scalar``: one number."""

    __slots__ = ()

    def __call__(self, dtype: Dtype, raw: bytes) -> float:
        (number,) = np.frombuffer(raw, dtype.to_numpy())
        return number.item()


# Everything that the official archives name.
ARCHIVE_NAMES = {
    **NUMPY_NAMES,
    **TENSOR_NAMES,
    ("numpy.core.multiarray", "scalar"): _Scalar(),
    ("numpy._core.multiarray", "scalar"): _Scalar(),  # the name since NumPy 2
    ("torch.storage", "_load_from_bytes"): _LoadFromBytes(),
}
