"""A function that reaches a worker once, whatever it holds; with each item goes a word for it.

A job holds a batch, or all images of a data set: tens of megabytes that a queue would pickle
again for each of thousands of items.
"""

import os
import pickle
import platform
import sys
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from testbed.basis.version import __version__
from testbed.engine.outcome import EngineError, attempt, failure

__all__ = ["Origin", "Parcel", "Word", "forget", "receive", "work"]

Item = TypeVar("Item")
Value = TypeVar("Value")

_arrived: dict[str, Callable[[], "Parcel"]] = {}
_opened: dict[str, Callable[[Any], Any]] = {}
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Word(Generic[Item, Value]):
    """What stands for a function whose parcel has arrived; called, it calls the function."""

    token: str

    def __call__(self, item: Item) -> Value:
        """Return the function's value.

        Raises:
            EngineError: if the parcel did not reach this process, or cannot be used here.
        """
        return self.unpack()(item)

    def unpack(self) -> Callable[[Item], Value]:
        """Return the function; its parcel is opened the first time.

        Raises:
            EngineError: if the parcel did not reach this process, or cannot be used here.
        """
        if self.token not in _opened:
            if self.token not in _arrived:
                raise EngineError("the job of this item did not reach the worker")
            _opened[self.token] = _arrived[self.token]().open()
        return _opened[self.token]


def _versions() -> dict[str, str]:
    python = ".".join(platform.python_version_tuple()[:2])
    return {
        "robustness-proxies": __version__, "Python": python,
        "torch": str(torch.__version__), "numpy": np.__version__,
    }  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Where a function comes from, so that it finds in a far process what it finds at home.

    Attributes:
        folder: current, which relative paths begin in.
        path: of Python's modules.
        versions: of what scores depend on.
    """

    folder: str = field(default_factory=os.getcwd)
    path: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))
    versions: dict[str, str] = field(default_factory=_versions)

    def settle(self) -> None:
        """Make this process like the one of origin.

        Raises:
            EngineError: if the folder is not there, or another version would compute the scores.
        """
        here = _versions()
        other = [
            f"{name} {here[name]} and not {version}"
            for name, version in self.versions.items()
            if here[name] != version
        ]
        if other:
            raise EngineError(
                f"the worker on {platform.node()} has {', '.join(other)}: its scores might differ; "
                "install the same versions there"
            )
        try:
            if os.getcwd() != self.folder:
                os.chdir(self.folder)
        except OSError as error:
            raise EngineError(
                f"the worker on {platform.node()} cannot enter {self.folder} ({error.strerror}): "
                "all machines have to see the folder that the command is called in"
            ) from error
        sys.path.extend(entry for entry in self.path if entry not in sys.path)


@dataclass(frozen=True)
class Parcel:
    """A pickled function.

    Attributes:
        token: that is its own.
        data: the pickle.
        origin: None where the process is a child of the function's.
    """

    token: str
    data: bytes = field(repr=False)
    origin: Origin | None = None

    @staticmethod
    def of(function: Callable[..., Any], origin: Origin | None = None) -> "Parcel":
        """Pack a function.

        Raises:
            EngineError: if it cannot be pickled.
        """
        try:
            return Parcel(uuid.uuid4().hex, pickle.dumps(function), origin)
        except Exception as error:
            raise EngineError(
                f"{function!r} cannot be sent to another process ({error}): define it at the top "
                "level of a module, or use one worker"
            ) from error

    @property
    def word(self) -> Word[Any, Any]:
        """What stands for the function."""
        return Word(self.token)

    def open(self) -> Callable[[Any], Any]:
        """Return the function."""
        if self.origin is not None:
            self.origin.settle()
        return pickle.loads(self.data)


def receive(token: str, parcel: Callable[[], Parcel]) -> None:
    """Note how a parcel is got at; it is opened when the first item asks for it."""
    _arrived[token] = parcel


def forget(token: str) -> None:
    """Let a parcel go, and the function that was in it."""
    _arrived.pop(token, None)
    _opened.pop(token, None)


def work(word: Word[Any, Any], packed: bytes, threads: int) -> bytes:
    """Return the pickled outcome of a pickled item, in a process that may have several threads.

    One item at a time: torch's global generator and its number of threads are of the process.
    """
    with _one_at_a_time:
        outcome = attempt(_unpacking(word), packed, threads)
    try:
        return pickle.dumps(outcome)
    except Exception as error:
        return pickle.dumps(failure(error))


def _unpacking(word: Word[Any, Any]) -> Callable[[bytes], Any]:
    return lambda packed: word(pickle.loads(packed))
