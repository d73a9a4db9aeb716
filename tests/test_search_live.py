"""A live search in which trainings and measures fail, are late or kill their process."""

import math
import os
import signal
import time

import pandas as pd
import pytest
from torch import nn
from typer.testing import CliRunner

from evaluation.search import findings, live
from evaluation.search.command import app
from testbed.engine.one_by_one import OneByOne
from testbed.spaces import registry
from testbed.store import Store, read_robustness
from testbed.train.job import TrainingJob
from tests.thorough import thorough
from tests.tiny_space import Tiny, TinySpace

LIVE = [
    *("--live", "--space", "tests.tiny_space:TinySpace", "--epochs", "1", "--count", "10"),
    *("--objective", "fgsm@8", "--algorithm", "random", "--queries", "3", "--table", "csv"),
    *("--scores", "scores.csv"),
]
LATE, DEADLY = Tiny(3, 5, 8), Tiny(1, 1, 4)


class HarmfulSpace(TinySpace):
    """A space of which one network sleeps and one kills, but in the process of the command."""

    key = "harmful"

    def build(
        self, genotype: Tiny, *, classes: int = 10, in_channels: int = 3, **sizes: int
    ) -> nn.Module:
        if os.environ.get("COMMAND") != str(os.getpid()):
            if genotype == LATE:
                time.sleep(600)
            if genotype == DEADLY:
                os.kill(os.getpid(), signal.SIGSEGV)
        return super().build(genotype, classes=classes, in_channels=in_channels, **sizes)


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    """Draw no figures, and read few scores of other networks."""
    (tmp_path / "scores.csv").write_text("network,proxy,value\ntiny-1-1-4,norm,1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(findings.output, "write_figures", lambda *_: [])
    yield
    for key in ("tiny", "harmful"):
        registry.forget(key)


def invoke(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "300"})
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def queries(folder) -> pd.Series:
    return pd.read_csv(folder / "trajectories.csv").set_index("network")["value"]


def test_a_training_that_fails_is_left_alone_until_it_is_to_be_tried_again(tmp_path, monkeypatch):
    call, calls = TrainingJob.__call__, []

    def failing(job, task):
        calls.append(task.network)
        if len(calls) == 2:
            raise MemoryError("no room")
        return call(job, task)

    monkeypatch.setattr(TrainingJob, "__call__", failing)
    said = invoke(*LIVE, "--out", tmp_path, code=1)
    assert f"failed: {calls[1]}: MemoryError: no room" in said
    assert f"error: 1 networks failed; the others are in {tmp_path}: --retry-failed" in said
    values = queries(tmp_path)
    assert values.index.tolist() == calls  # the search went on
    assert values.isna().tolist() == [False, True, False]
    assert '"reason": "MemoryError: no room"' in next(tmp_path.rglob("*.failed")).read_text()
    assert statuses(tmp_path) == ["failed"]

    said = invoke(*LIVE, "--out", tmp_path, code=1)
    assert len(calls) == 3
    pd.testing.assert_series_equal(queries(tmp_path), values)
    assert "error: 1 failed in an earlier run: --retry-failed" in said
    assert statuses(tmp_path) == ["failed", "done"]

    invoke(*LIVE, "--out", tmp_path, "--retry-failed")
    assert calls[3:] == [calls[1]]
    assert queries(tmp_path).notna().all()
    assert queries(tmp_path)[values.notna()].equals(values.dropna())
    assert not list(tmp_path.rglob("*.failed"))


def statuses(folder) -> list[str]:
    with Store(folder / "robustness.sqlite", "r") as store:
        return store.runs()["status"].tolist()


def test_a_measure_that_fails_costs_no_other_measure_or_network(tmp_path, monkeypatch):
    call, calls = live.MeasuringJob.__call__, []

    def failing(job, piece):
        calls.append((piece.network, piece.measure.key))
        if len(calls) == 2 and not (tmp_path / "cured").exists():
            raise ValueError("no such layer")
        return call(job, piece)

    monkeypatch.setattr(live.MeasuringJob, "__call__", failing)
    said = invoke(*LIVE, "--out", tmp_path, code=1)
    network = calls[1][0]
    assert f"failed: {network}: fgsm@8: ValueError: no such layer" in said
    assert queries(tmp_path).isna().tolist() == [True, False, False]
    rows = read_robustness(tmp_path / "robustness.sqlite")
    assert rows[rows["network"] == network]["measure"].tolist() == ["clean"]
    with Store(tmp_path / "robustness.sqlite", "r") as store:
        (row,) = store.failures().to_dict("records")
    assert (row["network"], row["measure"], row["level"]) == (network, "fgsm@Linf", 8.0)

    calls.clear()
    said = invoke(*LIVE, "--out", tmp_path, code=1)
    assert calls == []
    assert "error: 1 failed in an earlier run" in said
    (tmp_path / "cured").touch()
    invoke(*LIVE, "--out", tmp_path, "--retry-failed")
    assert calls == [(network, "fgsm@Linf")]
    assert queries(tmp_path).notna().all()
    with Store(tmp_path / "robustness.sqlite", "r") as store:
        assert store.failures().empty


def test_an_interrupt_is_no_failure(tmp_path, monkeypatch):
    def interrupted(job, task):
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingJob, "__call__", interrupted)
    said = invoke(*LIVE, "--out", tmp_path, code=130)
    assert "the same command goes on from here" in said
    assert not list(tmp_path.rglob("*.failed"))
    assert statuses(tmp_path) == ["interrupted"]


@pytest.mark.parametrize("limit", [0, -1, math.nan, math.inf])
def test_what_is_no_time_limit_is_refused(tmp_path, limit):
    said = invoke(*LIVE, "--out", tmp_path / "x", "--time-limit", limit, code=2)
    assert "--time-limit is a number of seconds, above 0" in said
    assert not (tmp_path / "x").exists()


def pid_after(item):
    time.sleep(item)
    return os.getpid()


@thorough
def test_items_that_are_not_known_in_advance_share_a_process_until_one_is_late():
    with OneByOne(pid_after) as compute:
        assert [compute(0).value, compute(0).value] == [os.getpid()] * 2
    with OneByOne(pid_after, limit=1) as compute:
        first, second = compute(0).value, compute(0).value
        assert first == second != os.getpid()
        assert compute(60).kind == "time limit"
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


@thorough
def test_late_and_deadly_networks_fail_and_the_search_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("COMMAND", str(os.getpid()))
    words = ["--space", f"{__name__}:HarmfulSpace", "--live", "--epochs", 1, "--count", 10]
    words += ["--objective", "fgsm@8", "--algorithm", "random", "--queries", 27, "--table", "csv"]
    said = invoke(*words, "--out", tmp_path, "--time-limit", 20, code=1)
    assert f"failed: {LATE}: it took longer than the limit of 20 seconds" in said
    assert f"failed: {DEADLY}: the process that computed it died (SIGSEGV), twice" in said
    values = queries(tmp_path)
    assert sorted(values[values.isna()].index) == sorted(map(str, (LATE, DEADLY)))
    assert len(values) == 27
    invoke(*words, "--out", tmp_path, "--retry-failed")  # in this process, where they are good
    again = queries(tmp_path)
    assert again.notna().all()
    assert again[values.notna()].equals(values.dropna())
