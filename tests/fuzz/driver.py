"""Runs inputs of targets in child processes, and collects the faults."""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
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


def feed(name: str, first: int, last: int) -> Outcome:
    """Read the inputs ``first`` to ``last`` - 1 of a target; a child that dies costs one input."""
    outcome, number = Outcome(name), first
    while number < last:
        begun, end = number, ""
        for at, kind, said in _child(name, number, last):
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
    return outcome


def _child(name: str, first: int, last: int) -> Iterator[tuple[int, str, str]]:
    """Yield what a child says, and at last, as ``ended``, how it went."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, tempfile.TemporaryFile() as errors:
        words = [sys.executable, "-m", "tests.fuzz.child", name, str(first), str(last), folder]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = str(ROOT)
        child = subprocess.Popen(
            words, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, env=environment
        )
        try:
            for line in _lines(child):
                try:
                    number, kind, said = json.loads(line)
                except ValueError:  # a reader printed something
                    continue
                yield number, kind, said
        finally:
            child.kill()
            code = child.wait()
        errors.seek(0)
        tail = errors.read()[-1500:].decode("utf-8", "replace")
        yield last, "ended", f"the process ended with {code} (-24: out of time): {tail}"


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
