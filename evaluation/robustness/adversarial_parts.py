"""The files of adversarial images, in parts while they are measured, whole at the end.

Safetensors, with what the result's key says in the header. One part for each piece of the images;
they are put together one by one, so that no measurement has to fit in memory; and the file is
there as a whole or not at all.
"""

import glob
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evaluation.attacks import Level
from testbed.files.replacing import replacing
from testbed.spaces.registry import short_name
from testbed.store import RobustnessKey
from testbed.train.checkpoint_files import read_tensors, write_tensors

__all__ = ["FORM", "KINDS", "NOTES", "join_parts", "path_of", "write_part"]

SUFFIX = ".safetensors"
LONGEST = 60  # letters of a network's name in that of a file
FORM = "robustness-proxies adversarial images 1"
NOTES = (
    "form", "digest", "network", "init", "seed", "images", "measure", "epsilon", "settings",
)  # fmt: skip
# The dtype and its word in the header, smallest alignment last.
KINDS = {
    "labels": (torch.int64, "I64"),
    "indices": (torch.int64, "I64"),
    "prediction": (torch.int64, "I64"),
    "images": (torch.float32, "F32"),
    "robust": (torch.bool, "BOOL"),
}


def path_of(folder: Path, key: RobustnessKey) -> Path:
    """Return the path of the images of a result: readable, and of one result alone."""
    word = re.sub(r"[^A-Za-z0-9.-]+", "_", short_name(key.network))[:LONGEST].strip("._-")
    measure = re.sub(r"[^A-Za-z0-9@.-]+", "_", key.measure)[:LONGEST]
    seed = "" if key.seed is None else f"-seed{key.seed}"
    level = f"{key.level:g}" if key.level is not None else "none"
    return folder / f"{word or 'network'}{seed}-{measure}-eps{level}-{key.digest[:12]}{SUFFIX}"


def write_part(path: Path, level: Level, labels: Tensor, start: int) -> None:
    """Write the images of a piece beside the file that they will be a part of.

    Args:
        path: of that file.
        level: the outcome, with its images.
        labels: the true classes, (n,).
        start: the place of the first image in its split.
    """
    assert level.images is not None
    count = len(labels)
    tensors = {
        "images": level.images, "labels": labels, "indices": torch.arange(start, start + count),
        "robust": level.robust, "prediction": level.prediction,
    }  # fmt: skip
    write_tensors(
        _part(path, start),
        {
            name: tensor.detach().to("cpu", KINDS[name][0]).contiguous()
            for name, tensor in tensors.items()
        },
    )


def join_parts(path: Path, key: RobustnessKey, starts: Sequence[int]) -> None:
    """Put the parts of a result's images together, and remove them.

    Args:
        path: of the file.
        key: of the result.
        starts: the place of the first image of each part, in order.

    Raises:
        CheckpointError: if a part is missing or damaged.
    """
    notes = {
        "form": FORM, "digest": key.digest, "network": key.network, "init": key.init,
        "seed": json.dumps(key.seed), "images": key.images, "measure": key.measure,
        "epsilon": json.dumps(key.level), "settings": key.settings,
    }  # fmt: skip
    parts = [_part(path, start) for start in starts]
    with replacing(path) as temporary, temporary.open("wb") as file:
        header = _header(parts, notes)
        file.write(len(header).to_bytes(8, "little") + header)
        for name in KINDS:
            for part in parts:  # one at a time: all may be more than the memory
                file.write(read_tensors(part)[name].numpy().tobytes())
    # Those of a run that was interrupted too, whose pieces may have been others.
    for part in path.parent.glob(f"{glob.escape(_part(path, 0).stem)}.part*"):
        part.unlink(missing_ok=True)


def _part(path: Path, start: int) -> Path:
    return path.with_name(f".{path.name}.part{start}")


def _header(parts: Sequence[Path], notes: Mapping[str, str]) -> bytes:
    """Return the header of a safetensors file that holds the tensors of all parts."""
    shapes: dict[str, list[int]] = {}
    for part in parts:
        for name, tensor in read_tensors(part).items():
            there = shapes.setdefault(name, [0, *tensor.shape[1:]])
            there[0] += len(tensor)
    entries: dict[str, Any] = {"__metadata__": dict(notes)}
    begin = 0
    for name, (kind, word) in KINDS.items():
        end = begin + math.prod(shapes[name]) * kind.itemsize
        entries[name] = {"dtype": word, "shape": shapes[name], "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(entries).encode()
    return text + b" " * (-len(text) % 8)
