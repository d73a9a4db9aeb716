import json
import math

import numpy as np
import pytest

from evaluation.correlation import kendall_tau_b
from evaluation.ranking.table import rank
from evaluation.truths import open_truth
from evaluation.truths.published import Truth, TruthError
from evaluation.truths.robbench import RobBench
from tests.score_frames import frame, row_of, score_rows
from tests.truth_folder import IDS, write_truth

METRICS = ("val_acc", "val_fgsm_3.0_acc", "val_fgsm_8.0_acc", "val_pgd_3.0_acc", "val_pgd_8.0_acc")


def entries(ids=IDS, seeds=("0", "1", "2")):
    generator = np.random.default_rng(0)
    table = {}
    for number in ids:
        metrics = {
            metric: dict(zip(seeds, generator.random(3).tolist(), strict=True))
            for metric in METRICS
        }
        for values in metrics.values():
            values["threeseed"] = sum(values.values()) / 3
        table[str(number)] = {**metrics, "val_loss": {"0": 2.3}, "autoattack": generator.random()}
    return table


def write(path, **datasets):
    path.write_text(json.dumps(datasets))
    return path


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "all.json", cifar10=entries(), imagenet=entries(IDS[:3]))


def test_targets_are_means_over_seeds_under_the_fields_names(file):
    truth = RobBench.open(file)
    targets, table = truth.targets(), json.loads(file.read_text())["cifar10"]
    assert list(targets) == [
        *("clean", "autoattack", "fgsm@3", "fgsm@8", "pgd@3", "pgd@8", "mean adversarial")
    ]
    assert targets.index.tolist() == list(IDS)
    assert targets.index.name == "id"
    own = table[str(IDS[5])]
    row = targets.loc[IDS[5]]
    assert row["clean"] == pytest.approx(np.mean([own["val_acc"][s] for s in "012"]))
    assert row["pgd@8"] == pytest.approx(own["val_pgd_8.0_acc"]["threeseed"])
    assert row["autoattack"] == own["autoattack"]
    attacks = ["autoattack", "fgsm@3", "fgsm@8", "pgd@3", "pgd@8"]
    assert row["mean adversarial"] == pytest.approx(row[attacks].mean())
    assert truth.datasets == ("cifar10", "imagenet")
    assert len(RobBench.open(file, "imagenet").targets()) == 3
    seeds = truth.by_seed.query("target == 'pgd@8' and id == @IDS[5]").set_index("seed")
    assert seeds["accuracy"].to_dict() == {s: own["val_pgd_8.0_acc"][s] for s in "012"}


def test_a_network_that_lacks_a_seed_has_no_mean(tmp_path):
    table = entries()
    del table[str(IDS[0])]["val_acc"]["1"]
    del table[str(IDS[1])]["val_pgd_3.0_acc"]
    targets = RobBench.open(write(tmp_path / "a.json", cifar10=table)).targets()
    assert targets["clean"].isna().tolist() == [True] + [False] * 39
    assert math.isnan(targets.loc[IDS[1], "mean adversarial"])
    assert not math.isnan(targets.loc[IDS[0], "mean adversarial"])


def test_the_mean_alone_is_read_too(tmp_path):
    table = {str(i): {"val_acc": {"threeseed": i / 100}} for i in (0, 1, 2)}
    targets = RobBench.open(write(tmp_path / "a.json", cifar10=table)).targets()
    assert targets["clean"].tolist() == [0, 0.01, 0.02]
    assert list(targets) == ["clean"]


def test_a_ranking_reads_either_truth(file, tmp_path):
    scores = frame(score_rows())
    truth = open_truth(file)
    row = row_of(rank(scores, truth, targets=["FGSM@3"]).table, proxy="norm")
    expected = kendall_tau_b(scores["value"], truth.targets()["fgsm@3"])
    assert row["tau"] == pytest.approx(expected, abs=1e-12)
    assert row["dataset"] == "cifar10"
    assert isinstance(open_truth(write_truth(tmp_path / "folder")), Truth)


FAULTS = {
    "a list": ([1], "expected objects of data sets, found"),
    "another data set": ({"svhn": {}}, "no data set 'cifar10' in .*; there: svhn"),
    "no network": ({"cifar10": {}}, "no accuracies of 'cifar10'"),
    "an unknown id": ({"cifar10": {"15625": {}}}, "'15625' at .* is not an architecture id"),
    "a string": ({"cifar10": {"|a|": {}}}, "is not an architecture id"),
    "no metrics": ({"cifar10": {"0": 0.5}}, r"expected metrics at \['cifar10'\]\['0'\], found 0.5"),
    "percent": (
        {"cifar10": {"0": {"val_pgd_3.0_acc": {"1": 67.3}}}},
        r"\['0'\]\['val_pgd_3.0_acc'\]\['1'\], found 67.3",
    ),
    "NaN": ({"cifar10": {"0": {"val_acc": {"1": math.nan}}}}, "found nan"),
    "text": ({"cifar10": {"0": {"autoattack": "0.3"}}}, r"\['autoattack'\], found '0.3'"),
    "a list of seeds": ({"cifar10": {"0": {"val_acc": [0.5]}}}, r"\['val_acc'\], found \[0.5\]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_file_is_refused(tmp_path, fault):
    content, message = FAULTS[fault]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(TruthError, match=message):
        open_truth(path)


def test_a_truncated_file_is_refused(file):
    file.write_text(file.read_text()[:-9])
    with pytest.raises(TruthError, match="is not JSON, or cut short"):
        open_truth(file)
