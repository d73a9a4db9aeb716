"""Ctrl-C, a cluster's SIGTERM, a terminal that hangs up: they end a command quietly, at any moment.

Python's own way is an exception wherever the process happens to be: in the import of a library,
which makes something else of it; between the start of a process and the note that it was started.

This module imports what the interpreter has loaded by itself, and no more: it comes first.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType
    from typing import Any

__all__ = ["bounded", "check", "exit_code", "held", "something_to_lose", "watch"]

PACKAGES = ("testbed", "proxies", "evaluation")
PROGRAM = "robustness-proxies"
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
PATIENCE = 1.0  # seconds: a signal that comes later than that after the first ends at once
AGAIN = 0.02  # seconds to the next look whether an import is over


class _State:
    watching = False
    number: int | None = None  # of the first signal
    since = 0.0
    inside = False  # the shell, which makes an exit code of a KeyboardInterrupt
    to_lose = False
    holds = 0
    pending = False
    before: dict[int, Any] = {}  # noqa: RUF012 - there is one state
    hook: Any = None


_state = _State()


def watch(always: bool = False) -> None:
    """Take over the signals that end a program, where this one is a command of the toolkit.

    A signal that is ignored stays so: of ``nohup``, or of a job in a shell's background.

    Args:
        always: whatever the program is.
    """
    command = _is_command(sys.orig_argv)
    if _state.watching or not (always or command):
        return
    for name in SIGNALS:
        number = getattr(signal, name, None)
        before = None if number is None else signal.getsignal(number)
        if number is not None and before is not signal.SIG_IGN:
            try:
                signal.signal(number, _arrived)
            except ValueError:  # not the main thread
                return
            if not command:  # a program that calls one, and goes on
                _state.before[number] = before
    _state.watching = True
    if command:
        atexit.register(_let_it_end)
    hook = sys.unraisablehook
    _state.hook = hook

    def unraisable(fault: Any) -> None:
        # Raised in a destructor, say, from where it reaches nobody.
        if issubclass(fault.exc_type, KeyboardInterrupt) and _state.number is not None:
            _raise_later()
        else:
            hook(fault)

    sys.unraisablehook = unraisable


def exit_code() -> int | None:
    """Return 128 plus the number of the signal that came; None if none did."""
    return None if _state.number is None else 128 + _state.number


def check() -> None:
    """Raise KeyboardInterrupt if a signal came: a library may have made another error of it."""
    if _state.number is not None and not _state.holds:
        raise KeyboardInterrupt


def something_to_lose() -> None:
    """Say that from now on a process that just ends would leave things in disorder."""
    _state.to_lose = True


@contextmanager
def bounded() -> Iterator[None]:
    """Raise KeyboardInterrupt within the block; before and after it a signal ends the process."""
    _state.number, _state.pending, _state.inside = None, False, True
    _shield_the_tracker()
    try:
        yield
    finally:
        _state.inside = False
        if _state.before:
            _give_back()


def _give_back() -> None:
    for number, handler in _state.before.items():
        signal.signal(number, handler)
    _state.before.clear()
    sys.unraisablehook = _state.hook
    _state.watching = False


def _shield_the_tracker() -> None:
    """Let the process that cleans up after Python's processes outlive a hang-up, too.

    It is started with the signals blocked that it ignores, which are SIGINT and SIGTERM; without
    it, the end of the program is a page of warnings.
    """
    from multiprocessing import resource_tracker as tracker

    ignored = getattr(tracker, "_IGNORED_SIGNALS", None)
    if isinstance(ignored, tuple) and hasattr(signal, "SIGHUP") and signal.SIGHUP not in ignored:
        tracker._IGNORED_SIGNALS = (*ignored, signal.SIGHUP)  # type: ignore[attr-defined]


@contextmanager
def held() -> Iterator[None]:
    """Let signals wait for the end of the block, which is short and must not be done by half."""
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.holds += 1
    try:
        yield
    finally:
        _state.holds -= 1
        if _state.pending and not _state.holds:
            _state.pending = False
            raise KeyboardInterrupt


def _is_command(words: Sequence[str]) -> bool:
    """Say whether an interpreter was started as a command, not a user's script or a worker."""
    place = 1
    while place < len(words):
        word = words[place]
        if word.startswith("-m"):
            module = word[2:] or next(iter(words[place + 1 :]), "")
            return module.partition(".")[0] in PACKAGES
        if word == "-c" or not word.startswith("-"):
            return os.path.splitext(os.path.basename(word))[0] == PROGRAM
        place += 2 if word in ("-W", "-X") else 1
    return False


def _let_it_end() -> None:
    """Ignore signals while the interpreter takes itself apart: all is done, and it has no handlers.

    It would give them back their default, which is to die of them.
    """
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is _arrived:
            signal.signal(number, signal.SIG_IGN)


def _arrived(number: int, frame: FrameType | None) -> None:
    first = _state.number is None
    if first:
        _state.number, _state.since = number, time.monotonic()
    # Of a group of processes one may hand on what all were sent: that is no second wish.
    elif time.monotonic() - _state.since < PATIENCE:
        return
    if not first or not _state.inside or (_importing(frame) and not _state.to_lose):
        os._exit(128 + number)
    _interrupt(frame)


def _interrupt(frame: FrameType | None) -> None:
    if _state.holds:
        _state.pending = True
    elif _importing(frame) and hasattr(signal, "setitimer"):
        _raise_later()
    else:
        raise KeyboardInterrupt


def _raise_later() -> None:
    signal.signal(signal.SIGALRM, lambda number, frame: _interrupt(frame))
    signal.setitimer(signal.ITIMER_REAL, AGAIN)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
