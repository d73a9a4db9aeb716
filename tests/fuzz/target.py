"""What is fed with malformed inputs: a reader, and what its results must satisfy."""

import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from testbed.basis.errors import ToolkitError

__all__ = ["Target", "all_targets", "as_text"]

Mutation = Callable[[Random, bytes], bytes]


def _anything(result: Any) -> None:
    pass


@dataclass(frozen=True)
class Target:
    """A reader, or a parser.

    Attributes:
        name: of the target, without spaces.
        make_seed_files: writes valid inputs into an empty folder and returns their paths, each of
            a file or of a folder of files; the same ones whenever it is called.
        read: reads such a path to the end, and what is lazy in it too.
        check: raises an AssertionError if a result is wrong: out of range, not unique, …
        mutations: ``f(random, content) -> content``, beside those that `tests.fuzz.mutations`
            has for any bytes and for the endings of the files.
        errors: the exceptions that are documented.
        whole: whether the seeds themselves are tried first, and must be read without an error.
    """

    name: str
    make_seed_files: Callable[[Path], Sequence[Path]]
    read: Callable[[Path], Any]
    check: Callable[[Any], None] = _anything
    mutations: Sequence[Mutation] = ()
    errors: tuple[type[BaseException], ...] = (ToolkitError,)
    whole: bool = True


def as_text(
    name: str, seeds: Iterable[str], parse: Callable[[str], Any],
    check: Callable[[Any], None] = _anything,
) -> Target:  # fmt: skip
    """Return the target of a parser of words as a command line has them, without NUL."""
    texts = tuple(seeds)

    def write(folder: Path) -> list[Path]:
        paths = [folder / f"{number}.words" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
        return paths

    def read(path: Path) -> Any:
        return parse(path.read_bytes().decode("utf-8", "surrogateescape").replace("\0", ""))

    return Target(name, write, read, check)


def all_targets() -> dict[str, Target]:
    """Return the targets of all modules of `tests.fuzz.targets`, by name.

    Each module has a tuple ``TARGETS``.
    """
    package = import_module("tests.fuzz.targets")
    found: dict[str, Target] = {}
    for module in sorted(entry.name for entry in pkgutil.iter_modules(package.__path__)):
        for target in import_module(f"{package.__name__}.{module}").TARGETS:
            assert target.name not in found, f"two targets are called {target.name}"
            found[target.name] = target
    return found
