"""The command: tables and files of a truth, live searches that survive kill -9, and bad input."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation.search import findings, live
from evaluation.search.command import app
from evaluation.search.objectives import ObjectiveError
from evaluation.truths.published import Truth
from testbed.store import StoreError, read_robustness
from testbed.train.job import TrainingJob
from testbed.train.training import DivergedError
from tests.thorough import thorough
from tests.truth_folder import EPSILONS, IDS, write_truth

ROOT = Path(__file__).parent.parent
LIVE = [
    *("--live", "--epochs", "1", "--channels", "4", "--count", "24", "--objective", "fgsm@8"),
    *("--algorithm", "local,random", "--proxy", "params", "--queries", "3", "--table", "csv"),
]


def invoke(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return write_truth(tmp_path_factory.mktemp("search") / "truth")


def test_a_truth_is_searched_and_the_tables_say_what_was_found(truth, tmp_path, monkeypatch):
    monkeypatch.setattr(findings, "REPEATS", 2)
    output = invoke(
        *("--truth", truth, "--algorithm", "all", "--queries", 12, "--runs", 2),
        *("--proxy", "params", "--out", tmp_path / "out", "--table", "csv"),
        *("--figures", "png,svg", "--held-out", 20, "--workers", 1),
    )
    accuracies = Truth.open(truth).targets()
    for name in ("optimum", "local-ordered (params)", "evolution-warm-up (params)", "bananas"):
        assert f"\n{name} " in output
    best = accuracies["fgsm@1"].max()
    optimum = next(line for line in output.splitlines() if line.startswith("optimum")).split()
    assert optimum[1:3] == [f"{100 * accuracies['clean'].max():.2f}", f"{100 * best:.2f}"]
    assert "top-1 by params:" in output
    assert "numbers of operations, fitted to 20: " in output
    queries = pd.read_csv(tmp_path / "out" / "trajectories.csv")
    assert queries.groupby(["algorithm", "run"]).size().eq(12).all()
    assert set(queries["id"]) <= set(IDS)
    expected = accuracies["fgsm@1"].loc[queries["id"]].to_numpy()
    assert queries["value"].to_numpy() == pytest.approx(expected)
    ends = queries[queries["query"] == 12].groupby("algorithm")["best"].mean()
    table = pd.read_csv(tmp_path / "out" / "table.csv").set_index(["algorithm", "target"])["mean"]
    for algorithm, mean in ends.items():
        assert table[algorithm, "fgsm@1"] == pytest.approx(mean)
        assert f"{100 * mean:.2f}" in output
    there = {path.name for path in (tmp_path / "out").iterdir()}
    assert there == {
        "trajectories.csv", "table.csv", "best.csv",
        *(f"curves{part}.{kind}" for part in ("", "-seconds") for kind in ("png", "svg")),
    }  # fmt: skip


def test_several_objectives_give_a_front(truth, tmp_path):
    output = invoke(
        *("--truth", truth, "--objective", "clean,fgsm@1", "--algorithm", "random"),
        *("--queries", 40, "--runs", 1, "--out", tmp_path),
    )
    accuracies = Truth.open(truth).targets()[["clean", "fgsm@1"]]
    front = pd.read_csv(tmp_path / "front.csv").set_index("id")[["clean", "fgsm@1"]]
    for index, row in accuracies.iterrows():
        dominated = ((front >= row).all(axis=1) & (front > row).any(axis=1)).any()
        assert dominated != (index in front.index)
    assert f"random: {len(front)} of {len(front)} on the true front" in output
    assert (tmp_path / "front.png").stat().st_size > 1000


def test_a_proxy_alone_is_an_objective(truth):
    output = invoke(
        *("--truth", truth, "--objective", "-params", "--algorithm", "local"),
        *("--queries", 10, "--runs", 1),
    )
    assert "Best −params so far" in output
    assert "top-1" not in output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "either --truth PATH"),
        (["--truth", "TRUTH", "--live"], "got both"),
        (["--live"], "add --out"),
        (["--live", "--out", "x", "--workers", "2"], "one worker"),
        (["--live", "--out", "x", "--preset", "huge"], "tiny, tiny-fgsm, tiny-pgd, small, paper"),
        (["--truth", "nowhere"], "no folder nowhere"),
        (["--truth", "TRUTH", "--objective", "fgsm@7"], "unknown target 'fgsm@7'"),
        (["--truth", "TRUTH", "--objective", ""], "no target"),
        (["--truth", "TRUTH", "--algorithm", "anneal"], "known are all, random"),
        (["--truth", "TRUTH", "--algorithm", "rank"], "add --proxy"),
        (["--truth", "TRUTH", "--algorithm", "random", "--proxy", "params"], "not look at"),
        (["--truth", "TRUTH", "--proxy", "prams"], "unknown proxy 'prams'"),
        (["--truth", "TRUTH", "--scores", "none.csv"], "no file none.csv"),
        (["--truth", "TRUTH", "--figures", "bmp"], "png or svg"),
        (["--truth", "TRUTH", "--table", "xlsx"], "parquet or csv"),
        (["--truth", "TRUTH", "--held-out", "many"], "whole numbers"),
        (["--truth", "TRUTH", "--runs", "1", "--held-out", "39"], "2 to 38"),
        (["--truth", "TRUTH", "--dataset", "svhn"], "no data set 'svhn'"),
    ],
)
def test_bad_input_is_one_line(truth, options, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    output = invoke(*(str(truth) if word == "TRUTH" else word for word in options), code=2)
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert words in line
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("target", ["fog@3", "fgsm", "fgsm@x", "fgsm@-1", "fgsm@nan"])
def test_a_live_target_is_clean_or_an_attack(target):
    with pytest.raises(ObjectiveError, match="fgsm@8; got"):
        live.live_measures([target], {})


def test_both_names_of_an_attack_are_known():
    first, second = live.live_measures(["apgd@1", "apgd-ce@1"], {})
    assert first.key == second.key == "aa_apgd-ce@Linf"
    assert first.key in EPSILONS


def trajectories(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "trajectories.csv").drop(columns="seconds")


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    return folder, invoke(*LIVE, "--out", folder)


def test_a_live_search_trains_and_attacks_what_it_asks_for(searched):
    folder, output = searched
    queries, rows = trajectories(folder), read_robustness(folder / "robustness.sqlite")
    assert set(queries["network"]) == set(rows["network"])
    attacked = rows[rows["measure"] == "fgsm@Linf"].set_index("network")["accuracy"]
    assert queries["value"].tolist() == attacked.loc[queries["network"]].tolist()
    assert set(queries["algorithm"]) == {"local-ordered (params)", "random"}
    assert "FGSM@8" in output
    seconds = pd.read_csv(folder / "trajectories.csv").groupby("algorithm")["seconds"].max()
    assert (seconds > 0.1).all()


def test_what_is_there_is_not_done_again(searched, monkeypatch):
    folder, _ = searched
    before = trajectories(folder)

    def refuse(*_):
        raise AssertionError("trained or attacked again")

    monkeypatch.setattr(TrainingJob, "__call__", refuse)
    monkeypatch.setattr(live.MeasuringJob, "__call__", refuse)
    invoke(*LIVE, "--out", folder)
    pd.testing.assert_frame_equal(trajectories(folder), before)
    # The cost of a query is what it took when it was done.
    seconds = pd.read_csv(folder / "trajectories.csv").groupby("algorithm")["seconds"].max()
    assert (seconds > 0.1).all()


@thorough
def test_kill_9_loses_only_the_network_in_flight(searched, tmp_path):
    folder = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "evaluation.search", *LIVE, "--out", str(folder)], cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    kept, deadline = 0, time.monotonic() + 120
    while kept < 2 and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it could be killed"
        with contextlib.suppress(StoreError):  # not there yet
            kept = len(read_robustness(folder / "robustness.sqlite"))
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    trained = {path.name: path.stat().st_mtime_ns for path in folder.glob("weights/*.safetensors")}
    assert trained
    assert not (folder / "trajectories.csv").exists()
    invoke(*LIVE, "--out", folder)
    pd.testing.assert_frame_equal(trajectories(folder), trajectories(searched[0]))
    assert (
        trained.items()
        <= {
            path.name: path.stat().st_mtime_ns for path in folder.glob("weights/*.safetensors")
        }.items()
    )


def test_a_training_that_diverges_is_a_query_without_a_value(tmp_path, monkeypatch):
    def diverge(job, task):
        raise DivergedError("the loss is no number")

    monkeypatch.setattr(TrainingJob, "__call__", diverge)
    output = invoke(*LIVE[:-2], "--table", "csv", "--out", tmp_path, code=1)
    assert np.isnan(trajectories(tmp_path)["value"]).all()
    assert "the loss is no number" in output


def test_another_recipe_needs_another_folder(searched):
    output = invoke(*LIVE, "--epochs", 2, "--out", searched[0], code=2)
    assert "recipe epochs is 1 there and 2 here" in output
