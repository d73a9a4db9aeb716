import json
import math

import numpy as np
import pytest

from evaluation.correlation import kendall_tau_b
from evaluation.ranking.table import rank
from evaluation.truths import open_truth
from evaluation.truths.published import Truth, TruthError
from evaluation.truths.robbench import RobBench
from testbed.spaces.nasbench201.isomorphism import unique_ids
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
        *("clean", "autoattack@8", "fgsm@3", "fgsm@8", "pgd@3", "pgd@8", "mean adversarial")
    ]
    assert targets.index.tolist() == list(IDS)
    assert targets.index.name == "id"
    own = table[str(IDS[5])]
    row = targets.loc[IDS[5]]
    assert row["clean"] == pytest.approx(np.mean([own["val_acc"][s] for s in "012"]))
    assert row["pgd@8"] == pytest.approx(own["val_pgd_8.0_acc"]["threeseed"])
    assert row["autoattack@8"] == own["autoattack"]
    attacks = ["autoattack@8", "fgsm@3", "fgsm@8", "pgd@3", "pgd@8"]
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
    "true": ({"cifar10": {"0": {"val_acc": {"1": True}}}}, "found True"),
    "two spellings of an id": (
        {"cifar10": {"5": {}, "05": {}}},
        "'05' at .* not an architecture id",
    ),
    "an id in Arabic": ({"cifar10": {"٥": {}}}, "is not an architecture id"),
    "two spellings of an ε": (
        {"cifar10": {"0": {"val_fgsm_3.0_acc": {"1": 0.5}, "val_fgsm_3_acc": {"1": 0.4}}}},
        r"'val_fgsm_3_acc'\] says again what 'val_fgsm_3.0_acc' says",
    ),
    "two spellings of a seed": ({"cifar10": {"0": {"val_acc": {"1": 0.5, "01": 0.5}}}}, "'01'"),
    "a name of 5,000 characters": ({"cifar10": {"x" * 5000: {}}}, r"\(5,000 characters\) at"),
    "a list of seeds": ({"cifar10": {"0": {"val_acc": [0.5]}}}, r"\['val_acc'\], found \[0.5\]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_file_is_refused(tmp_path, fault):
    content, message = FAULTS[fault]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(TruthError, match=message):
        open_truth(path)


@pytest.mark.parametrize("text", ['{"cifar10": {}, "cifar10": {"0": {}}}', "[" * 10**5, "9" * 400])
def test_what_is_no_strict_json_is_refused(tmp_path, text):
    (path := tmp_path / "a.json").write_text(text)
    with pytest.raises(TruthError, match=str(path)):
        open_truth(path)


def test_losses_may_be_nan(tmp_path):
    table = {str(i): {"val_acc": {"0": 0.5}, "val_loss": {"0": math.nan}} for i in IDS}
    assert len(RobBench.open(write(tmp_path / "a.json", cifar10=table)).targets()) == 40


def test_means_tie_where_the_counts_of_images_do(tmp_path):
    # 0.7432, 0.7434 and 0.7436 in single precision, in two orders.
    single = [float(np.float32(value)) for value in (0.7432, 0.7434, 0.7436)]
    table = {
        "0": {"val_acc": dict(zip("012", single, strict=True))},
        "1": {"val_acc": dict(zip("012", reversed(single), strict=True))},
        "2": {"val_acc": dict.fromkeys("012", single[1])},
    }
    clean = RobBench.open(write(tmp_path / "a.json", cifar10=table)).targets()["clean"]
    assert clean.tolist() == [0.7434] * 3


COLUMNS = ["cifar10#val_acc", "cifar10#val_pgd_8_acc", "cifar10#autoattack", "svhn#val_acc"]


def page(**changes):
    # 4 is its own class, 25 is of the class of 3.
    table = {"": COLUMNS, "3": [0.75, 0.25, 0.2, 0.9], "4": [0.5, 0.5, 0.1, 0.8], "25": "3"}
    return {name: entry for name, entry in {**table, **changes}.items() if entry is not None}


@pytest.mark.parametrize("form", ["acc={}", "{}", "var acc = {};\n", "\ufeffacc={}"])
def test_the_file_of_the_projects_page(tmp_path, form):
    (path := tmp_path / "page.json").write_text(form.replace("{}", json.dumps(page())))
    truth = open_truth(path)
    assert isinstance(truth, RobBench)
    assert truth.datasets == ("cifar10", "svhn")
    targets = truth.targets()
    assert list(targets) == ["clean", "autoattack@8", "pgd@8", "mean adversarial"]
    assert targets.loc[3].tolist() == [0.75, 0.2, 0.25, 0.225]
    assert targets.index.tolist() == [3, 4]
    assert RobBench.open(path, "svhn").targets()["clean"].tolist() == [0.9, 0.8]


PAGE_FAULTS = {
    "names": ({"": "val_acc"}, "expected columns such as"),
    "no data set": ({"": ["val_acc"] * 4}, "expected columns such as"),
    "a column twice": ({"": [*COLUMNS[:3], "cifar10#val_pgd_8.0_acc"]}, "'pgd@8 of cifar10' twice"),
    "too few": ({"4": [0.5, 0.5, 0.1]}, r"expected 4 accuracies or the id of a class at \['4'\]"),
    "percent": ({"4": [50.0, 0.5, 0.1, 0.8]}, r"\['4'\]\[0\], found 50.0"),
    "true": ({"4": [0.5, True, 0.1, 0.8]}, "found True"),
    "NaN": ({"4": [0.5, math.nan, 0.1, 0.8]}, "found nan"),
    "null": ({"4": None, "5": [None] * 4}, "found None"),
    "another class": ({"25": "4"}, "class of id 25 should be '3', found '4'"),
    "a class that is not there": ({"3": None}, "id 25 is of the class 3, which is not there"),
    "no id": ({"x": "3"}, "'x' is not an architecture id"),
    "two spellings": ({"04": [0.5, 0.5, 0.1, 0.8]}, "'04' is not an architecture id"),
}


@pytest.mark.parametrize("fault", PAGE_FAULTS)
def test_a_broken_file_of_the_page_is_refused(tmp_path, fault):
    changes, message = PAGE_FAULTS[fault]
    (path := tmp_path / "page.json").write_text(f"acc={json.dumps(page(**changes))}")
    with pytest.raises(TruthError, match=message):
        open_truth(path)


@pytest.fixture
def published(real_data):
    return real_data / "nas-robbench-201" / "NAS-RobBench-201_html.json"


def test_the_published_file(published, real_data):
    truth = RobBench.open(published)
    targets = truth.targets()
    assert targets.index.tolist() == list(unique_ids())
    assert list(targets) == [
        *("clean", "autoattack@8", "fgsm@3", "fgsm@8", "pgd@3", "pgd@8", "mean adversarial")
    ]
    assert truth.datasets == ("cifar10", "cifar100", "imagenet")
    best = targets.max().round(4)
    assert best[["clean", "fgsm@3", "pgd@8", "autoattack@8"]].tolist() == [
        *(0.7956, 0.6973, 0.4811, 0.4438)
    ]
    # Counts of correct images among 3 × 10,000, and among 10,000.
    counts = targets["clean"] * 30_000
    assert (counts - counts.round()).abs().max() < 0.02
    assert targets["clean"].nunique() == counts.round().nunique()
    # Known beforehand: adversarially trained accuracies go with the clean ones of normal training.
    normal = Truth.open(real_data / "robustness-data").targets()
    taus = [kendall_tau_b(targets["pgd@8"], normal[name]) for name in ("clean", "pgd@1", "apgd@1")]
    assert taus == pytest.approx([0.85, 0.25, -0.03], abs=0.006)


def test_a_truncated_file_is_refused(file):
    file.write_text(file.read_text()[:-9])
    with pytest.raises(TruthError, match="is not JSON, or cut short"):
        open_truth(file)
