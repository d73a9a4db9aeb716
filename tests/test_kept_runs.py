"""An interrupted search of a truth goes on from the runs that are over."""

import contextlib
import math

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation.search.base import Query
from evaluation.search.candidates import default_candidates
from evaluation.search.command import app
from evaluation.search.job import SearchJob, Task
from evaluation.search.kept_runs import NAME, kept_runs
from evaluation.search.objectives import Tabular
from testbed.command.shell import INTERRUPTED
from tests.thorough import some
from tests.truth_folder import write_truth

WORDS = ["--algorithm", "random,local", "--queries", "12", "--runs", "3"]


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return write_truth(tmp_path_factory.mktemp("search") / "truth")


@pytest.fixture
def searched(monkeypatch):
    """Return the runs that are searched; the fifth is interrupted."""
    calls, plain = [], SearchJob.__call__

    def call(self, task):
        calls.append(task)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return plain(self, task)

    monkeypatch.setattr(SearchJob, "__call__", call)
    return calls


def invoke(truth, folder, *words):
    arguments = ["--truth", str(truth), "--workers", "1", *WORDS, *words]
    kept = ["--out", str(folder), "--format", "csv"] if folder else []
    return CliRunner().invoke(app, arguments + kept)


def found(folder):
    return pd.read_csv(folder / "trajectories.csv").drop(columns="seconds")


def test_what_is_over_is_not_searched_again(truth, tmp_path, searched):
    interrupted = invoke(truth, tmp_path / "a")
    assert interrupted.exit_code == INTERRUPTED
    assert interrupted.output.endswith("interrupted; the same command goes on from here\n")
    with (tmp_path / "a" / NAME).open("a") as file:
        file.write('[["random", null, 2], [[3, 0.')  # as a killed process leaves it
    assert invoke(truth, tmp_path / "a").exit_code == 0
    assert len(searched) == 5 + 2
    assert not (tmp_path / "a" / NAME).exists()
    assert invoke(truth, tmp_path / "b").exit_code == 0
    pd.testing.assert_frame_equal(found(tmp_path / "a"), found(tmp_path / "b"))


OTHERS = [["--queries", "11"], ["--seed", "1"], ["--objective", "clean"]]


@pytest.mark.parametrize("words", some(OTHERS, 1))
def test_runs_of_anything_else_are_not_taken(truth, tmp_path, searched, words):
    assert invoke(truth, tmp_path).exit_code == INTERRUPTED
    assert invoke(truth, tmp_path, *words).exit_code == 0
    assert len(searched) == 5 + 6


ALTERED = [
    "[" * 10_000, '{"a": 1}', '[["random", null, 0], []]', '[["random", null, 0], [["x", 0.5, 1]]]',
    '[["random", null, 0], [[0, "x", 1]]]', '[["random", null, 0], [[99999999, 0.5, 1]]]',
    '[["random", null, 0], [[0.0, 0.5, 1]]]', '[[["random"], null, 0], [[0, 0.5, 1]]]',
]  # fmt: skip


def test_lines_that_are_no_runs_and_files_of_anything_else_are_passed_over(tmp_path):
    values = np.zeros((len(default_candidates().labels), 1))
    job, run = SearchJob(Tabular(("clean",), values), 2), Task("random", None, 0)
    first, second, *_ = default_candidates().space.pool
    trajectory = [Query(first, 0.5, 1.0), Query(second, math.nan, 2.0)]

    def found(content=None):
        if content is not None:
            (tmp_path / NAME).write_bytes(content)
        with contextlib.suppress(KeyboardInterrupt), kept_runs(job, tmp_path) as done:
            return dict(done)

    with contextlib.suppress(KeyboardInterrupt), kept_runs(job, tmp_path) as done:
        done[run] = trajectory
        raise KeyboardInterrupt
    head, line = (tmp_path / NAME).read_text().splitlines()
    assert repr(found("\n".join([head, *ALTERED, line]).encode())) == repr({run: trajectory})
    for altered in ALTERED:
        assert found(f"{head}\n{altered}\n".encode()) == {}, altered[:50]
    for content in (b"", b"\xff\xfe", b"[" * 10_000 + b"\n"):
        assert found(content) == {}


def test_more_runs_go_on_from_fewer(truth, tmp_path, searched):
    assert invoke(truth, tmp_path).exit_code == INTERRUPTED
    assert invoke(truth, tmp_path, "--runs", "4").exit_code == 0
    assert len(searched) == 5 + 4


def test_without_a_folder_the_message_says_what_would_keep_them(truth, searched):
    interrupted = invoke(truth, None)
    assert interrupted.exit_code == INTERRUPTED
    assert interrupted.output.endswith("interrupted; with --out FOLDER it could go on\n")
