"""Objectives, proxies, studies and their tables, on scores made up for all cells."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest

from evaluation.ranking.score_columns import RankingError
from evaluation.search import results
from evaluation.search.base import Query
from evaluation.search.cells import candidate_of, cells, published_ids
from evaluation.search.curves import curves, front_figure, save, steps
from evaluation.search.held_out import held_out_taus
from evaluation.search.job import SearchJob, Task, trajectories
from evaluation.search.objectives import ObjectiveError, Tabular, truth_objective
from evaluation.search.output import readable, write_table
from evaluation.search.pareto import front, hypervolume
from evaluation.search.problem import truth_problem
from evaluation.search.proxy_scores import ProxyScores, choose_proxies, top_one, top_ones
from evaluation.search.registry import ALGORITHMS
from evaluation.search.running import run_all
from evaluation.truths.published import Truth
from testbed.spaces.nasbench201.cost import parameters
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.isomorphism import representatives
from tests.score_frames import frame, score_rows
from tests.thorough import thorough
from tests.truth_folder import IDS, write_truth

SIZE = 15_625


@pytest.fixture(scope="module")
def heights():
    return np.random.default_rng(0).random((SIZE, 2))


@pytest.fixture
def truth(tmp_path):
    return Truth.open(write_truth(tmp_path / "truth"))


def of(index):
    return candidate_of(Genotype.from_index(index))


def test_a_truth_becomes_scores_of_its_candidates(truth):
    targets = truth.targets()
    objective = truth_objective(targets, ["FGSM@1", "clean"])
    assert objective.targets == ("fgsm@1", "clean")
    assert objective.members() == tuple(sorted(of(index) for index in IDS))
    both = objective.scalar([0.25, 0.75])
    for index in IDS:
        row = targets.loc[index]
        assert both(of(index)) == pytest.approx(0.25 * row["fgsm@1"] + 0.75 * row["clean"])
    with pytest.raises(RankingError, match="unknown target 'fgsm@7'"):
        truth_objective(targets, ["fgsm@7"])


def test_members_that_lack_a_score_or_stand_for_no_class_are_left_out(truth):
    targets = truth.targets()
    foreign = next(i for i, lowest in enumerate(representatives()) if i != lowest)
    targets.loc[foreign] = 0.9
    targets.loc[IDS[0], "clean"] = np.nan
    members = truth_objective(targets, ["clean"]).members()
    assert members == tuple(sorted(of(index) for index in IDS[1:]))
    with pytest.raises(ObjectiveError, match="there are 1"):
        truth_objective(targets.loc[[foreign, IDS[1]]], ["clean"]).members()


def test_a_proxy_can_be_the_objective(truth):
    scores = frame(score_rows())
    problem = truth_problem(truth, ["-norm"], scores)
    value = problem.objective.scalar([1.0])
    expected = scores.set_index("network")["value"]
    for index in IDS:
        assert value(of(index)) == -expected[str(Genotype.from_index(index))]
    assert problem.objective.targets == ("−norm",)
    with pytest.raises(ObjectiveError, match="of its own"):
        truth_problem(truth, ["norm", "clean"], scores)


def test_proxies_are_chosen_by_name_or_label():
    scores = frame(
        score_rows(), score_rows("norm", settings='{"batch":64}'), score_rows("trace", seeds=(0, 1))
    )
    (trace,) = choose_proxies(scores, ["trace"])
    assert np.isfinite(trace.values).sum() == len(IDS)
    # A member of a class is not always the same function as the one that stands for it.
    foreign = next(i for i, lowest in enumerate(representatives()) if i != lowest)
    (mixed,) = choose_proxies(frame(score_rows(ids=(*IDS, foreign))), ["norm"])
    assert np.isfinite(mixed.values).sum() == len(IDS)
    (turned,) = choose_proxies(scores, ["-norm (batch=64)"])
    assert turned.name == "−norm (batch=64)"
    with pytest.raises(RankingError, match=r"several proxies fit 'norm'.*batch=16.*batch=64"):
        choose_proxies(scores, ["norm"])
    with pytest.raises(RankingError, match="unknown proxy 'nrom'"):
        choose_proxies(scores, ["nrom"])
    # A baseline needs no scores, and is known of all 6,466.
    (params,) = choose_proxies(scores, ["params"])
    assert params.values[of(IDS[3])] == parameters(Genotype.from_index(IDS[3]))
    assert np.isfinite(params.values).sum() == 6466
    assert params.proxy()(of(1)) == params.values[of(1)]
    assert trace.proxy()(of(6000)) == -np.inf


def test_the_first_of_a_proxy_is_the_mean_of_its_ties():
    values = np.full(SIZE, np.nan)
    scores, pool = values.copy(), cells().pool
    scores[pool[:4]], values[pool[:4]] = [1, 5, 5, 7], [0.1, 0.2, 0.4, np.nan]
    assert top_one(ProxyScores("p", scores), values) == (pytest.approx(0.3), 2)
    assert top_one(ProxyScores("p", -scores), values) == (0.1, 1)
    assert np.isnan(top_one(ProxyScores("p", np.full(SIZE, np.nan)), values)[0])
    table = top_ones(frame(score_rows()), np.arange(SIZE, dtype=float))
    assert table["proxy"].tolist() == ["params", "flops", "paths_pool_min", "norm"]
    assert table["n"].tolist() == [6466, 6466, 6466, len(IDS)]
    largest = frame(score_rows()).set_index("network")["value"].idxmax()
    assert table["highest"].iloc[3] == candidate_of(Genotype.parse(largest))


@thorough
def test_a_study_is_the_same_in_any_number_of_processes(heights):
    params = choose_proxies(frame(score_rows()), ["params", "-flops"])
    job = SearchJob(Tabular(("a", "b"), heights), 25, proxies=params)
    algorithms = [ALGORITHMS[name] for name in ("random", "local-ordered", "predictor")]
    tasks = job.tasks(algorithms, 2)
    assert [(task.algorithm, task.proxy, task.run) for task in tasks] == [
        ("random", None, 0), ("random", None, 1),
        ("local-ordered", 0, 0), ("local-ordered", 0, 1),
        ("local-ordered", 1, 0), ("local-ordered", 1, 1),
        ("predictor", None, 0), ("predictor", None, 1),
    ]  # fmt: skip
    names = [job.name(task) for task in tasks[::2]]
    assert names == [
        "random", "local-ordered (params)", "local-ordered (−flops)", "predictor (params, −flops)"
    ]  # fmt: skip
    here = trajectories(job, run_all(job, tasks))
    there = trajectories(job, run_all(job, tasks[::-1], workers=2))
    keys = ["algorithm", "run", "query"]
    pd.testing.assert_frame_equal(
        here.drop(columns="seconds").sort_values(keys, ignore_index=True),
        there.drop(columns="seconds").sort_values(keys, ignore_index=True),
    )
    assert len(pickle.dumps(job)) < 2_000_000
    # The first ten are drawn, so two proxies are compared on the same draws.
    first = here[here["query"] <= 10].set_index("algorithm")["candidate"]
    assert (first[names[1]].to_numpy() == first[names[2]].to_numpy()).all()


def test_weights_of_several_targets_are_a_sum_of_1_and_differ_from_run_to_run(heights):
    job = SearchJob(Tabular(("a", "b"), heights), 5)
    drawn = np.array([job.weights(run) for run in range(500)])
    assert np.allclose(drawn.sum(axis=1), 1)
    assert drawn.min() > 0
    assert abs(drawn[:, 0].mean() - 0.5) < 0.05
    assert drawn[:, 0].std() == pytest.approx(1 / np.sqrt(12), abs=0.03)  # uniform
    assert SearchJob(Tabular(("a",), heights[:, :1]), 5).weights(3) == [1.0]


def table_of(*runs):
    job = SearchJob(Tabular(("a",), np.zeros((SIZE, 1))), 4)
    done = [
        (Task("random", None, run), [Query(c, v, t) for c, v, t in queries])
        for run, queries in enumerate(runs)
    ]
    return trajectories(job, done)


def test_trajectories_know_the_best_so_far():
    nan = np.nan
    table = table_of([(5, nan, 1), (6, 0.2, 2), (7, 0.2, 3), (8, 0.1, 4), (9, 0.3, 5)])
    assert table["query"].tolist() == [1, 2, 3, 4, 5]
    assert table["best"].tolist() == pytest.approx([nan, 0.2, 0.2, 0.2, 0.3], nan_ok=True)
    assert table["incumbent"].tolist() == [5, 6, 6, 6, 9]


def test_tables_are_means_over_runs():
    table = table_of(
        [(5, 0.1, 1), (6, 0.3, 2)], [(5, 0.1, 1), (7, 0.0, 2)], [(8, 0.2, 1), (9, 0.6, 2)]
    )
    accuracies = pd.DataFrame({"clean": np.arange(SIZE) / 100}).astype(float)
    found = results.found(table, accuracies)
    ends = np.array([0.06, 0.05, 0.09])
    assert found["mean"].item() == pytest.approx(ends.mean())
    assert found["standard_error"].item() == pytest.approx(ends.std(ddof=1) / np.sqrt(3))
    best = results.best_after(table, milestones=(1, 10)).set_index("query")
    assert best.index.tolist() == [1, 2]
    assert best.loc[1, "mean"] == pytest.approx(0.4 / 3)
    assert best.loc[2, "mean"] == pytest.approx(1.0 / 3)
    assert results.best_networks(table)["incumbent"].tolist() == [9]
    alone = results.found(table_of([(5, 0.1, 1)]), accuracies)
    assert np.isnan(alone["standard_error"].item())
    assert results.optimum(accuracies, [3, 8])["clean"] == 0.08


def test_fronts():
    points = np.array([[1, 1], [3, 0.5], [2, 2], [2, 2], [0.5, 3], [3, np.nan], [2.5, 0.4]])
    assert front(points).tolist() == [1, 2, 4]
    assert hypervolume(points) == pytest.approx(3 * 0.5 + 2 * 1.5 + 0.5 * 1)
    assert hypervolume(points, (2.0, 0.0)) == pytest.approx(0.5)
    random = np.random.default_rng(0).integers(0, 6, (300, 3)).astype(float)
    kept = front(random)
    for row in range(300):
        larger = (random >= random[row]).all(axis=1) & (random > random[row]).any(axis=1)
        assert larger.any() != any((random[row] == random[k]).all() for k in kept)
    with pytest.raises(ValueError, match="two scores"):
        hypervolume(random)
    with pytest.raises(ValueError, match=r"\(3,\)"):
        front([1, 2, 3])


def test_the_share_of_a_front_counts_its_points():
    scores = pd.DataFrame({"a": [1.0, 2, 3, 3, 0], "b": [3.0, 2, 1, 1, 0]})
    table = table_of([(0, 1.0, 1), (4, 0.0, 2)], [(0, 1.0, 1), (3, 3.0, 2)])
    points, shares = results.common_front(table, scores, None)
    assert points.index.tolist() == [3, 0]
    assert shares[["on_front", "of"]].to_numpy().tolist() == [[2, 2]]
    _, shares = results.common_front(table, scores, range(5))
    # 3 is as good as 2, which stands for both on the true front.
    assert shares[["on_front", "of"]].to_numpy().tolist() == [[2, 3]]
    assert shares["hypervolume"].item() == pytest.approx(3 * 1 + 1 * 2)


def test_curves_hold_what_the_tables_say(tmp_path):
    table = table_of(
        [(5, 0.1, 1), (6, 0.3, 2), (7, 0.2, 8)], [(5, 0.2, 2), (6, 0.1, 3), (8, 0.6, 4)]
    )
    places, best = steps(table, "query")
    assert places.tolist() == [1, 2, 3]
    assert best.tolist() == [[0.1, 0.3, 0.3], [0.2, 0.2, 0.6]]
    places, best = steps(table, "seconds")
    assert (places[0], places[-1]) == (2, 8)  # from where both have answers
    assert best[:, 0].tolist() == [0.3, 0.2]
    assert best[:, -1].tolist() == [0.3, 0.6]
    assert best[1][places > 4].tolist() == [0.6] * (places > 4).sum()
    figure = curves(table, "query", label="best a", optimum=0.7)
    (line, optimum), (band,) = figure.axes[0].lines, figure.axes[0].collections
    assert line.get_ydata() == pytest.approx([0.15, 0.25, 0.45])
    assert optimum.get_ydata()[0] == 0.7
    half = 1.96 * np.std([0.1, 0.2], ddof=1) / np.sqrt(2)
    low = band.get_paths()[0].vertices[:, 1].min()
    assert low == pytest.approx(0.15 - half)
    assert {path.name for path in save(figure, tmp_path / "curve", ("png", "svg"))} == {
        "curve.png", "curve.svg",
    }  # fmt: skip
    assert (tmp_path / "curve.svg").read_text().startswith("<?xml")
    assert curves(table, "seconds").axes[0].get_xlabel() == "seconds"
    points = pd.DataFrame({"a": [0.1, 0.2], "b": [0.2, 0.1]})
    assert front_figure(points, points, points).axes[0].get_ylabel() == "b"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_trajectories_are_written_with_networks(tmp_path, kind):
    table = readable(table_of([(of(11), 0.1, 1), (of(IDS[-1]), 0.3, 2)]), "FGSM@1")
    path = write_table(table, tmp_path / "folder" / "runs", kind)
    back = pd.read_csv(path) if kind == "csv" else pd.read_parquet(path)
    assert back["id"].tolist() == [11, IDS[-1]]
    assert back["best_id"].tolist() == [11, IDS[-1]]
    assert back["network"].tolist() == [str(Genotype.from_index(i)) for i in (11, IDS[-1])]
    assert {"algorithm", "run", "query", "value", "best", "seconds"} <= set(back)
    assert json.loads(table["value"].to_json(orient="values")) == [0.1, 0.3]


def test_forests_rank_what_they_have_not_seen():
    source = np.random.default_rng(0)
    features = source.random((300, 3)).astype(np.float32)
    values = features[:, 0] * 2 + features[:, 1]
    taus = held_out_taus(features, values.tolist(), 200, 2)
    assert taus.shape == (2,)
    assert taus.min() > 0.75
    assert held_out_taus(features, values.tolist(), 200, 2).tolist() == taus.tolist()
    # Noise cannot be learned: on networks that were fitted to, τ would be near 1.
    noise = held_out_taus(features, source.random(300).tolist(), 200, 3)
    assert np.abs(noise).max() < 0.25
    with pytest.raises(ValueError, match="2 to 298"):
        held_out_taus(features, values.tolist(), 299, 1)
    assert published_ids()[of(11)] == 11
