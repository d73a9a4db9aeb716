"""A user's own images in every form, small: written for tests as their users write them."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

CLASSES = ("bird", "cat", "dog")


def picture(seed: int, size: tuple[int, int] = (8, 8), channels: int = 3) -> np.ndarray:
    """Return (H, W, 3) or (H, W) grey levels."""
    shape = (*size, 3) if channels == 3 else size
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def png(array: np.ndarray) -> bytes:
    """Return an array as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def write_folder(root: Path, each: int = 10, size: tuple[int, int] = (8, 8)) -> Path:
    """Write class folders of PNGs, and return the root."""
    for label, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for number in range(each):
            content = png(picture(100 * label + number, size))
            (root / name / f"{number:02d}.png").write_bytes(content)
    return root


def table(rows: range, names: tuple[str, ...] = CLASSES) -> pa.Table:
    """Return images and labels as Hugging Face's ``datasets`` keeps them."""
    labels = [row % 3 for row in rows]
    images = [{"bytes": png(picture(100 * (row % 3) + row // 3)), "path": None} for row in rows]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    columns = {"image": pa.array(images, kind), "label": pa.array(labels, pa.int64())}
    info = {"info": {"features": features(names)}}
    return pa.table(columns).replace_schema_metadata({"huggingface": json.dumps(info)})


def features(names: tuple[str, ...] = CLASSES) -> dict:
    """Return the features of `table`, as its metadata have them."""
    return {
        "image": {"_type": "Image"},
        "label": {"names": list(names), "_type": "ClassLabel"},
    }


def save_to_disk(folder: Path, content: pa.Table, shards: int = 2) -> Path:
    """Write a table as ``Dataset.save_to_disk`` does."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05d}-of-{shards:05d}.arrow" for i in range(shards)]
    step = -(-len(content) // shards)
    for place, name in enumerate(names):
        part = content.slice(place * step, step)
        with pa.ipc.new_stream(str(folder / name), part.schema) as file:
            file.write_table(part, max_chunksize=4)
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features()}))
    return folder


def write_hub(folder: Path, train: pa.Table, test: pa.Table) -> Path:
    """Write Parquet shards as the hub has them."""
    (folder / "data").mkdir(parents=True)
    half = len(train) // 2
    parts = {
        "train-00000-of-00002": train.slice(0, half), "train-00001-of-00002": train.slice(half),
        "test-00000-of-00001": test,
    }  # fmt: skip
    for name, part in parts.items():
        pq.write_table(part, folder / "data" / f"{name}.parquet", row_group_size=4)
    return folder
