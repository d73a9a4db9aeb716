"""Loading stored weights into a network, strictly."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from testbed.basis.foreign_text import described, shown
from testbed.spaces.nasbench201.archive.contents import Config
from testbed.spaces.nasbench201.archive.errors import ArchiveFileError
from testbed.spaces.nasbench201.archive.tensors import StoredTensor

__all__ = ["load_network"]


def load_network(genotype: Any, config: Config, stored: Mapping[str, Any], path: Path) -> nn.Module:
    """Return the genotype's network with the stored weights.

    Args:
        genotype: of the network.
        config: the macro-architecture.
        stored: a `StoredTensor` for each parameter and buffer, by name.
        path: the path of the file, for error messages.

    Raises:
        ArchiveFileError: if a tensor is missing, left over, or of another shape or dtype.
    """
    if not isinstance(stored, Mapping):
        raise ArchiveFileError(f"{path}: expected weights by name; got {described(stored)}")
    # Without memory and thus without initial weights, which would be drawn in vain.
    with torch.device("meta"):
        network = config.network(genotype)
    expected = network.state_dict()
    _compare(path, "missing", [name for name in expected if name not in stored])
    _compare(path, "unexpected", [name for name in stored if name not in expected])
    weights = {}
    for name, entry in stored.items():
        if not isinstance(entry, StoredTensor):
            raise ArchiveFileError(f"{path}: {name} is no tensor; got {type(entry).__name__}")
        model = expected[name]
        # Before it is read: what does not fit may be of any size.
        dtype, shape = entry.kind()
        if shape != tuple(model.shape) or dtype != model.dtype:
            raise ArchiveFileError(
                f"{path}: {name} is {dtype} {described(shape)}; "
                f"expected {model.dtype} {tuple(model.shape)}"
            )
        weights[name] = entry.read()
    network.load_state_dict(weights, strict=True, assign=True)
    return network


def _compare(path: Path, what: str, names: list[Any]) -> None:
    if names:
        raise ArchiveFileError(
            f"{path}: the weights are not those of the architecture: {len(names)} {what} "
            f"({', '.join(map(_shown, names[:3]))}{', …' if len(names) > 3 else ''})"
        )


def _shown(name: Any) -> str:
    return shown(name, 60) if isinstance(name, str) else described(name)
