"""Adversarial images of a measurement, kept in files and given back.

A file holds what the judge saw of one network under one attack at one ε: safetensors, with what
the result's key says in the header. It is written in parts, one for each piece of the images, which
are put together one by one, so that no measurement has to fit in memory; and there as a whole or
not at all.
"""

import glob
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evaluation.attacks import Level
from testbed.basis.errors import ToolkitError
from testbed.basis.foreign_text import described, quoted
from testbed.basis.ranges import EPSILON
from testbed.files.replacing import replacing
from testbed.files.strict_json import parse_json
from testbed.spaces.registry import short_name
from testbed.store import RobustnessKey
from testbed.train.checkpoint_files import (
    CheckpointError,
    read_notes,
    read_tensors,
    write_tensors,
)

__all__ = [
    "Adversarial", "AdversarialError", "join_parts", "load_adversarial", "path_of", "write_part",
]  # fmt: skip

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


class AdversarialError(ToolkitError):
    """A file that holds no adversarial images, or not what it says."""


@dataclass(frozen=True, eq=False)
class Adversarial:
    """Attacked images, and what they are of.

    Attributes:
        images: float32, (N, C, H, W), in [0, 1] and within ε of the clean ones: what the network
            was asked about. An image that no attack moved is the clean one.
        labels: int64, (N,), the true classes.
        indices: int64, (N,), the place of each image in its split.
        robust: bool, (N,), whether the network classifies it rightly both clean and attacked.
        prediction: int64, (N,), the class that the network gave it; -1 where it gave none.
        network: its name.
        init: where its weights come from, ``trained`` for instance.
        seed: of the weights; None where there is none.
        image_set: the name of the images.
        attack: the published key, with the norm: ``pgd@Linf``.
        epsilon: in units of 1/255.
        settings: all that the result depends on: the split, the count and the fingerprint of the
            clean images, the mode, the attack's own settings, the weights' fingerprint.
        digest: of the key of the result in the store.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    robust: Tensor
    prediction: Tensor
    network: str
    init: str
    seed: int | None
    image_set: str
    attack: str
    epsilon: float
    settings: dict[str, Any]
    digest: str

    @property
    def accuracy(self) -> float:
        """Return the robust accuracy, which is the recorded one."""
        return self.robust.double().mean().item()

    @property
    def norm(self) -> str:
        """Return the norm in which ε is meant, ``Linf`` or ``L2``."""
        return self.attack.rpartition("@")[2]


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


def load_adversarial(path: str | Path) -> Adversarial:
    """Return the images that ``robustness --save-adversarial`` kept in a file.

    Args:
        path: of the file.

    Raises:
        AdversarialError: if it cannot be read, is none that was written so, or holds pixels
            outside [0, 1].
    """
    path = Path(path)
    try:
        notes, tensors = read_notes(path), read_tensors(path)
    except CheckpointError as error:
        raise AdversarialError(str(error)) from error
    if notes.get("form") != FORM or set(notes) != set(NOTES):
        raise AdversarialError(
            f"{path} holds no adversarial images of this toolkit: expected a file that "
            "robustness-proxies attack --save-adversarial wrote"
        )
    _check_tensors(tensors, path)
    seed, epsilon, settings = (
        parse_json(notes[name], f"{path}, {name}", AdversarialError)
        for name in ("seed", "epsilon", "settings")
    )
    whole = isinstance(settings, dict) and (seed is None or type(seed) is int)
    if not whole or not EPSILON.holds(epsilon):
        raise AdversarialError(f"{path}: seed, ε or settings are not what a result has")
    key = RobustnessKey.make(
        notes["network"], notes["init"], seed, notes["images"], notes["measure"], epsilon, settings
    )
    if key.digest != notes["digest"]:
        raise AdversarialError(
            f"{path}: its header says {quoted(notes['digest'], 20)} of a result whose digest is "
            f"{key.digest}: it was changed"
        )
    return Adversarial(
        **{name: tensors[name] for name in KINDS}, network=key.network, init=key.init, seed=seed,
        image_set=key.images, attack=key.measure, epsilon=float(epsilon), settings=settings,
        digest=key.digest,
    )  # fmt: skip


def _check_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    if set(tensors) != set(KINDS):
        raise AdversarialError(
            f"{path}: expected the tensors {', '.join(KINDS)}; got {described(sorted(tensors))}"
        )
    images = tensors["images"]
    for name, (kind, _) in KINDS.items():
        tensor, dims = tensors[name], 4 if name == "images" else 1
        if tensor.dtype != kind or tensor.dim() != dims or len(tensor) != len(images):
            raise AdversarialError(
                f"{path}: {name} is {tensor.dtype} {tuple(tensor.shape)}; expected {kind}, one for "
                "each image"
            )
    if not ((images >= 0) & (images <= 1)).all():  # nor NaN
        raise AdversarialError(f"{path}: expected pixels in [0, 1]; found others")


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
