"""Folders of trained networks joined to one: those of shards, of one recipe and image set."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from testbed.files.replacing import replacing
from testbed.train.checkpoint_files import CheckpointError, read_json
from testbed.train.failures import FAILED, forget
from testbed.train.folder import DESCRIPTION, claim, compare
from testbed.train.job import is_finished
from testbed.train.unfinished import SUFFIX

__all__ = ["merge_folders"]

WEIGHTS = ".safetensors"


def merge_folders(sources: Sequence[Path], out: Path) -> int:
    """Copy the trained networks of folders into another; return how many are new.

    What a source did not finish comes along too, and is taken up in the new folder.

    Args:
        sources: folders that `testbed.train` wrote, at least one.
        out: such a folder, or one that is made.

    Raises:
        CheckpointError: if a folder is none of trained networks, or of another recipe or other
            images, or holds a network with other weights than another; nothing is copied then.
        StoreError: if a process trains into ``out``.
    """
    for source in sources:
        if not (source / DESCRIPTION).is_file():
            raise CheckpointError(f"{source} holds no trained networks: it has no {DESCRIPTION}")
    there = out if (out / DESCRIPTION).is_file() else sources[0]
    settings = read_json(there / DESCRIPTION)
    for source in sources:
        compare(source, read_json(source / DESCRIPTION), settings)
    _refuse_conflicts([out, *sources])
    with claim(out, settings):
        new = sum(_copy(path, out / path.name) for source in sources for path in _trained(source))
        for source in sources:
            _copy_unfinished(source, out)
    return new


def _trained(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob(f"*{WEIGHTS}")) if is_finished(path)]


def _refuse_conflicts(folders: Iterable[Path]) -> None:
    found: dict[str, tuple[Path, object]] = {}
    for folder in folders:
        for path in _trained(folder):
            mark = read_json(path.with_suffix(".json")).get("weights_fingerprint")
            where, before = found.setdefault(path.name, (folder, mark))
            if mark != before:
                raise CheckpointError(
                    f"{path.stem} has other weights in {folder} than in {where}: trained on "
                    "another kind of machine, or by other code; leave one of them out"
                )


def _copy(path: Path, target: Path) -> bool:
    """Copy a trained network, its settings last; return whether it was new."""
    if is_finished(target):
        return False
    for end in (WEIGHTS, ".json"):
        _copy_file(path.with_suffix(end), target.with_suffix(end))
    target.with_suffix(SUFFIX).unlink(missing_ok=True)
    forget(target)
    return True


def _copy_unfinished(source: Path, out: Path) -> None:
    for end in (SUFFIX, FAILED):
        for path in sorted(source.glob(f"*{end}")):
            target = out / path.name
            if not target.exists() and not is_finished(target.with_suffix(WEIGHTS)):
                _copy_file(path, target)


def _copy_file(path: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(path, temporary)
