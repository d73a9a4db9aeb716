"""A progress bar for downloads."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from testbed.basis.terminal import plain_console

__all__ = ["ProgressBar", "progress_bar"]


@contextmanager
def progress_bar(label: str) -> Iterator["ProgressBar"]:
    """Show a progress bar in bytes on standard error while the context lasts."""
    described = TextColumn("{task.description}", markup=False)
    columns = (described, BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=plain_console(stderr=True)) as display:
        yield ProgressBar(display, label)


class ProgressBar:
    """The part of tqdm's interface that pooch uses, drawn by rich.

    Attributes:
        total: the size of the file in bytes; pooch sets it once the server has answered.
    """

    def __init__(self, display: Progress, label: str) -> None:
        self.total = 0
        self._display, self._task = display, display.add_task(label, total=None)

    def update(self, amount: int) -> None:
        """Advance by this many bytes."""
        self._display.update(self._task, advance=amount, total=self.total or None)

    def reset(self) -> None:
        """Go back to the start."""
        self._display.reset(self._task)

    def close(self) -> None:
        """Stop the clock."""
        self._display.stop_task(self._task)
