"""The command: nothing finished is lost, and what is exported is what was measured."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from evaluation.attacks import evaluate, make
from evaluation.robustness.command import app
from evaluation.truths.published import Truth
from evaluation.truths.robustness_json import ExportError, write_truth
from testbed import images
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.store import (
    RobustnessKey,
    RobustnessRow,
    Store,
    StoreError,
    read_robustness,
    unpack_robust,
)
from testbed.train.checkpoints import trained_network
from testbed.train.command import app as train_app
from tests.thorough import thorough

ROOT = Path(__file__).parent.parent
IDS = (284, 11, 5111)
COUNT = 32
QUICK = [
    "--count", str(COUNT), "--epsilons", "8,24", "--square-queries", "20", "--apgd-steps", "8",
    "--pgd-steps", "4", "--batch-size", "20",
]  # fmt: skip
FACTS = [
    "network", "seed", "measure", "level", "settings", "accuracy", "robust", "confusion",
    "confidence_label", "confidence_prediction", "gradients", "queries", "warnings", "details",
]  # fmt: skip


def invoke(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*QUICK, *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return re.sub(r"\s+", " ", result.output)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    options = ["--archs", ",".join(map(str, IDS)), "--channels", "4", "--epochs", "1"]
    result = CliRunner().invoke(train_app, [*options, "--out", str(folder), "--workers", "1"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def measured(weights, tmp_path_factory):
    store = tmp_path_factory.mktemp("store") / "robustness.sqlite"
    output = invoke(
        "--weights", weights, "--corruptions", "fog", "--workers", 1, "--store", store,
        "--export", "robustness-json", "--out", store.with_name("truth"),
    )  # fmt: skip
    return store, output


def table(store) -> pd.DataFrame:
    return read_robustness(store)[FACTS]


def test_every_measure_of_every_network_is_there(measured):
    rows = read_robustness(measured[0])
    assert rows["network"].nunique() == len(IDS)
    levels = rows.groupby("measure")["level"].apply(lambda values: sorted(set(values.dropna())))
    names = ["fgsm@Linf", "pgd@Linf", "aa_apgd-ce@Linf", "aa_square@Linf"]
    attacks = {name: [8, 24] for name in names}
    assert levels.to_dict() == {"clean": [], **attacks, "fog": [1, 2, 3, 4, 5]}
    assert (rows["count"] == COUNT).all()


def test_the_numbers_are_those_of_the_library(measured, weights):
    rows = read_robustness(measured[0]).set_index(["network", "measure", "level"])
    test = images.load("digits", split="test")
    inputs, labels = test.images(torch.arange(COUNT)), test.labels[:COUNT]
    genotype = Genotype.from_index(284)
    network = trained_network(weights, genotype, 0)
    result = evaluate(network, inputs, labels, make("apgd-ce", steps=8), [8.0, 24.0])
    for level in result.levels:
        row = rows.loc[(str(genotype), "aa_apgd-ce@Linf", level.epsilon)]
        assert (unpack_robust(row["robust"], COUNT) == level.robust.numpy()).all()
        assert row["confidence_label"] == pytest.approx(float(level.label_confidence.mean()))
        confusion = np.array(json.loads(row["confusion"]))
        expected = np.zeros((10, 10), dtype=int)
        np.add.at(expected, (labels.numpy(), level.prediction.numpy()), 1)
        assert (confusion == expected).all()
        assert row["gradients"] == level.gradients


def test_workers_and_pieces_leave_no_trace(measured, weights, tmp_path):
    store = tmp_path / "again.sqlite"
    options = ("--weights", weights, "--store", store, "--workers", 2, "--batch-size", COUNT)
    invoke(*options, "--attacks", "pgd,apgd-ce,square")
    first = table(measured[0])
    first = first[~first["measure"].isin(["fgsm@Linf", "fog"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(table(store), first, check_exact=True)


def test_a_finished_store_is_shown_without_work(measured, weights):
    before = read_robustness(measured[0])
    assert "already" in invoke("--weights", weights, "--workers", 1, "--store", measured[0])
    pd.testing.assert_frame_equal(read_robustness(measured[0]), before)


@thorough
def test_kill_9_loses_only_what_was_in_flight(measured, weights, tmp_path):
    store = tmp_path / "robustness.sqlite"
    options = [*QUICK, "--weights", str(weights), "--workers", "1", "--store", str(store)]
    process = subprocess.Popen(
        [sys.executable, "-m", "evaluation.robustness", *options], cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
    )  # fmt: skip
    kept = 0
    deadline = time.monotonic() + 120
    while kept < 4 and time.monotonic() < deadline:
        assert process.poll() is None
        try:
            kept = read_robustness(store)["measure"].count() if store.exists() else 0
        except StoreError:
            kept = 0  # not there yet
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    there = table(store)
    assert len(there) >= 4
    # A measure is there with all its levels or not at all.
    assert there.groupby(["network", "measure"]).size().isin([1, 2]).all()
    whole = there[there["measure"] != "clean"].groupby(["network", "measure"]).size()
    assert (whole == 2).all()
    invoke(*options)
    first = table(measured[0])
    first = first[first["measure"] != "fog"].reset_index(drop=True)
    pd.testing.assert_frame_equal(table(store), first, check_exact=True)


def test_the_export_is_read_back_value_for_value(measured):
    rows = read_robustness(measured[0])
    truth = Truth.open(measured[0].with_name("truth"), "digits")
    assert set(truth.keys) == set(rows["measure"])
    for key in truth.keys:
        accuracy, (ids, confusion) = truth.accuracy(key), truth.confusion(key)
        confidence = truth.confidence(key)
        for number in IDS:
            mine = rows[(rows["measure"] == key)
                        & (rows["network"] == str(Genotype.from_index(number)))]  # fmt: skip
            mine = mine.sort_values("level")
            assert accuracy.loc[number].tolist() == mine["accuracy"].tolist()
            expected = np.array([json.loads(text) for text in mine["confusion"]])
            found = confusion[list(ids).index(number)]
            assert (found == (expected[0] if key == "clean" else expected)).all()
            for part in ("label", "prediction"):
                assert confidence[part].loc[number].tolist() == mine[f"confidence_{part}"].tolist()


def test_the_accuracy_mode_keeps_no_confidences(weights, tmp_path):
    store = tmp_path / "fast.sqlite"
    invoke(
        "--weights", weights, "--archs", "284", "--attacks", "pgd", "--mode", "accuracy",
        "--workers", 1, "--store", store, "--export", "csv",
    )  # fmt: skip
    rows = read_robustness(store.with_name("fast-robustness.csv"))
    attacked = rows[rows["measure"] == "pgd@Linf"]
    assert attacked["confidence_label"].isna().all()
    assert attacked["confusion"].isna().all()
    assert rows[rows["measure"] == "clean"]["confusion"].notna().all()
    pd.testing.assert_frame_equal(rows, read_robustness(store))


def linear(classes: int = 10) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))


def wrong_shape() -> nn.Module:
    return linear(3)


def unseeded() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def test_a_network_of_the_user_s(tmp_path):
    store = tmp_path / "own.sqlite"
    name = "tests.test_robustness:linear"
    invoke("--network", name, "--attacks", "fgsm", "--workers", 1, "--store", store)
    rows = read_robustness(store)
    assert set(rows["network"]) == {name}
    assert set(rows["init"]) == {"own"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "nowhere"], "there is no folder nowhere"),
        ([], "--init trained needs --weights"),
        (["--init", "random"], "is untrained"),
        (["--init", "pretrained"], "needs --archive"),
        (["--init", "finetuned"], "unknown --init"),
        (["--network", "tests.test_robustness:nothing"], "has no function 'nothing'"),
        (["--network", "tests.test_robustness:wrong_shape"], "expected logits"),
        (["--network", "tests.test_robustness:unseeded"], "other weights at every call"),
        (["--network", "linear"], "module:function"),
        (["--epsilons", "8,x"], "ε are numbers"),
        (["--mode", "fast"], "expected record or accuracy"),
        (["--attacks", "fgsm,cw"], "unknown attack"),
        (["--norm", "L1"], "unknown norm"),
        (["--corruptions", "rain"], "unknown corruption"),
        (["--corruptions", "fog", "--corrupted", "nowhere"], "nowhere"),
        (["--backend", "theirs"], "unknown backend"),
        (["--export", "xml"], "unknown --format"),
    ],
)
def test_bad_input_is_one_line(arguments, message, weights, tmp_path):
    needs = {"--weights", "--init", "--network"}
    extra = [] if not arguments or needs & set(arguments) else ["--weights", weights]
    output = invoke(*extra, *arguments, "--store", tmp_path / "x.sqlite", code=2)
    assert message in output
    assert "Traceback" not in output


def row(level: float, seed: int = 0, measure: str = "pgd@Linf") -> RobustnessRow:
    key = RobustnessKey.make(
        str(Genotype.from_index(11)), "trained", seed, "digits", measure, level, {"mode": "record"}
    )
    return RobustnessRow(key, [True, False], 0.5, 0.7, [[1, 0], [1, 0]])


def stored(tmp_path, *rows) -> pd.DataFrame:
    with Store(tmp_path / "made.sqlite") as store:
        store.save_robustness(store.begin_run({}), rows)
        return store.robustness()


def test_an_export_refuses_two_results_for_one_place(tmp_path):
    made = stored(tmp_path, row(1.0), row(1.0, seed=1))
    with pytest.raises(ExportError, match=r"seed \(0 or 1\)"):
        write_truth(made, tmp_path / "truth", "digits")
    write_truth(made, tmp_path / "truth", "digits", seed=1)


def test_an_export_leaves_out_networks_without_the_whole_grid_and_says_so(tmp_path):
    other = RobustnessRow(
        RobustnessKey.make(str(Genotype.from_index(0)), "trained", 0, "digits", "pgd@Linf", 2.0,
                           {"mode": "record"}), [True], 0.5, 0.5, None)  # fmt: skip
    made = stored(tmp_path, row(1.0), row(2.0), other)
    written = write_truth(made, tmp_path / "truth", "digits")
    assert len(written.left_out) == 1
    assert "network 0" in written.left_out[0]
    assert Truth.open(tmp_path / "truth", "digits").accuracy("pgd@Linf").index.tolist() == [11]


def test_the_store_refuses_contradictions_and_changes(tmp_path):
    with pytest.raises(StoreError, match="contradicts"):
        RobustnessRow(row(1.0).key, [True, True], 0.5, 0.7, [[1, 0], [1, 0]])
    with Store(tmp_path / "s.sqlite") as store:
        run = store.begin_run({})
        assert store.save_robustness(run, [row(1.0)]) == 1
        assert store.save_robustness(run, [row(1.0)]) == 0
        changed = RobustnessRow(row(1.0).key, [False, True], 0.5, 0.7, [[0, 1], [0, 1]])
        with pytest.raises(StoreError, match="other images right"):
            store.save_robustness(run, [changed])


def test_a_file_of_the_first_version_is_upgraded_when_written(tmp_path):
    import sqlite3

    path = tmp_path / "old.sqlite"
    with Store(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.executescript("DROP TABLE robustness; PRAGMA user_version = 1;")
    with Store(path, "r") as store:
        assert store.robustness().empty
        assert store.finished_robustness() == set()
    with Store(path) as store:
        assert store.save_robustness(store.begin_run({}), [row(1.0)]) == 1


SPOILED = """
import torch
from torch import nn

