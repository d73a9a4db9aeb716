"""Which columns of a Hugging Face data set hold images and labels, and the names of its classes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
from numpy.typing import NDArray

from testbed.basis.foreign_text import described, quoted
from testbed.files.strict_json import parse_json, read_json
from testbed.images.errors import DataFileError
from testbed.images.own.option import OwnImages

__all__ = ["features_of", "image_column", "label_column", "numbered"]

LABEL_WORDS = ("label", "labels", "target", "class", "fine_label")
_Features = Mapping[str, Mapping[str, Any]]


def features_of(schema: pa.Schema, path: Path) -> _Features:
    """Return the features beside the file, or in its schema; none where there are none."""
    text = (schema.metadata or {}).get(b"huggingface")
    info: Any = None
    if (path.parent / "dataset_info.json").is_file():  # what load_from_disk goes by
        info = read_json(path.parent / "dataset_info.json", DataFileError)
    elif text is not None:
        content = parse_json(text.decode("utf-8", "replace"), f"{path}", DataFileError)
        info = content.get("info") if isinstance(content, dict) else None
    features = info.get("features") if isinstance(info, dict) else None
    if not isinstance(features, dict):
        return {}
    return {name: value for name, value in features.items() if isinstance(value, dict)}


def image_column(option: OwnImages, features: _Features, schema: pa.Schema, path: Path) -> str:
    """Return the name of the column of images."""
    there = [name for name in schema.names if features.get(name, {}).get("_type") == "Image"]
    there = there or [name for name in schema.names if _holds_images(schema.field(name).type)]
    name = _one(option.image, there, schema, path, "image")
    if not _holds_images(schema.field(name).type):
        raise DataFileError(
            f"{path}: column {quoted(name)} is {schema.field(name).type}; expected images, a "
            "struct of bytes and path"
        )
    return name


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _is_bytes(kind.field(place).type)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def label_column(
    option: OwnImages, features: _Features, schema: pa.Schema, path: Path
) -> tuple[str, tuple[str, ...] | None]:
    """Return the name of the column of labels, and those of the classes where they have any."""
    kinds = {name: features.get(name, {}).get("_type") for name in schema.names}
    there = [name for name, kind in kinds.items() if kind == "ClassLabel"]
    there = there or [name for name in LABEL_WORDS if name in schema.names]
    name = _one(option.label, there, schema, path, "label")
    names = features.get(name, {}).get("names") if kinds[name] == "ClassLabel" else None
    if names is None:
        return name, None
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise DataFileError(f"{path}: names of {quoted(name)} are a list of text; got "
                            f"{described(names)}")  # fmt: skip
    return name, tuple(names)


def _one(asked: str | None, there: list[str], schema: pa.Schema, path: Path, what: str) -> str:
    """Return the column that was asked for, or the only one there is."""
    if asked is not None and schema.names.count(asked) == 1:
        return asked
    if asked is None and len(there) == 1:
        return there[0]
    known = ", ".join(quoted(name, 40) for name in schema.names[:12])
    wanted = (
        f"no column {quoted(asked)}" if asked is not None else f"{len(there)} columns of {what}s"
    )
    raise DataFileError(f"{path}: {wanted}; name one of {known} with {what}=")


def numbered(
    path: Path, raw: Mapping[str, list[pa.ChunkedArray]], names: tuple[str, ...] | None
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Return labels from 0, and the names of the classes in the order of these."""
    values = {s: [v for part in parts for v in part.to_pylist()] for s, parts in raw.items()}
    every = [value for found in values.values() for value in found]
    if names is None and every and all(isinstance(value, str) for value in every):
        names = tuple(sorted(set(every)))
        places = {name: place for place, name in enumerate(names)}
        values = {split: [places[v] for v in found] for split, found in values.items()}
    wrong = [v for found in values.values() for v in found if type(v) is not int or v < 0]
    if wrong:
        raise DataFileError(
            f"{path}: expected a label from 0 for each image; got {described(wrong[0])} "
            f"({len(wrong)} such of {len(every)}; -1 stands for an unknown one)"
        )
    high = max((v for found in values.values() for v in found), default=-1)
    if names is None:
        names = tuple(map(str, range(min(high, 10**6) + 1)))
    if high >= len(names) or len(names) < 2:
        raise DataFileError(f"{path}: labels up to {high}, of {len(names)} classes")
    return {s: np.array(found, dtype=np.int64) for s, found in values.items()}, names
