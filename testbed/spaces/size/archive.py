"""Trained networks of NATS-Bench's size space, from its archive: a file for each network.

The files are named and packed as those of the topology space, and read by the same code. The
networks were trained for 1, 12 and 90 epochs (hp ``01``, ``12``, ``90``), with seed 777; for 12
epochs with 888 and 999 too.

Dong, Liu, Musial and Gabrys, "NATS-Bench", IEEE TPAMI 2021.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described
from testbed.spaces.nasbench201.archive.archive import Archive
from testbed.spaces.nasbench201.archive.contents import Contents
from testbed.spaces.nasbench201.archive.detection import find_layout
from testbed.spaces.nasbench201.archive.errors import NotAnArchiveError
from testbed.spaces.nasbench201.archive.layouts import NatsFolder
from testbed.spaces.nasbench201.archive.record import CLASSES, number
from testbed.spaces.size.genotype import Genotype
from testbed.spaces.size.network import CELL, Network

__all__ = ["SIZE_SPACE", "ShapeConfig", "SizeArchive", "open_archive"]


@dataclass(frozen=True)
class ShapeConfig:
    """The macro-architecture: the archives' name, the widths and the number of classes."""

    name: str
    channels: str
    num_classes: int

    @staticmethod
    def of(entries: Mapping[str, Any]) -> "ShapeConfig":
        """Read the ``arch_config`` of a trial; raises what a damaged one makes Python raise."""
        if entries["genotype"] != CELL:
            raise ValueError(f"expected {CELL} as genotype; got {described(entries['genotype'])}")
        if entries["channels"] != entries["arch_str"]:
            raise ValueError(
                f"expected the widths of arch_str as channels; got {described(entries['channels'])}"
            )
        classes = int(number(entries, "class_num", CLASSES))
        return ShapeConfig("infer.shape.tiny", entries["channels"], classes)

    def network(self, genotype: Genotype) -> Network:
        """Return the network of the widths, with fresh weights.

        Raises:
            InputError: if the genotype has other widths.
        """
        if genotype.name != self.channels:
            raise InputError(f"expected a network of {self.channels}; got {genotype}")
        return Network(genotype, self.num_classes)


SIZE_SPACE = Contents(
    "size", Genotype, ShapeConfig.of, ("01", "12", "90"), "NATS-sss-v1_0-50262",
    "the *full* archive NATS-sss-v1_0-50262-full, which has those of hp 12 and 90 "
    "(https://github.com/D-X-Y/NATS-Bench, 'Preparation and Download')",
    "NATS-Bench size",
)  # fmt: skip


class SizeArchive(Archive[Genotype]):
    """The trained networks of the size space's archive; see `Archive`, whose methods it has."""

    contents = SIZE_SPACE


def open_archive(path: str | os.PathLike[str]) -> SizeArchive:
    """Return the archive at ``path``; nothing of it is read yet.

    Args:
        path: the folder ``NATS-sss-v1_0-50262-full`` or ``-simple``, the latter without weights.

    Raises:
        NotAnArchiveError: if it is none; the message says what was found.
    """
    layout = find_layout(Path(path))
    if not isinstance(layout, NatsFolder):
        raise NotAnArchiveError(
            f"{path} is an archive of NAS-Bench-201; expected one of the size space, the folder "
            f"{SIZE_SPACE.folder}-simple or -full with its NNNNNN.pickle.pbz2"
        )
    return SizeArchive(layout)
