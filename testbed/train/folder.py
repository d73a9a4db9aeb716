"""A folder of networks with one recipe: the right to write to it, and its progress."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from testbed.basis.foreign_text import described, shown
from testbed.command.console import progress
from testbed.command.job import Count
from testbed.store.lock import WriterLock
from testbed.train.checkpoint_files import CheckpointError, read_json, write_json
from testbed.train.job import PROGRESS, Task, is_finished

__all__ = ["DESCRIPTION", "claim", "compare", "watch"]

DESCRIPTION = "recipe.json"
MOST = 20  # differences that are named
POLL = 1.0  # seconds between two looks at the folder


@contextmanager
def claim(folder: Path, settings: dict[str, Any]) -> Iterator[None]:
    """Hold the right to train into a folder; a new one becomes that of these settings.

    Raises:
        CheckpointError: if the folder belongs to another recipe or other images.
        StoreError: if another process trains into it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / DESCRIPTION
    if path.exists():  # before a lock appears in it
        compare(folder, read_json(path), settings)
    lock = WriterLock(path)
    try:
        if path.exists():
            compare(folder, read_json(path), settings)
        else:
            write_json(path, settings)
        lock.take_file()
        for leftover in folder.glob(".*.tmp"):  # of a process that was killed
            leftover.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def compare(folder: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Raise CheckpointError, naming the differences, if a folder's settings are not these."""
    old, new = _flat(there), _flat(here)
    differences = [
        f"{shown(name, 60)} is {_said(old, name)} there and {_said(new, name)} here"
        for name in {**old, **new}
        if not _same(old.get(name), new.get(name))
    ]
    if differences:
        raise CheckpointError(
            f"{folder} holds networks that were trained otherwise: "
            f"{'; '.join(differences[:MOST])}. Give the options of that folder, or another --out"
        )


def _same(old: Any, new: Any) -> bool:
    return old == new and isinstance(old, bool) == isinstance(new, bool)  # True is 1 to Python


def _said(settings: dict[str, Any], name: str) -> str:
    if name not in settings:
        return "not given"
    value = settings[name]
    return shown(value) if isinstance(value, str) else described(value)


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= {f"{name} {inner}": one for inner, one in _flat(value).items()}
        else:
            flat[name] = value
    return flat


@contextmanager
def watch(
    folder: Path, tasks: Sequence[Task], epochs: int, console: Console
) -> Iterator[Callable[[Count], object]]:
    """Show how many epochs of the tasks are done, and how many networks are trained and failed."""
    paths = [task.path(folder) for task in tasks]
    stop = threading.Event()
    with progress(console, with_status=True) as bar:
        # rich takes no speed from a bar's first step, which is what was done before.
        count = bar.add_task("epochs", total=len(paths) * epochs)
        bar.update(count, completed=_done(paths, epochs))

        def look() -> None:
            while not stop.wait(POLL):
                bar.update(count, completed=_done(paths, epochs))

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield lambda now: bar.update(count, running=now.running, failed=now.failed)
        finally:
            stop.set()
            thread.join()
            bar.update(count, completed=_done(paths, epochs))


def _done(paths: Sequence[Path], epochs: int) -> float:
    return sum(epochs if is_finished(path) else _part(path) for path in paths)


def _part(path: Path) -> float:
    try:
        return float(path.with_suffix(PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not begun, or just being written
        return 0.0
