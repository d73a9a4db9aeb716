"""What fails is a row: kept, shown, carried along, not taken up again unasked; the others go on."""

import itertools
import math
import shutil
import sqlite3
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evaluation.robustness.command import app as robustness
from evaluation.robustness.job import MeasuringJob
from proxies.compute import app as compute
from proxies.job import ScoringJob, Task
from testbed.command.stores import app as stores
from testbed.engine import Outcome, run
from testbed.engine.limited import _patience
from testbed.store import (
    FailureKey,
    FailureRow,
    RobustnessKey,
    RobustnessRow,
    ScoreKey,
    ScoreRow,
    Store,
    StoreError,
    read_robustness,
    read_scores,
)
from testbed.train.command import app as train
from testbed.train.job import TrainingJob

BEFORE = Path(__file__).parent / "data" / "before"
ONE = ScoreKey.make("net", "norm", init="own", images="digits", settings={"batch": 3})
TWO = RobustnessKey.make("net", "own", 0, "digits", "fgsm@Linf", 8, {"count": 2})
FREE = ScoreKey.make("net", "params", settings={"channels": 4})
DIED = Outcome(error="it died", error_type="WorkerDied")


def failure(key, reason="no such layer", kind="error") -> FailureRow:
    return FailureRow(FailureKey.of(key), kind, reason)


def invoke(app, *words, code=0) -> str:
    result = CliRunner().invoke(app, [*map(str, words)], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "a.sqlite") as opened:
        yield opened


# In a store


def test_a_failure_has_the_digest_of_its_result_and_goes_when_that_comes(store):
    number = store.begin_run({})
    store.save_failures(number, [failure(ONE), failure(TWO, "late", "time limit"), failure(FREE)])
    assert [FailureKey.of(key).digest for key in (ONE, TWO, FREE)] == [
        key.digest for key in (ONE, TWO, FREE)
    ]
    assert store.failed() == {ONE.digest, TWO.digest, FREE.digest}
    assert store.failed([TWO.digest, "another"]) == {TWO.digest}
    (row,) = store.failures([TWO.digest]).to_dict("records")
    assert (row["measure"], row["level"], row["kind"]) == ("fgsm@Linf", 8.0, "time limit")
    store.save_failures(number, [failure(TWO, "again\nand  again", "died")])
    assert store.failures([TWO.digest])["reason"].tolist() == ["again and again"]
    store.save(number, [ScoreRow(ONE, math.nan, "undefined")])
    store.save_robustness(number, [RobustnessRow(TWO, (True, False), None, None, None)])
    assert store.failed() == {FREE.digest}
    store.save_failures(number, [failure(ONE)])  # of a result that is there
    assert store.failures()["proxy"].tolist() == ["params"]


def test_what_is_no_failure_is_refused(store):
    with pytest.raises(StoreError, match="one of error, died, time limit"):
        failure(ONE, kind="tired")
    with pytest.raises(StoreError, match="of a proxy or of a measure"):
        replace(FailureKey.of(ONE), measure="clean")
    with pytest.raises(StoreError, match="no run 7"):
        store.save_failures(7, [failure(ONE)])


def test_a_store_of_before_has_none_and_takes_some(tmp_path):
    path = tmp_path / "before.db"
    shutil.copy(BEFORE / "before.db", path)
    content = path.read_bytes()
    with Store(path, "r") as opened:
        assert opened.failures().empty
        assert opened.failed() == set()
    assert path.read_bytes() == content
    with Store(path) as opened:
        opened.save_failures(1, [failure(ONE)])
        assert opened.failed() == {ONE.digest}
    assert "sound (1 results failed" in invoke(stores, "check", path)


def test_an_earlier_version_leaves_a_failure_that_its_result_overrules(store):
    number = store.begin_run({})
    store.save_failures(number, [failure(ONE)])
    store.save(number, [ScoreRow(replace(ONE, network="other"), 1.0)])
    store._connection.execute(
        "UPDATE failures SET digest = (SELECT digest FROM scores)"
    )  # as if that had been saved by a program that knows no failures
    assert store.failed() == set()
    assert store.failures().empty


def test_failures_are_listed_merged_in_any_order_and_compacted(tmp_path):
    rows = {
        "a": ("2026-01-01", [failure(ONE, "first"), failure(TWO)], []),
        "b": ("2026-01-02", [failure(ONE, "second"), failure(FREE)], []),
        "c": ("2026-01-03", [], [ScoreRow(FREE, 3.0)]),
    }
    for name, (started, failures, scores) in rows.items():
        with Store(tmp_path / f"{name}.sqlite") as opened:
            number = opened.begin_run({"started": started})
            opened.save_failures(number, failures)
            opened.save(number, scores)
    assert "norm error 1 1 net: first" in invoke(stores, "ls", tmp_path / "a.sqlite")
    for place, order in enumerate(itertools.permutations(rows)):
        merged = tmp_path / f"{place}.sqlite"
        said = invoke(stores, "merge", *(tmp_path / f"{n}.sqlite" for n in order), "--out", merged)
        assert "1 scores and 0 robust accuracies" in said
        invoke(stores, "compact", merged)
        with Store(merged, "r") as opened:
            found = opened.failures().set_index("proxy", drop=False)
            assert sorted(found["digest"]) == sorted([ONE.digest, TWO.digest])
            assert found.loc["norm", "reason"] == "second"
    with sqlite3.connect(merged) as connection:
        connection.execute("UPDATE failures SET network = 'x' WHERE proxy = 'norm'")
    assert "the digest of" in invoke(stores, "check", merged, code=1)


