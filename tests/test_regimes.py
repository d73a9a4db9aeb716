"""Scores for one kind of accuracy each: by hand, by brute force, and the published study."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from evaluation.truths.published import Truth
from testbed.catalogue.registry import chosen
from testbed.spaces import registry
from testbed.spaces.nasbench201.genotype import EDGES, Genotype, enumerate_space
from testbed.spaces.nasbench201.regimes import REGIME_SCORES
from tests.truth_folder import published_truth

RESULT = Path(__file__).parents[1] / "docs" / "study" / "result.csv"
NONE, SKIP, CONV1, CONV3, POOL = (
    "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3",
)  # fmt: skip


def scores(*operations):
    return tuple(score(Genotype(operations)) for score in REGIME_SCORES.values())


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ((CONV3,) * 6, (0, 7, 15, 12)),
        ((NONE, NONE, NONE, SKIP, NONE, NONE), (4, 40, -1, 0)),
        ((NONE, NONE, NONE, POOL, NONE, NONE), (4, 41, -1, -1)),
        # Pooling, then 1x1; a skip beside it: the nonlinear path is smoothed.
        ((POOL, NONE, NONE, SKIP, CONV1, NONE), (1, 10, 0, 0)),
        ((POOL, NONE, POOL, CONV3, NONE, CONV1), (0, 2, 4, 1)),
        ((CONV3, NONE, NONE, NONE, NONE, POOL), (0, 0, 0, 0)),  # no path
    ],
)
def test_by_hand(operations, expected):
    assert scores(*operations) == expected


def brute(genotype):
    """Return the scores from all subsets of edges that form a path, by their ends alone."""
    paths = []
    for size in (1, 2, 3):
        for edges in itertools.combinations(range(6), size):
            ends = [EDGES[edge] for edge in edges]
            joined = all(a[1] == b[0] for a, b in itertools.pairwise(ends))
            words = [genotype.operations[edge] for edge in edges]
            if joined and ends[0][0] == 0 and ends[-1][1] == 3 and NONE not in words:
                paths.append((edges, words))
    if not paths:
        return 0, 0, 0, 0
    live = [genotype.operations[edge] for edge in set().union(*(edges for edges, _ in paths))]
    nonlinear = [words for _, words in paths if {CONV1, CONV3} & set(words)]
    level = min((words.count(POOL) for words in nonlinear), default=4)
    alone = any(set(words) == {SKIP} for _, words in paths)
    three, one = live.count(CONV3), live.count(CONV1)
    longest = max(words.count(CONV3) for _, words in paths)
    linear = len(paths) - len(nonlinear)
    return (
        level, 10 * level + three + 1 - alone, three + longest + three + one - linear,
        2 * three + one - live.count(POOL),
    )  # fmt: skip


def test_all_kinds_of_cells_by_brute_force():
    for genotype in enumerate_space()[::7]:
        assert scores(*genotype.operations) == brute(genotype)


def test_every_score_is_a_proxy():
    assert set(REGIME_SCORES) <= set(registry.get("nasbench201").structure)
    assert set(REGIME_SCORES) <= set(chosen(["structural"]))


def test_ten_rows_of_the_study_are_recomputed():
    table = pd.read_csv(RESULT)
    kept = table[table["score"].isin([*REGIME_SCORES, "params"])]
    targets = Truth.open(published_truth()).targets()
    space = registry.get("nasbench201")
    attacked = ~kept["target"].isin(["mean corruption"])
    for row in kept[attacked].sample(10, random_state=3).itertuples():
        part = targets[targets.index.to_numpy() % 2 == (row.half == "odd")]
        part = part[part["clean"] > 0.9] if row.population == "clean > .9" else part
        score = REGIME_SCORES.get(row.score, space.parameters)
        values = [score(Genotype.from_index(number)) for number in part.index]
        assert len(part) == row.n
        tau = kendalltau(values, part[row.target])[0]
        np.testing.assert_allclose(tau, row.tau, rtol=0, atol=1e-6)