class Spoiled(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        logits = self.head(x.flatten(1))
        bright = x.mean((1, 2, 3)) > 0.31
        return torch.where(bright[:, None], torch.full_like(logits, torch.nan), logits)

def good():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
"""


def test_logits_that_are_no_numbers_cost_no_other_network_its_results(tmp_path, monkeypatch):
    (tmp_path / "spoiled.py").write_text(SPOILED, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = "--images digits --count 12 --attacks fgsm --epsilons 8 --workers 1 --store s.sqlite"
    names = ["--network", "spoiled:Spoiled", "--network", "spoiled:good"]
    result = CliRunner().invoke(app, [*names, *words.split()])
    assert result.exit_code == 0, result.output
    assert "not finite numbers" in " ".join(result.output.split())
    rows = read_robustness(tmp_path / "s.sqlite").set_index(["network", "measure"])
    assert len(rows) == 4
    # Where some image has no class there is no confusion, and no mean confidence.
    assert rows["confusion"].isna().groupby("network").all().to_dict() == {
        "spoiled:Spoiled": True, "spoiled:good": False
    }  # fmt: skip
    good, spoiled = (rows.loc[(f"spoiled:{name}", "clean")] for name in ("good", "Spoiled"))
    assert spoiled["accuracy"] <= good["accuracy"]