# In commands

NETS = """
    import os, signal, time
    from pathlib import Path
    import torch
    from torch import nn

    class Deed(nn.Module):
        def __init__(self, deed):
            super().__init__()
            self.deed = deed

        def forward(self, x):
            looked_at = len(x) == 4  # before the work, where it would be refused
            if Path("cured").exists() or looked_at:
                return x
            if self.deed == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.deed == "sleep":
                time.sleep(1000)
            if self.deed == "fail":
                raise ValueError("no such layer")
            return x

    def net(deed=""):
        torch.manual_seed(0)
        return nn.Sequential(Deed(deed), nn.Flatten(), nn.Linear(64, 10))
"""


def test_an_item_that_kills_sleeps_or_fails_costs_no_other_anything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own_nets.py").write_text(textwrap.dedent(NETS))
    names = [f"own_nets:net(deed='{deed}')" for deed in ("kill", "one", "sleep", "fail", "two")]
    words = ["--store", "a.sqlite", "--proxies", "jacobian_norm", "--show", "0"]
    words += [word for name in names for word in ("--network", name)]
    said = invoke(compute, *words, "--workers", 2, "--time-limit", 12, code=1)
    assert "3 tasks failed; the others are in a.sqlite: --retry-failed takes them up again" in said
    with Store("a.sqlite", "r") as opened:
        assert opened.scores()["network"].tolist() == [names[1], names[4]]
        found = opened.failures().set_index("network")
        assert opened.runs()["status"].tolist() == ["failed"]
    assert found["kind"].tolist() == ["error", "died", "time limit"]
    assert "no such layer" in found.loc[names[3], "reason"]
    assert "SIGKILL" in found.loc[names[0], "reason"]
    assert "limit of 12 seconds" in found.loc[names[2], "reason"]
    Path("cured").touch()
    said = invoke(compute, *words, "--workers", 1, code=1)
    assert "Nothing is left but 3 that failed: --retry-failed takes them up again" in said
    assert "error: 3 failed in an earlier run: --retry-failed" in said
    invoke(compute, *words, "--workers", 1, "--retry-failed")
    with Store("a.sqlite", "r") as opened:
        assert opened.failures().empty
        assert opened.scores()["run"].tolist() == [2, 2, 1, 2, 1]  # fail, kill, one, sleep, two


def asleep(item):
    import os
    import time

    time.sleep(item)
    return os.getpid()


def test_a_time_limit_holds_for_one_worker_too():
    import os

    outcomes = dict(run(asleep, [0, 60], limit=2))
    assert outcomes[0].value not in (None, os.getpid())
    assert (outcomes[1].error_type, outcomes[1].kind) == ("TimeLimit", "time limit")


def test_a_time_limit_may_be_longer_than_a_lock_can_wait():
    assert 0 < (_patience([1e300, 2e300], 5.0) or 0) < threading.TIMEOUT_MAX
    assert _patience([9.0, 7.0], 5.0) == 2.0
    assert _patience([3.0], 5.0) == 0.0
    assert _patience([], 5.0) is None


@pytest.mark.parametrize("limit", [0, -1, math.nan, math.inf])
def test_what_is_no_time_limit_is_refused(limit):
    with pytest.raises(ValueError, match="a time limit is a number of seconds"):
        run(asleep, [0], limit=limit)
    for app in (compute, robustness, train):
        said = invoke(app, "--time-limit", limit, code=2)
        assert "--time-limit is a number of seconds, above 0" in said


def test_scores_that_died_together_are_tried_alone_and_structural_ones_without_the_network(store):
    job = ScoringJob(None, None, None, 10, "digits", {})  # type: ignore[arg-type]
    names = ("grad_norm", "jacobian_norm", "params")
    task = Task("net", 0, tuple(replace(ONE, proxy=name) for name in names))
    alone = job.fail(store, 1, task, DIED)
    assert [[key.proxy for key in part.keys] for part in alone] == [
        ["grad_norm"], ["jacobian_norm"], ["params"],
    ]  # fmt: skip
    apart = job.fail(store, 1, task, Outcome(error="no", error_type="ValueError"))
    assert [[key.proxy for key in part.keys] for part in apart] == [
        ["params"], ["grad_norm", "jacobian_norm"],
    ]  # fmt: skip
    assert store.failures().empty
    number = store.begin_run({})
    for part in alone:
        assert job.fail(store, number, part, DIED) == ()
    assert store.failed() == {key.digest for key in task.keys}


