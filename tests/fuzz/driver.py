"""Runs inputs of targets in child processes, and collects the faults."""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Outcome", "feed"]

ROOT = Path(__file__).resolve().parents[2]
HANGS = 60  # seconds of wall time without a word, on a machine that does other things too


@dataclass
class Outcome:
    """What came of the inputs of one target.

    Attributes:
        name: of the target.
        counts: of ``read``, ``refused`` and ``fault``.
        faults: (number of the input, what was wrong with it).
    """

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def note(self, number: int, kind: str, said: str) -> None:
        """Count what came of one input."""
        self.counts[kind] += 1
        if kind == "fault":
            self.faults.append((number, said))


def feed(names: Sequence[str], first: int, last: int) -> Iterator[Outcome]:
    """Read the inputs ``first`` to ``last`` - 1 of targets, and yield each when it is done.

    One child reads them all, for it takes seconds to import the readers; one that dies costs one
    input.
    """
    left = list(names)
    outcome, number = Outcome(left[0]), first
    while left:
        begun, end = number, ""
        for name, at, kind, said in _child(left, number, first, last):
            while name != outcome.name:
                yield outcome
                outcome, number, begun = Outcome(left[1]), first, first
                del left[0]
            if kind == "begun":
                begun = at
            elif kind == "ended":
                end = said
            else:
                outcome.note(at, kind, said)
                number = at + 1
        if number < last:
            outcome.note(begun, "fault", end)
            number = begun + 1
        if number >= last:
            yield outcome
            del left[0]
            if left:
                outcome, number = Outcome(left[0]), first


def _child(
    names: Sequence[str], number: int, first: int, last: int
) -> Iterator[tuple[str, int, str, str]]:
    """Yield what a child says, which begins with an input of the first target.

    At last comes, as ``ended`` of the target that it was at, how it went.
    """
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, tempfile.TemporaryFile() as errors:
        words = [sys.executable, "-m", "tests.fuzz.child", *map(str, (number, first, last))]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = str(ROOT)
        child = subprocess.Popen(
            [*words, folder, *names], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors,
            env=environment,
        )  # fmt: skip
        name = names[0]
        try:
            for line in _lines(child):
                try:
                    name, at, kind, said = json.loads(line)
                except ValueError:  # a reader printed something
                    continue
                yield name, at, kind, said
        finally:
            child.kill()
            code = child.wait()
        errors.seek(0)
        tail = errors.read()[-1500:].decode("utf-8", "replace")
        yield name, last, "ended", f"the process ended with {code} (-24: out of time): {tail}"


def _lines(child: subprocess.Popen) -> Iterator[bytes]:
    assert child.stdout is not None
    with child.stdout as pipe:
        rest = b""
        # Not readline, behind whose buffer `select` sees nothing.
        while select.select([pipe], [], [], HANGS)[0]:
            part = os.read(pipe.fileno(), 2**16)
            if not part:
                return
            *lines, rest = (rest + part).split(b"\n")
            yield from lines
