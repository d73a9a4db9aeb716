"""Write generated corruptions in the layout of CIFAR-10-C."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from torch import Tensor

from testbed.basis import interrupts
from testbed.basis.foreign_text import described
from testbed.corruptions.generate import corrupt, eight_bits
from testbed.corruptions.severities import TABLE
from testbed.files.replacing import naming
from testbed.files.strict_json import read_json
from testbed.images.corrupted import CORRUPTIONS, GENERATED, SEVERITIES
from testbed.images.errors import ImagesError
from testbed.images.image_set import ImageSet
from testbed.images.own.pixels import StoredPixels
from testbed.store.far_byte import FarByte

__all__ = ["write_corrupted"]

CHUNK = 512
# To be raised whenever a corruption's output changes: files of two versions do not mix.
VERSION = 2


def write_corrupted(
    images: ImageSet,
    folder: Path,
    progress: Callable[[int], None] | None = None,
    corruptions: Sequence[str] = CORRUPTIONS,
    key: int | str = 0,
) -> list[str]:
    """Write corruptions at all five severities, and return the names of those written.

    Files that are already there are kept, so an interrupted call can be repeated; a file
    appears when it is complete. ``generated.json`` says what the files were made from.

    Args:
        images: the clean set.
        folder: where the files go; it is created if it is not there.
        progress: is called with the number of images done since the last call, of
            5 · len(images) · len(corruptions) in all; those of kept files count as done.
        corruptions: names out of ``CORRUPTIONS``.
        key: the seed of the random corruptions.

    Raises:
        ImagesError: if another process writes into the folder, if it holds corruptions of other
            images or of another key or something else, if a corruption is unknown, or if the
            images cannot be corrupted.
        OSError: if a file cannot be written.
    """
    unknown = [name for name in corruptions if name not in TABLE]
    if unknown:
        raise ImagesError(f"unknown corruption {unknown[0]!r}; there are {', '.join(TABLE)}")
    folder, tell = Path(folder), progress or (lambda _: None)
    pixels = eight_bits(images)
    # Before anything is written: complains of images that cannot be corrupted.
    corrupt(pixels[:1], "contrast", 1)
    _claim(folder, images, key)
    with _alone(folder):
        # As the benchmark has them, where that many classes can be told apart.
        kind = np.uint8 if images.classes <= 256 else np.uint32
        labels = np.tile(images.labels.numpy().astype(kind), len(SEVERITIES))
        _save(folder / "labels.npy", labels)
        written = []
        for corruption in corruptions:
            path = folder / f"{corruption}.npy"
            if path.is_file():
                tell(len(SEVERITIES) * len(images))
                continue
            _write_one(path, pixels, corruption, key, tell)
            written.append(corruption)
    return written


def _claim(folder: Path, images: ImageSet, key: int | str) -> None:
    """Leave a note of what the folder is for, or check the one that is there."""
    note = {
        "images": images.name,
        "split": images.split,
        "count": len(images),
        "fingerprint": images.fingerprint(),
        "key": key,
        "version": VERSION,
    }
    path = folder / GENERATED
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        if any(folder.glob("*.npy")):
            raise ImagesError(
                f"{folder} holds arrays that were not generated here (it has no {GENERATED}); "
                f"choose another folder"
            )
        with _finishing(path) as part:
            part.write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
        return
    try:
        found = read_json(path, ImagesError)
    except ImagesError as error:
        raise ImagesError(f"{error}; choose another folder") from error
    if not isinstance(found, dict) or not note.keys() <= found.keys():
        raise ImagesError(f"{path} is damaged ({described(found)}); choose another folder")
    other = [word for word in note if repr(found[word]) != repr(note[word])]
    if other:
        there = ", ".join(f"{word} {described(found[word])}" for word in other)
        wanted = ", ".join(f"{word} {note[word]!r}" for word in other)
        raise ImagesError(
            f"{folder} holds corruptions of something else: {there}, expected {wanted}; "
            f"choose another folder, or remove it"
        )


def _write_one(
    path: Path,
    pixels: Tensor | StoredPixels,
    corruption: str,
    key: int | str,
    tell: Callable[[int], None],
) -> None:
    count, channels, height, width = pixels.shape
    shape = (len(SEVERITIES) * count, height, width, channels)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    # Written, not mapped: a full disk is then an error and not the end of the process.
    with _finishing(path) as part, part.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for severity in SEVERITIES:
            for start in range(0, count, CHUNK):
                done = corrupt(pixels[start : start + CHUNK], corruption, severity, key)
                file.write(done.numpy().transpose(0, 2, 3, 1).tobytes())
                tell(len(done))


def _save(path: Path, array: np.ndarray) -> None:
    with _finishing(path) as part, part.open("wb") as file:
        np.save(file, array, allow_pickle=False)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others out of a folder, where the system can: two would write into one file."""
    byte = FarByte(folder / GENERATED, write=True)
    try:
        if not byte.take():
            raise ImagesError(
                f"another process writes corruptions into {folder}: wait until it has finished, or "
                "choose another folder"
            )
        yield
    finally:
        byte.close()


@contextmanager
def _finishing(path: Path) -> Iterator[Path]:
    """Yield a temporary file that becomes ``path`` at the end; a later run uses the same one."""
    # Not testbed.files.replacing: a folder's next run would not know the file of a killed one.
    part = path.with_name(f".{path.name}.part")
    interrupts.something_to_lose()
    with naming(path, part):
        try:
            yield part
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        os.replace(part, path)
