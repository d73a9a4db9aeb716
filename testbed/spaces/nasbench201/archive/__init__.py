"""Trained networks from the archives of NATS-Bench (topology) and NAS-Bench-201.

They are read lazily, one file for one network, and no pickled code is run: a file that
names more than the official archives do is refused.

Dong and Yang, "NAS-Bench-201", ICLR 2020; Dong, Liu, Musial and Gabrys, "NATS-Bench",
TPAMI 2021.
"""

import os
from pathlib import Path

from testbed.spaces.nasbench201.archive.archive import Archive
from testbed.spaces.nasbench201.archive.datasets import DATASETS, DataSet
from testbed.spaces.nasbench201.archive.detection import find_layout
from testbed.spaces.nasbench201.archive.errors import ArchiveError
from testbed.spaces.nasbench201.archive.record import NetworkConfig, Record
from testbed.spaces.nasbench201.genotype import Genotype

__all__ = [
    "DATASETS",
    "Archive",
    "ArchiveError",
    "DataSet",
    "NetworkConfig",
    "Record",
    "open_archive",
]


def open_archive(path: str | os.PathLike[str]) -> Archive[Genotype]:
    """Return the archive at ``path``; nothing of it is read yet.

    Args:
        path: the folder ``NATS-tss-v1_0-3ffb9-full`` or ``-simple`` (the latter without
            weights), the folder of NAS-Bench-201's ``NNNNNN-FULL.pth``, or the single file
            ``NAS-Bench-201-v1_1-096897.pth`` (without weights, and read whole: 28 GB of
            memory).

    Raises:
        NotAnArchiveError: if it is none of them; the message says what was found.
    """
    return Archive(find_layout(Path(path)))
