"""Which kind of archive a path is."""

from itertools import islice
from pathlib import Path

from testbed.spaces.nasbench201.archive.contents import TOPOLOGY, space_of_content
from testbed.spaces.nasbench201.archive.errors import ArchiveFileError, NotAnArchiveError
from testbed.spaces.nasbench201.archive.layouts import (
    Layout,
    NasBench201Folder,
    NasBench201Single,
    NatsFolder,
)
from testbed.spaces.nasbench201.archive_names import (
    NAS_BENCH_201,
    NATS_BENCH,
    SINGLE,
    archive_files,
)

__all__ = ["find_layout", "space_of_archive"]

KNOWN = (
    "expected the folder NATS-tss-v1_0-3ffb9-simple or -full with its NNNNNN.pickle.pbz2 (or "
    "NATS-sss-v1_0-50262, of the size space), the folder of a NAS-Bench-201 archive with its "
    "NNNNNN-FULL.pth, or the file NAS-Bench-201-v1_1-096897.pth"
)


def find_layout(path: Path) -> Layout:
    """Return the archive's layout; nothing of its files is read but their names.

    Raises:
        NotAnArchiveError: if it is no archive; the message says what was found instead.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise NotAnArchiveError(f"there is no {path}; {KNOWN}")
    if SINGLE.fullmatch(path.name):
        return NasBench201Single(path)
    for title, pattern in (("NATS-Bench", NATS_BENCH), ("NAS-Bench-201", NAS_BENCH_201)):
        if pattern.fullmatch(path.name):
            raise NotAnArchiveError(
                f"{path} is the file of one architecture of a {title} archive; "
                f"give the folder, {path.parent}"
            )
    raise NotAnArchiveError(f"{path} is a file of another kind{_hint(path)}; {KNOWN}")


def space_of_archive(path: Path) -> str:
    """Return the key of the search space that an archive is of; a file is read if need be.

    The two spaces of NATS-Bench name their files alike.

    Raises:
        NotAnArchiveError: as `find_layout` does.
        ArchiveFileError: if the file of NATS-Bench that is looked at is broken, or of neither.
    """
    layout = find_layout(path)
    if not isinstance(layout, NatsFolder):
        return TOPOLOGY.space
    names = (name for name in archive_files(path) if NATS_BENCH.fullmatch(name))
    index = int(next(names).partition(".")[0])
    found = space_of_content(layout.content(index))
    if found is None:
        raise ArchiveFileError(
            f"{layout.file(index)} names no network of NATS-Bench; fetch it again"
        )
    return found[0]


def _folder(path: Path) -> Layout:
    try:
        for name in archive_files(path):
            return (NatsFolder if NATS_BENCH.fullmatch(name) else NasBench201Folder)(path)
        found = sorted(islice((entry.name for entry in path.iterdir()), 1000))
    except OSError as error:
        raise NotAnArchiveError(f"cannot read {path}: {error.strerror or error}") from error
    shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
    raise NotAnArchiveError(f"{path} holds {shown or 'nothing'}; {KNOWN}")


def _hint(path: Path) -> str:
    if ".tar" in path.name:
        return " (unpack it first; of one in parts, join the parts: cat NAME.tar* | tar x)"
    if path.name.endswith(".pickle.pbz2"):
        return " (the single file has no weights and must be read whole: take the folder)"
    return ""
