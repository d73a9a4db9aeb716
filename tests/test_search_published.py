"""On the published truth: the paper's table, and what proxies know without a query."""

import numpy as np
import pytest

from evaluation.search import results
from evaluation.search.candidates import default_candidates
from evaluation.search.cells import cells, operation_counts
from evaluation.search.held_out import held_out_taus
from evaluation.search.job import SearchJob, trajectories
from evaluation.search.objectives import truth_objective
from evaluation.search.problem import truth_problem
from evaluation.search.proxy_scores import choose_proxies, top_ones
from evaluation.search.registry import ALGORITHMS, Algorithm
from evaluation.search.running import run_all
from evaluation.truths.published import Truth
from testbed.spaces import registry
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.paths import PATH_STATISTICS
from testbed.store import read_scores
from testbed.tables import RANDOM_CIFAR10
from tests.thorough import thorough
from tests.truth_folder import published_truth

# Jung, Lukasik and Keuper, ICLR 2023, table 1: 300 queries, objective FGSM@1, mean of 100 runs.
PAPER = {"random": 67.2, "evolution": 68.8, "local": 69.1}


@pytest.fixture(scope="module")
def targets():
    return Truth.open(published_truth()).targets()


def ends(targets, objective, names, runs, queries=300, proxies=()):
    chosen = truth_objective(targets, [objective])
    job = SearchJob(chosen, queries, chosen.members(), proxies=proxies)
    tasks = job.tasks([ALGORITHMS[name] for name in names], runs)
    return results.best_after(trajectories(job, run_all(job, tasks)))


def test_the_searches_reproduce_the_paper(targets):
    table = ends(targets, "fgsm@1", PAPER, 100).query("query == 300").set_index("algorithm")
    for name, figure in PAPER.items():
        row = 100 * table.loc[name, ["mean", "standard_error"]]
        assert abs(row["mean"] - figure) < 2 * row["standard_error"], name


def test_random_search_is_what_chance_gives(targets):
    values = np.sort(truth_objective(targets, ["fgsm@1"]).values[list(cells().pool), 0])
    # P(largest of 300 of 6,466 is at most the k-th) = C(k, 300) / C(6466, 300).
    k, n, drawn = np.arange(len(values) + 1), len(values), 300
    factors = np.array([np.maximum(k - i, 0) / (n - i) for i in range(drawn)])
    below = factors.prod(axis=0)
    expected = (values * np.diff(below)).sum()
    row = ends(targets, "fgsm@1", ["random"], 300).query("query == 300").iloc[0]
    assert abs(row["mean"] - expected) < 3 * row["standard_error"]
    assert expected == pytest.approx(0.6730, abs=1e-4)


@thorough
def test_the_structural_forest_sees_the_paths_of_each_candidate(targets):
    here = default_candidates()
    names = list(registry.get("nasbench201").structure)
    for place in (0, 284, 10052, 15624):
        genotype = Genotype.parse(here.space.name(place))
        for name in ("paths_pool_min", "paths_conv3_mean"):
            value = np.float32(PATH_STATISTICS[name](genotype))
            assert here.structure[place, names.index(name)] == value
        skips = sum(genotype.operations[edge] == "skip_connect" for edge in genotype.live_edges())
        assert here.structure[place, names.index("live_skip")] == skips
    pool = list(here.space.pool)
    apgd = targets["apgd@1"].reindex(here.labels[pool])
    alone = here.space.one_hot(pool)
    both = np.hstack([alone, here.structure[pool]])
    taus = [held_out_taus(x, apgd.tolist(), 100, 4).mean() for x in (alone, both)]
    assert taus[1] > taus[0] + 0.1


def test_a_job_gives_the_structure_to_the_algorithm_that_needs_it_alone(targets, monkeypatch):
    chosen, seen = truth_objective(targets, ["fgsm@1"]), []

    def noted(self, proxy=None, features=None):
        seen.append((self.name, None if features is None else features.shape))
        return ALGORITHMS["random"].function

    monkeypatch.setattr(Algorithm, "searcher", noted)
    job = SearchJob(chosen, 3, chosen.members())
    names = ["random", "predictor", "predictor-structure"]
    run_all(job, job.tasks([ALGORITHMS[name] for name in names], 1))
    wide = default_candidates().structure.shape
    assert seen == [("random", None), ("predictor", None), ("predictor-structure", wide)]


def test_bananas_reaches_local_search(targets):
    best = ends(targets, "fgsm@1", ["bananas"], 4).query("query == 300")["mean"].item()
    assert best >= 0.69


def test_a_bad_proxy_harms_a_warm_up_more_than_an_order(targets):
    bad = choose_proxies(read_scores(RANDOM_CIFAR10), ["-jacobian_norm"])
    names = ["local-ordered", "evolution-warm-up"]
    table = ends(targets, "fgsm@1", names, 30, queries=50, proxies=bad).query("query == 50")
    plain = ends(targets, "fgsm@1", ["local", "evolution"], 30, queries=50).query("query == 50")
    lost = plain["mean"].to_numpy() - table["mean"].to_numpy()
    assert lost[0] < 0.03
    assert lost[1] > 0.04


def test_the_first_network_by_params_needs_no_query(targets):
    values = truth_objective(targets, ["fgsm@1"]).values[:, 0]
    table = top_ones(read_scores(RANDOM_CIFAR10), values).set_index("proxy")
    assert set(table.index) == {
        "params", "flops", "paths_pool_min", "jacobian_norm", "hessian_input", "hessian_params"
    }  # fmt: skip
    assert table.loc["params", "highest"] == pytest.approx(0.680)
    assert table.loc["params", "tied_highest"] == 1


@thorough
@pytest.mark.parametrize(
    ("target", "few", "many"),
    [("fgsm@1", 0.51, 0.70), ("pgd@1", 0.23, 0.53)],
)
def test_the_floor_of_predictors(targets, target, few, many):
    pool = list(cells().pool)
    values = truth_objective(targets, [target]).values[pool, 0].tolist()
    taus = held_out_taus(operation_counts()[pool], values, 32, 20)
    error = taus.std(ddof=1) / np.sqrt(len(taus))
    assert abs(taus.mean() - few) < 2.5 * error
    taus = held_out_taus(cells().one_hot(pool), values, 1024, 3)
    assert taus.mean() == pytest.approx(many, abs=0.02)


def test_the_optimum_above_the_table(targets):
    problem = truth_problem(Truth.open(published_truth()), ["fgsm@1"], read_scores(RANDOM_CIFAR10))
    best = results.optimum(problem.accuracies(), cells().pool)
    assert best[["clean", "fgsm@1", "pgd@1", "apgd@1", "square@1"]].tolist() == [
        0.946, 0.692, 0.588, 0.540, 0.736,
    ]  # fmt: skip
