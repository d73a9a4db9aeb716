"""The contract of all searchers, and each one's own idea."""

import inspect
import math
import random

import numpy as np
import pytest

from evaluation.search import Answer, BudgetSpent, Queries, Space, search
from evaluation.search.ensemble import Ensemble
from evaluation.search.evolution import evolution
from evaluation.search.local_search import local_search
from evaluation.search.predictor import proxy_features
from evaluation.search.random_search import random_search
from evaluation.search.ranked import ranked
from evaluation.search.registry import ALGORITHMS, UnknownAlgorithmError, choose
from evaluation.search.tpe import ExtraMissingError
from tests.search_toys import hill, random_heights, toy_space

LARGE = Space({str(i): range(4) for i in range(5)})
OWN = [name for name, algorithm in ALGORITHMS.items() if algorithm.extra is None]


def searcher(name, proxy):
    if ALGORITHMS[name].extra is not None:
        pytest.importorskip("optuna", reason="the extra 'optuna' is not installed")
    return ALGORITHMS[name].searcher(proxy)


def asked(queries):
    return [query.candidate for query in queries.trajectory]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_spends_its_budget_on_different_candidates(name):
    height = random_heights(LARGE)
    found = search(searcher(name, height), LARGE, height, 45, "seed")
    assert len(asked(found)) == len(set(asked(found))) == 45
    assert [query.value for query in found.trajectory] == [height(c) for c in asked(found)]
    seconds = [query.seconds for query in found.trajectory]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_search_is_settled_by_its_seed(name):
    height = random_heights(LARGE)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - whoever draws from the global state is found out
    first = search(searcher(name, height), LARGE, height, 30, "a")
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    again = search(searcher(name, height), LARGE, height, 30, "a")
    assert asked(first) == asked(again)
    if name != "rank":  # a proxy without ties leaves nothing to draw
        assert asked(first) != asked(search(searcher(name, height), LARGE, height, 30, "b"))


@pytest.mark.parametrize("name", OWN)
def test_a_space_smaller_than_the_budget_is_asked_out(name):
    space = toy_space()
    height = hill(space)
    assert sorted(asked(search(searcher(name, height), space, height, 1000))) == list(range(24))
    few = space.restricted([0, 1, 7, 23])
    assert sorted(asked(search(searcher(name, height), few, height, 1000))) == [0, 1, 7, 23]


@pytest.mark.parametrize("name", OWN)
def test_scores_that_are_missing_stop_nobody(name):
    height = random_heights(LARGE)

    def partly(candidate):
        return math.nan if candidate % 3 else height(candidate)

    values = [q.value for q in search(searcher(name, height), LARGE, partly, 60).trajectory]
    assert len(values) == 60
    assert any(map(math.isnan, values))
    nothing = search(searcher(name, height), LARGE, lambda candidate: math.nan, 40)
    assert len(nothing.trajectory) == 40


def test_a_repeated_query_costs_nothing_until_the_last():
    calls = []
    ask = Queries(lambda candidate: calls.append(candidate) or 0.5, 2)
    assert [ask(1), ask(1), ask(1), ask(2)] == [0.5] * 4
    assert calls == [1, 2]
    with pytest.raises(BudgetSpent):
        ask(1)


def test_a_score_that_is_missing_is_answered_as_the_worst():
    ask = Queries(lambda candidate: math.nan, 1)
    assert ask(1) == -math.inf
    assert math.isnan(ask.trajectory[0].value)


def test_the_cost_of_an_answer_is_what_it_says():
    ask = Queries(lambda candidate: Answer(0.5, 100.0 * candidate), 2)
    ask(1), ask(2)
    first, second = (query.seconds for query in ask.trajectory)
    assert 100 <= first < 110
    assert 300 <= second < 310


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_of_nothing_is_refused(budget):
    with pytest.raises(ValueError, match="at least 1 query"):
        search(random_search, toy_space(), float, budget)


def test_random_search_finds_what_chance_promises():
    size, queries = len(LARGE), 30
    height = random_heights(LARGE)
    runs = [
        max(q.value for q in search(random_search, LARGE, height, queries, seed).trajectory)
        for seed in range(400)
    ]
    # The largest of n of N numbers 0 … N − 1, drawn without replacement.
    expected = (queries * (size + 1) / (queries + 1) - 1) / size
    error = np.std(runs, ddof=1) / math.sqrt(len(runs))
    assert abs(np.mean(runs) - expected) < 3 * error


def test_local_search_climbs_a_hill_at_once():
    space = Space({str(i): range(5) for i in range(6)})
    height = hill(space)
    found = search(local_search, space, height, 150, 0)
    assert max(query.value for query in found.trajectory) == height(5**6 - 1)
    # In the order of the score itself the first neighbour is the best one: six steps are enough.
    ordered = search(lambda *a: local_search(*a, proxy=height), space, height, 150, 0)
    top = [query.value for query in ordered.trajectory].index(height(5**6 - 1))
    assert top < 10 + 6


def test_local_search_starts_again_from_a_dead_end():
    space = toy_space().restricted([0, 23])  # no neighbours
    assert sorted(asked(search(local_search, space, hill(space), 2))) == [0, 23]


