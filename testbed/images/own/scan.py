"""One pass over all of a user's images: what they are, what is damaged, mean, std, fingerprint.

The pass decodes every image once, and keeps what it found in the user's cache folder until a file
changes.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from testbed.basis.foreign_text import shown
from testbed.files.replacing import replacing
from testbed.files.strict_json import read_json
from testbed.images.download import default_root
from testbed.images.errors import DataFileError, ImagesError
from testbed.images.own.option import OwnImages
from testbed.images.own.pictures import Form, Header, decode, header
from testbed.images.own.pixels import in_order
from testbed.images.own.reader import Content, Opened, Reader

__all__ = ["Scan", "rows_of_splits", "scan"]

# To be raised whenever pixels, fingerprints or what stands in the file change.
VERSION = 1
MOST = 10  # damaged images that are named
RACE = 2.0  # seconds: a file as young as that may change again without a trace


@dataclass(frozen=True)
class Scan:
    """What the pass found.

    Attributes:
        channels: 1 or 3.
        size: height and width.
        mean: of each channel of the training images in [0, 1].
        std: likewise.
        fingerprint: of all pixels and labels, of both splits.
        skipped: by split, the storage places of images that cannot be read.
        notes: what is worth knowing.
    """

    channels: int
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    skipped: Mapping[str, tuple[int, ...]]
    notes: tuple[str, ...]


def scan(option: OwnImages, opened: Opened) -> Scan:
    """Return what all images of an option are, from the cache if nothing changed.

    Raises:
        DataFileError: if images cannot be read, or are of several sizes and none was asked for.
    """
    path = _cache_path(option, opened)
    found = _cached(path)
    if found is None:
        begun = time.time()
        found = _scan(option, opened)
        _keep(path, found, opened, begun)
    return found


def rows_of_splits(
    option: OwnImages, opened: Opened, skipped: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[Reader, NDArray[np.int64]]]:
    """Return the reader and the storage places of the training and the test images.

    Any number of first images holds as many of each class as can be: they are taken from the
    classes in turn.
    """
    if "all" not in opened.splits:
        return {
            split: (reader, _in_turn(reader.labels, _kept(reader, skipped.get(split, ()))))
            for split, reader in opened.splits.items()
        }
    reader = opened.splits["all"]
    kept = _kept(reader, skipped.get("all", ()))
    if not option.holdout:
        return {split: (reader, _in_turn(reader.labels, kept)) for split in ("train", "test")}
    test = np.zeros(len(reader.labels), dtype=bool)
    for label in range(len(opened.classes)):
        test[kept[reader.labels[kept] == label][option.holdout - 1 :: option.holdout]] = True
    parts = {"train": kept[~test[kept]], "test": kept[test[kept]]}
    return {split: (reader, _in_turn(reader.labels, rows)) for split, rows in parts.items()}


def _kept(reader: Reader, skipped: tuple[int, ...]) -> NDArray[np.int64]:
    return np.setdiff1d(np.arange(len(reader.labels)), np.array(skipped, dtype=np.int64))


def _in_turn(labels: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    ranks = np.zeros(len(rows), dtype=np.int64)
    seen: Counter[int] = Counter()
    for place, label in enumerate(labels[rows].tolist()):
        ranks[place] = seen[label]
        seen[label] += 1
    return rows[np.lexsort((labels[rows], ranks))]


def _scan(option: OwnImages, opened: Opened) -> Scan:
    heads, bad = _headers(opened)
    if not heads:
        raise DataFileError(f"{option.path}: none of {len(bad)} images can be read{_named(bad)}")
    form = Form(_channels(option, heads), _size(option, heads), option.fit)
    skipped: dict[str, set[int]] = {split: set() for split in opened.splits}
    pictures: dict[str, dict[int, bytes]] = {}
    sums: dict[str, dict[int, NDArray[np.float64]]] = {}
    for split, reader in opened.splits.items():
        pictures[split], sums[split] = {}, {}
        for row, levels in _decoded(reader, form, bad, split):
            if levels is None:
                skipped[split].add(row)
                continue
            pictures[split][row] = hashlib.sha256(levels.tobytes()).digest()
            wide = levels.reshape(len(levels), -1).astype(np.int64)
            sums[split][row] = np.stack([wide.sum(1), (wide**2).sum(1)]).astype(np.float64)
    total = sum(len(reader.labels) for reader in opened.splits.values())
    if bad and option.unreadable == "refuse":
        raise DataFileError(
            f"{option.path}: {len(bad)} of {total} images cannot be read{_named(bad)}; repair or "
            "remove them, or add the option unreadable=skip"
        )
    left_out = {split: tuple(sorted(rows)) for split, rows in skipped.items()}
    rows = rows_of_splits(option, opened, left_out)
    _check_classes(option, opened, rows)
    whose = {split: split if "all" not in opened.splits else "all" for split in rows}
    mean, std = _moments([sums[whose["train"]][row] for row in rows["train"][1].tolist()], form,
                         opened.levels)  # fmt: skip
    mean, std = _asked(option, form, mean, std)
    digest = hashlib.sha256(repr((form.channels, form.size, opened.levels, mean, std,
                                  len(opened.classes))).encode())  # fmt: skip
    for split, (reader, places) in rows.items():
        digest.update(split.encode() + reader.labels[places].astype("<i8").tobytes())
        for row in places.tolist():
            digest.update(pictures[whose[split]][row])
    notes = [f"{n} of {total} images are {what}" for what, n in _counted(heads).items()]
    if bad:
        notes.append(f"{len(bad)} of {total} images cannot be read and were left out{_named(bad)}")
    return Scan(form.channels, form.size, mean, std, digest.hexdigest()[:12], left_out,
                tuple(notes))  # fmt: skip


def _headers(opened: Opened) -> tuple[list[Header], dict[tuple[str, int], str]]:
    heads, bad = [], {}
    for split, reader in opened.splits.items():
        rows = range(len(reader.labels))
        for row, content in zip(rows, reader.contents(rows), strict=True):
            if isinstance(content, np.ndarray):
                heads.append(Header((content.shape[0], content.shape[1]), content.shape[2] == 1))
                continue
            try:
                heads.append(header(content))
            except DataFileError as error:
                bad[split, row] = f"{shown(reader.name(row))} ({shown(str(error), 80)})"
    return heads, bad


def _decoded(
    reader: Reader, form: Form, bad: dict[tuple[str, int], str], split: str
) -> Iterator[tuple[int, NDArray[np.uint8] | None]]:
    rows = range(len(reader.labels))

    def read(entry: tuple[int, Content]) -> tuple[int, NDArray[np.uint8] | None]:
        row, content = entry
        if (split, row) in bad:
            return row, None
        try:
            return row, decode(content, form)
        except DataFileError as error:
            bad[split, row] = f"{shown(reader.name(row))} ({shown(str(error), 80)})"
            return row, None

    yield from in_order(read, zip(rows, reader.contents(rows), strict=True))


def _channels(option: OwnImages, heads: list[Header]) -> int:
    return option.channels or (1 if all(head.grey for head in heads) else 3)


def _size(option: OwnImages, heads: list[Header]) -> tuple[int, int]:
    if option.size is not None:
        return option.size
    sizes = Counter(head.size for head in heads)
    if len(sizes) > 1:
        few = ", ".join(f"{height}×{width}" for (height, width), _ in sizes.most_common(3))
        raise DataFileError(
            f"{option.path}: the images are of {len(sizes)} sizes ({few}, …); say which one they "
            f"are brought to: {option.kind}:{option.path}?size=32, or size=32x48"
        )
    return next(iter(sizes))


def _check_classes(
    option: OwnImages, opened: Opened, rows: Mapping[str, tuple[Reader, NDArray[np.int64]]]
) -> None:
    reader, places = rows["train"]
    counts = np.bincount(reader.labels[places], minlength=len(opened.classes))
    none = [opened.classes[label] for label in np.flatnonzero(counts == 0)]
    if none:
        raise DataFileError(
            f"{option.path}: no training image of {len(none)} classes, {shown(none[0], 60)} for "
            "instance"
        )
    if not len(rows["test"][1]):
        raise DataFileError(
            f"{option.path}: no class has {option.holdout} images, of which one would be for "
            "testing; add holdout=2, or holdout=0 to test on the training images"
        )


def _moments(
    sums: list[NDArray[np.float64]], form: Form, levels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel, over all pixels of the images."""
    count = len(sums) * form.size[0] * form.size[1]
    first, second = np.sum(sums, axis=0) / count  # whole numbers below 2⁵³: no rounding so far
    std = np.sqrt(np.maximum(second - first**2, 0)) / levels
    return tuple((first / levels).tolist()), tuple(std.tolist())


