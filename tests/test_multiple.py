import math

import numpy as np
import pytest

from evaluation.correlation import holm, tau_b, tau_difference, winners


def test_holm_by_hand():
    # .01·4, .02·3, .03·2 raised to .06, .04·1 raised to .06.
    np.testing.assert_allclose(holm([0.03, 0.01, 0.04, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.001, 0.9]), [1, 0.003, 1])
    np.testing.assert_allclose(holm([0.02, math.nan, 0.01]), [0.02, math.nan, 0.02])
    np.testing.assert_allclose(holm([[0.02], [0.01]]), [[0.02], [0.02]])
    assert holm([]).shape == (0,)
    with pytest.raises(ValueError, match=r"lie in \[0, 1\]; got -1 to 0.5"):
        holm([0.5, -1])


def test_holm_keeps_false_rejections_of_a_family_below_its_level():
    generator = np.random.default_rng(0)
    families = [holm(generator.random(10)).min() < 0.05 for _ in range(4000)]
    assert 0.035 < np.mean(families) < 0.065


def scores(n=400, seed=1):
    generator = np.random.default_rng(seed)
    y = generator.normal(size=n)
    good, close, poor = (y + s * generator.normal(size=n) for s in (0.5, 0.52, 3.0))
    return y, good, close, poor


def test_a_clear_winner_is_significant_and_a_close_one_is_not():
    y, good, close, poor = scores()
    table = {
        "clear": {"poor": tau_b(poor, y), "good": tau_b(-good, y)},
        "close": {n: tau_b(v, y) for n, v in (("g", good), ("c", close), ("p", poor))},
    }
    result = winners(table)
    clear, near = result["clear"], result["close"]
    assert (clear.name, clear.runner_up, clear.significant) == ("good", "poor", True)
    assert {near.name, near.runner_up} == {"g", "c"}
    assert not near.significant
    # Three comparisons in the table, each multiplied as Holm says.
    first, second = table["close"][near.name], table["close"][near.runner_up]
    p = tau_difference(first, second).p
    assert near.p == pytest.approx(p)
    assert 0.05 < near.p <= 1


def test_more_targets_ask_more_of_each_winner():
    y, good, _, poor = scores(60, 3)
    weak = {"a": tau_b(good + poor, y), "b": tau_b(poor, y)}
    alone = winners({"t": weak})["t"]
    coins = np.random.default_rng(4).normal(size=(40, 60))
    noise = {str(i): {"a": tau_b(a, y), "b": tau_b(a[::-1], y)} for i, a in enumerate(coins)}
    together = winners({"t": weak, **noise})["t"]
    assert alone.p < together.p
    assert alone.name == together.name


def test_scores_that_rank_alike_are_no_rivals():
    y, good, _, poor = scores()
    table = {"t": {"a": tau_b(good, y), "b": tau_b(-(good**3), y), "c": tau_b(poor, y)}}
    winner = winners(table)["t"]
    assert (winner.name, winner.tied, winner.runner_up) == ("a", ("b",), "c")
    assert winner.significant


def test_undefined_targets_have_no_winner_and_one_score_beats_nobody():
    y, good, *_ = scores(20)
    result = winners({"dead": {"a": tau_b(good, np.zeros(20))}, "lone": {"a": tau_b(good, y)}})
    assert result["dead"] is None
    assert result["lone"].name == "a"
    assert not result["lone"].significant
    assert math.isnan(result["lone"].p)
