"""The loop that runs every long command: what is kept, recorded and said of it."""

import io
import pickle
from typing import ClassVar

import pytest
import torch
import typer
from rich.console import Console

from evaluation.robustness.job import MeasuringJob
from evaluation.robustness.pieces import Collection, Measure, Part, Piece
from evaluation.search.job import SearchJob
from proxies.job import ScoringJob
from testbed.command.job import INTERRUPTED, Execution, Words, run_job
from testbed.store import ScoreKey, ScoreRow, Store
from testbed.train.job import TrainingJob

EXECUTION = Execution("toys")


class Halves:
    """Halves numbers; odd ones fail, 13 is interrupted, and 8 is kept in part."""

    words: ClassVar[Words] = Words("halving", "numbers", "All is halved.")

    def tasks(self, count):
        return list(range(count))

    def __call__(self, number):
        if number == 13:
            raise KeyboardInterrupt
        if number % 2:
            raise ValueError("odd")
        return number // 2

    def name(self, number):
        return f"number {number}"

    def save(self, place, run, number, half):
        if isinstance(place, Store):
            place.save(run, [ScoreRow(ScoreKey(str(number), "half"), half)])
        else:
            place[number] = half
        return {"its sign": "lost"} if number == 8 else {}

    def wanted(self, number):
        return True

    def fail(self, place, run, number, outcome):
        return ()


def run(tasks, place, execution=EXECUTION):
    text = io.StringIO()
    console = Console(file=text, width=200)
    return run_job(Halves(), tasks, place, execution, console), text, console


def test_what_fails_is_named_and_the_others_are_kept(tmp_path, capsys):
    kept = {}
    ending, _, console = run([2, 3, 8], kept)
    assert kept == {2: 1, 8: 4}
    assert (ending.left, ending.status) == (0, "failed")
    assert ending.failed == [("number 3", "ValueError: odd"), ("number 8, its sign", "lost")]
    with pytest.raises(typer.Exit) as ended:
        ending.report(console, tmp_path)
    assert ended.value.exit_code == 1
    assert "2 numbers failed; the others are in" in capsys.readouterr().err


def test_a_strict_run_ends_with_the_first_failure():
    kept = {}
    ending, _, _ = run([2, 3, 4], kept, Execution("toys", strict=True))
    assert kept == {2: 1}
    assert ending.left == 1


def test_nothing_left_is_said_and_no_run_is_recorded(tmp_path):
    with Store(tmp_path / "a.db") as store:
        ending, text, _ = run([], store)
        assert len(store.runs()) == 0
    assert text.getvalue() == "All is halved.\n"
    assert ending.status == "done"


@pytest.mark.parametrize(
    ("tasks", "status", "saved"),
    [([2, 4], "done", 2), ([3, 4], "failed", 1), ([2, 13, 4], "interrupted", 1)],
)
def test_a_store_knows_how_a_run_ended(tmp_path, tasks, status, saved):
    with Store(tmp_path / "a.db") as store:
        ending, _, console = run(tasks, store)
        assert len(store.scores()) == saved
        (record,) = store.runs().to_dict("records")
    assert record["status"] == ending.status == status
    assert record["command"].startswith("python -m toys")
    if status == "interrupted":
        assert ending.left == 2
        with pytest.raises(typer.Exit) as ended:
            ending.report(console, tmp_path)
        assert ended.value.exit_code == INTERRUPTED


def test_a_result_that_cannot_be_saved_ends_the_run_as_failed(tmp_path):
    with Store(tmp_path / "a.db") as store:
        run([2], store)
        store._connection.execute("UPDATE scores SET value = 7")
        with pytest.raises(Exception, match="depend on its key alone"):
            run([2], store)
        assert store.runs()["status"].tolist() == ["done", "failed"]


@pytest.mark.parametrize("job", [ScoringJob, MeasuringJob, TrainingJob, SearchJob])
def test_the_four_long_commands_are_jobs(job):
    assert isinstance(job.words, Words)
    for method in ("tasks", "__call__", "name", "save", "wanted", "fail"):
        assert callable(vars(job)[method])


def test_parts_join_in_order_and_stay_in_their_process():
    clean, collection = Measure("clean", (None,)), Collection()
    parts = [Part([], [str(start)], torch.ones(2)) for start in (0, 2)]
    assert collection.add(Piece("n", 0, clean, 2, 4), parts[1], 4) == []
    assert collection.add(Piece("m", 0, clean, 0, 2), parts[0], 4) == []
    assert pickle.loads(pickle.dumps(collection)).parts == {}
    assert collection.add(Piece("n", 0, clean, 0, 2), parts[0], 4) == parts
    assert list(collection.parts) == [("m", 0, "clean")]


def test_an_engine_can_know_how_many_tasks_there_are(monkeypatch):
    from testbed.command import job

    counts, before = [], job.engine.run

    def noted(function, items, **how):
        counts.append(len(items))
        return before(function, items, **how)

    monkeypatch.setattr(job.engine, "run", noted)
    kept = {}
    run([2, 4, 6], kept)
    assert counts == [3]
    assert kept == {2: 1, 4: 2, 6: 3}