def test_evolution_breeds_the_best_of_a_tournament_and_buries_the_oldest():
    height, source = random_heights(LARGE), random.Random(3)
    ask = Queries(height, 200)
    with pytest.raises(BudgetSpent):
        evolution(LARGE, ask, source, population=8, tournament=8, probability=0.01)
    order = asked(ask)
    alive = order[:8]
    for child in order[8:60]:
        parent = max(alive, key=height)
        if any(c not in order[: order.index(child)] for c in LARGE.neighbours(parent)):
            # With so small a probability a mutant is nearly always a neighbour.
            digits = LARGE.one_hot([parent, child])
            assert (digits[0] != digits[1]).sum() in (2, 4)
        alive = [*alive[1:], child]


def test_a_warm_up_begins_with_what_the_proxy_likes():
    height = random_heights(LARGE)
    options = {"population": 10, "warm_up": len(LARGE), "proxy": height}
    found = search(lambda *a: evolution(*a, **options), LARGE, height, 10)
    values = [query.value for query in found.trajectory]
    assert values == sorted(map(height, LARGE.pool), reverse=True)[:10]


def test_a_filter_lets_the_proxy_choose_the_child():
    def mean_of_children(**options):
        seeds = range(20)
        runs = [
            search(lambda *a: evolution(*a, **options), LARGE, lambda c: 0.0, 60, s) for s in seeds
        ]
        return np.mean([height(c) for run in runs for c in asked(run)[30:]])

    height = random_heights(LARGE)
    assert mean_of_children(proxy=height, offspring=10) > 0.75
    assert abs(mean_of_children(proxy=height, offspring=1) - 0.5) < 0.05


def test_ranking_asks_in_the_order_of_the_proxy_and_draws_among_equals():
    found = search(lambda *a: ranked(*a, proxy=lambda c: c // 8), toy_space(), float, 24, 1)
    assert [c // 8 for c in asked(found)] == [2] * 8 + [1] * 8 + [0] * 8
    assert asked(found)[:8] != sorted(asked(found)[:8])


def test_the_ensemble_has_the_gradient_that_differences_show():
    source = np.random.default_rng(0)
    ensemble = Ensemble(3, source, networks=2, hidden=(4, 4))
    inputs = source.normal(size=(6, 3)).astype(np.float32)
    targets = source.normal(size=(1, 6, 1)).astype(np.float32) * 10
    ensemble._backward(inputs, targets)
    gradient = ensemble._gradient.copy()

    def loss():
        output = ensemble._forward(inputs)[-1].astype(np.float64)
        return np.abs(output - targets).mean(axis=1).sum()

    for place in source.choice(len(gradient), 20, replace=False):
        start = ensemble._flat[place]
        ensemble._flat[place] = start + 1e-3
        up = loss()
        ensemble._flat[place] = start - 1e-3
        slope = (up - loss()) / 2e-3
        ensemble._flat[place] = start
        assert gradient[place] == pytest.approx(slope, abs=2e-3)


def test_the_ensemble_learns_and_doubts_what_it_has_not_seen():
    source = np.random.default_rng(0)
    inputs = source.uniform(-1, 1, (200, 4)).astype(np.float32)
    targets = 3 + inputs @ np.array([1.0, -2.0, 0.5, 0.0])
    ensemble = Ensemble(4, source)
    ensemble.fit(inputs, targets.tolist(), steps=300)
    mean, spread = ensemble.predict(inputs)
    assert np.abs(mean - targets).mean() < 0.15
    assert ensemble.predict(20 * inputs)[1].mean() > 5 * spread.mean()


@pytest.mark.parametrize("name", ["bananas", "predictor", "tpe"])
def test_what_learns_beats_random_search_on_a_hill(name):
    space = Space({str(i): range(5) for i in range(6)})

    def best(function):
        runs = [search(function, space, hill(space), 60, seed).trajectory for seed in range(5)]
        return np.mean([max(query.value for query in run) for run in runs])

    assert best(searcher(name, None)) > best(random_search) + 2


def test_proxies_enter_a_forest_as_ranks():
    scores = np.array([[3.0, np.nan], [1e9, 5.0], [-np.inf, 5.0], [np.nan, 1.0]])
    expected = [[0.5, 0.0], [1.0, 2.5 / 3], [0.0, 2.5 / 3], [0.0, 1 / 3]]
    assert proxy_features(scores) == pytest.approx(np.array(expected))


def test_choosing_algorithms():
    assert [a.name for a in choose(["all"], False)][:4] == [
        "random",
        "evolution",
        "local",
        "bananas",
    ]
    assert {"local", "local-ordered", "rank"} <= {a.name for a in choose(["all"], True)}
    assert "tpe" not in {a.name for a in choose(["all"], True)}
    assert [a.name for a in choose(["local"], True)] == ["local-ordered"]
    assert [a.name for a in choose(["local", "local"], False)] == ["local"]
    with pytest.raises(UnknownAlgorithmError, match="known are all, random"):
        choose(["anneal"], False)
    with pytest.raises(UnknownAlgorithmError, match="needs a proxy"):
        choose(["rank"], False)
    with pytest.raises(UnknownAlgorithmError, match="no algorithm"):
        choose([], False)


def test_algorithms_without_a_proxy_take_none():
    for algorithm in ALGORITHMS.values():
        takes = "proxy" in inspect.signature(algorithm.function).parameters
        assert takes or algorithm.needs != "proxy"
        assert set(algorithm.options) <= set(inspect.signature(algorithm.function).parameters)


def test_without_optuna_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ExtraMissingError, match="pip install"):
        search(ALGORITHMS["tpe"].searcher(), LARGE, float, 5)
