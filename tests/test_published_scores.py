"""The score table that comes with the package: complete, and what the code computes."""

import json

import pyarrow.parquet
import pytest
import torch

from evaluation.ranking.table import rank
from evaluation.truths.published import Truth
from proxies.job import ScoringJob, Task
from testbed import images
from testbed.catalogue.registry import PROXIES
from testbed.sources import RandomSource
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.isomorphism import unique_ids
from testbed.store import ScoreKey, read_scores
from testbed.tables import RANDOM_CIFAR10, STUDY_500

FULL = ("params", "flops", "jacobian_norm", "hessian_input")
CHOSEN = 10


@pytest.fixture(scope="module")
def table():
    return read_scores(RANDOM_CIFAR10)


def test_every_unique_network_has_every_score(table):
    expected = {str(Genotype.from_index(index)) for index in unique_ids()}
    for name in FULL:
        rows = table[table["proxy"] == name]
        assert len(rows) == len(expected) == rows["network"].nunique()
        assert set(rows["network"]) == expected
    assert (table["proxy"] == "hessian_params").sum() >= 300
    assert table["value"].notna().all()
    assert table["converged"].fillna(True).all()


def test_the_provenance_is_inside(table):
    runs = json.loads(pyarrow.parquet.read_schema(RANDOM_CIFAR10).metadata[b"runs"])
    assert set(table["run"]) <= {run["id"] for run in runs}
    for run in runs:
        assert "proxies.compute" in " ".join(run["provenance"]["command"]) or run["command"]
        assert run["torch_version"]
        assert "-dirty" not in run["code_version"]


def test_ten_random_rows_are_computed_again(table, real_data):
    loaded = images.load("cifar10", real_data)
    source = RandomSource("random", loaded.mean, loaded.std)
    job = ScoringJob.of(loaded, loaded.batch(16, 0), 0, source)
    draws = torch.Generator().manual_seed(2026)
    rows = table[~table["proxy"].isin(["params", "flops"])].reset_index(drop=True)
    for position in torch.randperm(len(rows), generator=draws)[:CHOSEN].tolist():
        row = rows.iloc[position]
        key = job.key(PROXIES[row["proxy"]], row["network"], int(row["seed"]))
        settings = json.loads(row["settings"])
        assert key == ScoreKey.make(
            row["network"], row["proxy"], init=row["init"], seed=int(row["seed"]),
            images=row["images"], settings=settings,
        )  # fmt: skip
        (again,) = job(Task(key.network, int(row["seed"]), (key,)))
        # Another kind of CPU rounds otherwise, and a rounding can flip a ReLU.
        assert again.value == pytest.approx(row["value"], rel=1e-3)


def test_the_table_of_the_readme(table, real_data):
    found = rank(table, Truth.open(real_data / "robustness-data"), proxies=FULL[2:]).table
    tau = found.set_index(["proxy", "target"])["tau"]
    expected = {
        "params": {"clean": 0.608, "fgsm@1": 0.566, "fgsm@4": 0.620, "pgd@1": 0.236},
        "jacobian_norm": {"clean": 0.470, "fgsm@1": 0.474, "fgsm@4": 0.534, "pgd@1": 0.135},
        "hessian_input": {"clean": 0.438, "fgsm@1": 0.467, "fgsm@4": 0.521, "pgd@1": 0.150},
    }
    assert set(found["n"]) == {6466}
    for proxy, targets in expected.items():
        for target, value in targets.items():
            assert tau[proxy, target] == pytest.approx(value, abs=0.001), (proxy, target)


def test_rows_of_the_study_are_computed_again(real_data):
    """Of what is cheap; one network at full size."""
    study = read_scores(STUDY_500)
    loaded = images.load("cifar10", real_data)
    job = ScoringJob.of(
        loaded, loaded.batch(16, 0), 0, RandomSource("random", loaded.mean, loaded.std)
    )
    names = sorted(set(study["network"]))
    network = names[int(torch.randint(len(names), (), generator=torch.Generator().manual_seed(7)))]
    rows = study[(study["network"] == network) & (study["init"] == "random")].set_index("proxy")
    keys = [job.key(PROXIES[name], network, 0) for name in ("snip", "nwot", "meco", "jacov")]
    for again in job(Task(network, 0, tuple(keys))):
        row = rows.loc[again.key.proxy]
        assert json.loads(row["settings"]) == json.loads(again.key.settings)
        assert again.value == pytest.approx(row["value"], rel=1e-3)
