"""Tensors and settings in files that are replaced as a whole or not at all.

Tensors lie in safetensors files, which hold no code; settings in JSON.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from testbed.basis.errors import ToolkitError
from testbed.basis.foreign_text import described, shown
from testbed.files import strict_json
from testbed.files.replacing import replacing

__all__ = [
    "CheckpointError",
    "fingerprint_of_weights",
    "read_json",
    "read_notes",
    "read_tensors",
    "write_json",
    "write_tensors",
]


class CheckpointError(ToolkitError):
    """A checkpoint that is missing, damaged, or of another network than was asked for."""


def fingerprint_of_weights(weights: Mapping[str, Tensor]) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of a state dict.

    Names, types, shapes and every bit of the content count; order and device do not.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], notes: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file, with texts in its header."""
    content = {name: tensor.contiguous() for name, tensor in tensors.items()}
    # Not save_file, whose files only their owner may read.
    with replacing(path) as temporary:
        temporary.write_bytes(save(content, dict(notes or {})))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, on the CPU.

    Raises:
        CheckpointError: if it is not readable as one.
    """
    try:
        tensors = load_file(path)
    # Of a type that torch lacks, or a place outside the file, it makes nearly any exception.
    except Exception as error:
        raise CheckpointError(f"cannot read weights from {path}: {shown(str(error))}") from error
    return tensors


def read_notes(path: Path) -> dict[str, str]:
    """Return the texts in the header of a safetensors file, without reading the tensors.

    Raises:
        CheckpointError: if it is not readable as one.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            return file.metadata() or {}
    except Exception as error:
        raise CheckpointError(f"cannot read {path}: {shown(str(error))}") from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write settings as JSON."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Return the settings in a JSON file.

    Raises:
        CheckpointError: if it cannot be read or holds no JSON object.
    """
    content = strict_json.read_json(path, CheckpointError)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected an object of JSON; got {described(content)}")
    return content
