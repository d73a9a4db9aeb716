"""The readers of binary files: pickles of images, archives, plain arrays, checkpoints."""

import bz2
import pickle
from pathlib import Path
from random import Random

import numpy as np
import torch

from testbed import images
from testbed.images import ImageSet
from testbed.images.corrupted import load_corrupted
from testbed.spaces.nasbench201.archive import Record, open_archive
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.size.archive import open_archive as open_size_archive
from testbed.spaces.size.genotype import Genotype as SizeGenotype
from testbed.train.checkpoint_files import fingerprint_of_weights
from testbed.train.checkpoints import Checkpoint, save_checkpoint, trained_network
from testbed.train.recipe import PRESETS
from tests import archive_writer, size_archive_writer
from tests.bombs import PICKLES
from tests.fuzz.target import Target
from tests.fuzz.targets.settings import IMAGES

__all__ = ["TARGETS", "packed"]

INDEX = 11
SIZE_NAME = "8:8:8:16:32"


def _bomb(random: Random, content: bytes) -> bytes:
    return random.choice(list(PICKLES.values()))


def packed(random: Random, content: bytes) -> bytes:
    """Put a fault into what a bz2 file holds."""
    raw = bytearray(bz2.decompress(content))
    if random.random() < 0.2:
        return bz2.compress(_bomb(random, content))
    for _ in range(random.choice((1, 1, 4))):
        raw[random.randrange(len(raw))] = random.choice((0, 1, 40, 46, 82, 113, 134, 148, 255))
    return bz2.compress(bytes(raw))


def _batch(folder: Path) -> list[Path]:
    home = folder / "cifar-10-batches-py"
    home.mkdir()
    data = np.arange(4 * 3072, dtype=np.int64).astype(np.uint8).reshape(4, 3072)
    content = {b"data": data, b"labels": [0, 3, 9, 3], b"filenames": [b"a.png"] * 4}
    (home / "test_batch").write_bytes(pickle.dumps(content, 2))
    return [home]


def _check_images(found: ImageSet) -> None:
    assert found.labels.dtype == torch.int64
    assert 0 <= int(found.labels.min()) <= int(found.labels.max()) < found.classes


def _nats(folder: Path) -> list[Path]:
    archive_writer.write_nats(folder / "nats", INDEX)
    return [folder / "nats"]


def _size(folder: Path) -> list[Path]:
    size_archive_writer.write(folder / "size", SIZE_NAME)
    return [folder / "size"]


def _read_size(path: Path) -> Record:
    archive, genotype = open_size_archive(path), SizeGenotype.parse(SIZE_NAME)
    archive.seeds(genotype)
    archive.network(genotype)
    return archive.record(genotype)


def _torch(folder: Path) -> list[Path]:
    archive_writer.write_nasbench201(folder / "legacy", INDEX)
    archive_writer.write_nasbench201(folder / "zip", INDEX, legacy=False)
    return [folder / "legacy", folder / "zip"]


def _read_archive(path: Path) -> Record:
    archive = open_archive(path)
    archive.seeds(INDEX)
    archive.network(INDEX)
    return archive.record(INDEX)


def _check_record(record: Record) -> None:
    assert all(0 <= a <= 100 for curve in record.curves.values() for a in curve.values())
    assert 0 <= record.params < float("inf")
    assert 0 <= record.flop < float("inf")


def _arrays(folder: Path) -> list[Path]:
    home = folder / "CIFAR-10-C"
    home.mkdir()
    np.save(home / "fog.npy", np.zeros((20, 32, 32, 3), np.uint8))
    np.save(home / "labels.npy", np.tile(np.arange(4), 5))
    return [home]


def _header(random: Random, content: bytes) -> bytes:
    place = random.randrange(6, min(len(content), 128))
    word = random.choice((b"\0", b"9", b"-", b"(", b"'", b"}", b",", b"True", b"L", b"\xff", b"O"))
    return content[:place] + word + content[place + random.choice((0, len(word))) :]


def _checkpoint(folder: Path) -> list[Path]:
    genotype = Genotype.from_index(INDEX)
    weights = archive_writer.trained_network(genotype, channels=8, cells=1).state_dict()
    save_checkpoint(
        folder / "trained",
        Checkpoint(
            genotype=str(genotype), seed=0, recipe=PRESETS["tiny"], images=IMAGES,
            classes=10, in_channels=3, mean=(0.5,) * 3, std=(0.2,) * 3,
            history=({"loss": 1.0, "accuracy": 0.5},), test={"accuracy": 0.5, **IMAGES},
            weights_fingerprint=fingerprint_of_weights(weights), provenance={"seconds": 1.0},
        ),
        weights,
    )  # fmt: skip
    return [folder / "trained"]


def _read_checkpoint(path: Path) -> torch.Tensor:
    network = trained_network(path, Genotype.from_index(INDEX), 0)
    with torch.no_grad():
        return network(torch.zeros(1, 3, 8, 8))


def _check_logits(logits: torch.Tensor) -> None:
    assert logits.shape == (1, 10)


TARGETS = (
    Target(
        "cifar-pickle", _batch, lambda path: images.load("cifar10", path, "test"), _check_images,
        (_bomb,),
    ),
    Target("nats", _nats, _read_archive, _check_record, (packed,)),
    Target("nats-size", _size, _read_size, _check_record, (packed,)),
    Target("torch-file", _torch, _read_archive, _check_record, (_bomb,)),
    Target(
        "plain-array", _arrays, lambda path: load_corrupted("cifar10-c", path, "fog", 1),
        _check_images, (_header,),
    ),
    Target("checkpoint", _checkpoint, _read_checkpoint, _check_logits),
)  # fmt: skip