def _asked(
    option: OwnImages, form: Form, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if option.mean is not None and option.std is not None:
        if len(option.mean) not in (1, form.channels):
            raise ImagesError(f"mean and std have {len(option.mean)} numbers; the images have "
                              f"{form.channels} channels")  # fmt: skip
        repeat = form.channels // len(option.mean)
        return option.mean * repeat, option.std * repeat
    if not all(std):
        raise DataFileError(
            f"{option.path}: channel {std.index(0.0)} has one value in all training images; give "
            "mean= and std="
        )
    return mean, std


def _counted(heads: list[Header]) -> Counter[str]:
    return Counter(note for head in heads for note in head.notes)


def _named(bad: Mapping[tuple[str, int], str]) -> str:
    more = f"; and {len(bad) - MOST} more" if len(bad) > MOST else ""
    return f": {'; '.join([bad[key] for key in sorted(bad)][:MOST])}{more}" if bad else ""


def _cache_path(option: OwnImages, opened: Opened) -> Path:
    facts = (
        VERSION,
        PIL.__version__,
        option.kind,
        option.settings(),
        opened.stamp.text,
        opened.levels,
    )
    mark = hashlib.sha256(repr((facts, str(option.path.absolute()))).encode("utf-8", "replace"))
    return default_root() / "own-images" / f"{mark.hexdigest()[:32]}.json"


def _cached(path: Path) -> Scan | None:
    """Return what an earlier pass kept; None if there is none, or it is damaged."""
    try:
        found: Any = read_json(path, ImagesError)
        scan = Scan(
            int(found["channels"]), (int(found["size"][0]), int(found["size"][1])),
            tuple(map(float, found["mean"])), tuple(map(float, found["std"])),
            str(found["fingerprint"]),
            {str(split): tuple(map(int, rows)) for split, rows in found["skipped"].items()},
            tuple(map(str, found["notes"])),
        )  # fmt: skip
    except (ImagesError, OSError, KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None
    return scan if len(scan.mean) == len(scan.std) == scan.channels else None


def _keep(path: Path, found: Scan, opened: Opened, begun: float) -> None:
    if opened.stamp.newest > begun - RACE:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(found)), encoding="utf-8")
    except OSError:  # a cache that cannot be written costs time only
        return
