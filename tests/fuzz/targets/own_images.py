"""A user's own images and the names of a user's own networks."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from testbed import images
from testbed.images.image_set import ImageSet
from testbed.images.own.option import OwnImages
from testbed.sources.own_name import OwnName, own_names
from tests.fuzz.target import Target, as_text
from tests.own_images import picture, save_to_disk, table, write_folder


def _folder(folder: Path) -> list[Path]:
    return [write_folder(folder / "pets", 2)]


def _arrays(folder: Path) -> list[Path]:
    shots = np.stack([picture(row) for row in range(6)])
    np.savez(folder / "a.npz", images=shots, labels=np.arange(6) % 3)
    np.savez_compressed(folder / "b.npz", x=shots / 255, y=np.array(["cat", "dog", "cow"] * 2))
    return [folder / "a.npz", folder / "b.npz"]


def _saved(folder: Path) -> list[Path]:
    return [save_to_disk(folder / "saved", table(range(6)))]


def _parquet(folder: Path) -> list[Path]:
    pq.write_table(table(range(6)), folder / "a.parquet", row_group_size=4)
    return [folder / "a.parquet"]


def _reader(kind: str):
    return lambda path: images.load(f"{kind}:{path}?holdout=2")


def _check(found: ImageSet) -> None:
    pixels = found.images()
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert len(found.mean) == found.shape[0]
    assert set(found.labels.tolist()) <= set(range(found.classes))


def _list(folder: Path) -> list[Path]:
    (folder / "names.txt").write_text("# three\na:f\na:f(depth=3, w=[1, 'x'])\ntimm:resnet18\n")
    return [folder / "names.txt"]


TARGETS = (
    Target("image-folder", _folder, _reader("folder"), _check),
    Target("image-npz", _arrays, _reader("npz"), _check),
    Target("image-arrow", _saved, _reader("hf"), _check),
    Target("image-parquet", _parquet, _reader("hf"), _check),
    Target("network-list", _list, lambda path: own_names(None, path, None)),
    as_text("own-images", ["folder:a?size=32x48&fit=crop", "npz:b?mean=.1,.2,.3&std=1,1,1"],
            OwnImages.parse),
    as_text("own-network", ["a.b:f(depth=3, w=[1, {'x': None}])", "timm:resnet18?pretrained"],
            OwnName.parse, lambda name: OwnName.parse(str(name))),
)  # fmt: skip