@pytest.fixture
def attacked(tmp_path, monkeypatch):
    """Return how often each piece was computed, by measure and first image; FGSM fails from 10."""
    shutil.copytree(BEFORE / "weights", tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    calls, call = [], MeasuringJob.__call__

    def failing(job, piece):
        calls.append((piece.measure.key, piece.start))
        if piece.measure.key == "fgsm@Linf" and piece.start == 10 and not Path("cured").exists():
            raise ValueError("no such layer")
        return call(job, piece)

    monkeypatch.setattr(MeasuringJob, "__call__", failing)
    return calls


def test_a_measure_that_fails_in_a_piece_is_one_failure_and_the_others_are_kept(attacked):
    words = ["--weights", "weights", "--attacks", "fgsm,pgd", "--epsilons", "4,8", "--count", "30"]
    words += ["--batch-size", "10", "--workers", "1", "--store", "a.sqlite", "--set", "pgd.steps=2"]
    said = invoke(robustness, *words, code=1)
    assert "1 tasks failed" in said
    fgsm = [start for measure, start in attacked if measure == "fgsm@Linf"]
    assert fgsm == [0, 10]  # the rest of it would be in vain
    assert read_robustness("a.sqlite")["measure"].tolist() == ["clean", "pgd@Linf", "pgd@Linf"]
    with Store("a.sqlite", "r") as opened:
        assert opened.failures()["level"].tolist() == [4, 8]
    attacked.clear()
    said = invoke(robustness, *words, code=1)
    assert "2 failed in an earlier run" in said
    assert attacked == []
    Path("cured").touch()
    invoke(robustness, *words, "--retry-failed")
    assert [start for _, start in attacked] == [0, 10, 20]
    assert len(read_robustness("a.sqlite")) == 5
    with Store("a.sqlite", "r") as opened:
        assert opened.failures().empty


TRAINING = ["--epochs", "1", "--channels", "2", "--cells", "1", "--workers", "1", "--show", "0"]


def test_a_training_that_failed_is_noted_and_taken_up_when_asked(tmp_path, monkeypatch):
    call, calls = TrainingJob.__call__, []

    def failing(job, task):
        calls.append(task.network)
        if not (tmp_path / "cured").exists():
            raise ValueError("no such layer")
        return call(job, task)

    monkeypatch.setattr(TrainingJob, "__call__", failing)
    words = [*TRAINING, "--archs", "284", "--out", tmp_path / "nets"]
    invoke(train, *words, code=1)
    note = tmp_path / "nets" / "000284-seed0.failed"
    assert '"reason": "ValueError: no such layer"' in note.read_text()
    said = invoke(train, *words, code=1)
    assert "Nothing is left but 1 that failed" in said
    assert len(calls) == 1
    (tmp_path / "cured").touch()
    invoke(train, *words, "--retry-failed")
    assert not note.exists()
    assert (tmp_path / "nets" / "000284-seed0.safetensors").exists()


def test_shards_of_a_training_are_joined_to_the_whole(tmp_path):
    words = [*TRAINING, "--archs", "284,11,0"]
    invoke(train, *words, "--out", tmp_path / "whole")
    for number in (1, 2):
        said = invoke(train, *words, "--shard", f"{number}/2", "--out", tmp_path / "n")
        assert "robustness-proxies store merge" in said
    parts = [tmp_path / "n.1-of-2", tmp_path / "n.2-of-2"]
    assert [len(list(part.glob("*.safetensors"))) for part in parts] == [2, 1]
    (parts[1] / "000007-seed0.failed").write_text("{}")
    said = invoke(stores, "merge", *reversed(parts), "--out", tmp_path / "n")
    assert "3 trained networks of 2 folders are new" in said
    for path in (tmp_path / "whole").glob("*.safetensors"):
        assert (tmp_path / "n" / path.name).read_bytes() == path.read_bytes()
    assert (tmp_path / "n" / "000007-seed0.failed").exists()
    assert "0 trained networks" in invoke(stores, "merge", parts[0], "--out", tmp_path / "n")
    assert "trained already" in invoke(train, *words, "--out", tmp_path / "n")
    said = invoke(train, *words, "--shard", "5/5", "--out", tmp_path / "e")
    assert "Shard 5/5 has no networks: there are 3 in all." in said
    # Other weights of a network, another recipe, no such folder: nothing is copied.
    settings = parts[0] / "000284-seed0.json"
    mark = '"weights_fingerprint": "'
    settings.write_text(settings.read_text().replace(mark, f"{mark}0"))
    said = invoke(stores, "merge", *parts, "--out", tmp_path / "n", code=2)
    assert "000284-seed0 has other weights in" in said
    said = invoke(stores, "merge", tmp_path, "--out", tmp_path / "m", code=2)
    assert "holds no trained networks" in said
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("app", [compute, robustness])
def test_an_empty_shard_says_so(tmp_path, app, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--shard", "3/3", "--store", "a.sqlite", "--workers", "1"]
    if app is compute:
        words += ["--archs", "0,11", "--proxies", "params", "--channels", "2", "--cells", "1"]
    else:
        words += ["--weights", BEFORE / "weights", "--attacks", "none", "--count", "20"]
    said = invoke(app, *words)
    assert "Shard 3/3 has no networks: there are" in said
    assert "already" not in said
    assert read_scores("a.3-of-3.sqlite").empty
