import math
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from evaluation.correlation import (
    confidence_interval,
    holm,
    noise_ceiling,
    partial_tau_b,
    spearman,
    tau_b,
    tau_difference,
    top_precision,
    weighted_tau,
    winners,
)
from evaluation.ranking.score_columns import BASELINES
from evaluation.ranking.statistics_table import print_statistics
from evaluation.ranking.table import rank
from evaluation.truths.published import Truth
from testbed.spaces.nasbench201.cost import flops, parameters
from testbed.spaces.nasbench201.functional_twins import functional_twins
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.isomorphism import unique_ids
from testbed.spaces.nasbench201.paths import PATH_STATISTICS, live_paths
from tests.score_frames import frame, row_of, score_rows
from tests.truth_folder import IDS, published_truth, write_table, write_truth


@pytest.fixture
def truth(tmp_path):
    return Truth.open(write_truth(tmp_path / "truth"))


def pools(path):
    return path.count("avg_pool_3x3")


def partial_of_many(variables):
    """Return the partial τ-b of the first two given the rest, of the inverse of the matrix of τ.

    Its error is by the delta method, with differences in place of derivatives.
    """
    pairs = [(i, j) for i in range(len(variables)) for j in range(i)]
    taus = [tau_b(variables[i], variables[j]) for i, j in pairs]

    def partial(values):
        matrix = np.eye(len(variables))
        for (i, j), value in zip(pairs, values, strict=True):
            matrix[i, j] = matrix[j, i] = value
        inverse = np.linalg.inv(matrix)
        return -inverse[0, 1] / math.sqrt(inverse[0, 0] * inverse[1, 1])

    values, step = np.array([tau.tau for tau in taus]), 1e-6
    shifts = step * np.eye(len(values))
    slopes = [(partial(values + s) - partial(values - s)) / (2 * step) for s in shifts]
    influence = sum(slope * tau.influence for slope, tau in zip(slopes, taus, strict=True))
    return partial(values), influence.std(ddof=1) / math.sqrt(len(variables[0]))


def test_every_statistic_of_a_row_is_the_one_of_its_two_columns(truth):
    scores = frame(score_rows(), score_rows("other"))
    ranking = rank(scores, truth, targets=["all"], top=0.2)
    accuracies = truth.targets()
    clean, params = accuracies["clean"], [parameters(Genotype.from_index(i)) for i in IDS]
    paths = [min(map(pools, live_paths(Genotype.from_index(i))), default=0) for i in IDS]
    for name, y in accuracies.items():
        for proxy in ("norm", "other"):
            x = scores.loc[scores["proxy"] == proxy, "value"].to_numpy()
            row, tau, base = row_of(ranking.table, proxy=proxy, target=name), tau_b(x, y), None
            given_clean, given_params = partial_tau_b(x, y, clean), partial_tau_b(x, y, params)
            given_paths, lead = partial_tau_b(x, y, paths), tau_b(paths, y)
            both, both_error = partial_of_many([x, y, params, paths])
            lead_gap = tau_difference(tau, lead, sign=-1 if tau.tau * lead.tau < 0 else 1)
            base = tau_b(params, y)
            gap = tau_difference(tau, base, sign=-1 if tau.tau * base.tau < 0 else 1)
            expected = {
                "low": confidence_interval(tau)[0],
                "high": confidence_interval(tau)[1],
                "spearman": spearman(x, y),
                "weighted_tau": weighted_tau(x, y),
                "top_precision": top_precision(x if tau.tau >= 0 else -x, y, 0.2),
                "partial_clean": given_clean.tau,
                "partial_clean_error": given_clean.standard_error,
                "partial_params": given_params.tau,
                "partial_params_error": given_params.standard_error,
                "partial_paths": given_paths.tau,
                "partial_both": both,
                "partial_both_error": both_error,
                "difference_paths": abs(tau.tau) - abs(lead.tau),
                "difference_paths_error": lead_gap.standard_error,
                "difference_params": abs(tau.tau) - abs(base.tau),
                "difference_params_error": gap.standard_error,
                "difference_params_p": gap.p,
                "score_tie_fraction": 0,
            }
            np.testing.assert_allclose(
                row[list(expected)].astype(float), list(expected.values()), rtol=1e-6
            )
    assert math.isnan(row_of(ranking.table, proxy="norm", target="clean")["partial_clean"])


def test_corrections_are_over_the_whole_table(truth):
    scores = frame(score_rows(), score_rows("other"))
    ranking = rank(scores, truth, targets=["clean", "fgsm@1", "fog@1"])
    table = ranking.table
    p = table["difference_params_p"]
    assert p.notna().sum() == 6
    assert p[table["proxy"].isin(list(BASELINES))].isna().all()
    np.testing.assert_array_equal(table["difference_params_holm"], holm(p))
    accuracies = truth.targets()
    values = {q: scores.loc[scores["proxy"] == q, "value"].to_numpy() for q in ("norm", "other")}
    np.testing.assert_array_equal(table["difference_paths_holm"], holm(table["difference_paths_p"]))
    closed = {
        "params": parameters,
        "flops": flops,
        "paths_pool_min": PATH_STATISTICS["paths_pool_min"],
    }
    assert tuple(closed) == BASELINES
    first = {name: [of(Genotype.from_index(i)) for i in IDS] for name, of in closed.items()}
    values = {**first, **values}
    expected = winners(
        {t: {q: tau_b(v, accuracies[t]) for q, v in values.items()} for t in ranking.winners}
    )
    for target, winner in expected.items():
        found = ranking.winners[target]
        assert (found.name, found.p) == (winner.name, pytest.approx(winner.p))
        (won,) = table.loc[(table["target"] == target) & table["winner"], "winner_holm"]
        assert won == pytest.approx(winner.p)


def test_ceilings_come_from_the_twins_of_the_sample(tmp_path):
    truth = Truth.open(write_truth(tmp_path / "truth", ids=unique_ids()[:900]))
    ids = unique_ids()[:800]
    table = rank(frame(score_rows(ids=ids)), truth, targets=["clean", "apgd@8"]).table
    twins = functional_twins(ids)
    assert len(twins) > 20
    groups = [[ids.index(i) for i in group] for group in twins]
    y = truth.targets()["clean"].loc[list(ids)]
    ceilings = table.loc[table["target"] == "clean", "ceiling"]
    assert set(ceilings) == {noise_ceiling(y, groups)}
    # Made-up accuracies: twins differ as any two networks do.
    assert ceilings.iloc[0] < 0.6
    few = rank(frame(score_rows(ids=ids[:40])), truth, targets=["clean"]).table
    assert few["ceiling"].isna().all()


def test_degenerate_pairs_are_named(truth):
    scores = frame(score_rows(), score_rows("flat"), score_rows("steps"))
    scores.loc[scores["proxy"] == "flat", "value"] = 1.0
    scores.loc[scores["proxy"] == "steps", "value"] = [0.0] * 30 + [1.0] * 10
    write_table(truth.root, "fog", "accuracy", {str(i): [0.5] * 5 for i in IDS})
    ranking = rank(scores, truth, targets=["fgsm@1", "apgd@8", "fog@1"])
    found = {
        (row.proxy, row.target): row.degenerate
        for row in ranking.table.itertuples()
        if row.proxy not in BASELINES
    }
    assert found == {
        ("norm", "fgsm@1"): "", ("norm", "apgd@8"): "tied target",
        ("norm", "fog@1"): "constant target",
        ("flat", "fgsm@1"): "constant score", ("flat", "apgd@8"): "constant score; tied target",
        ("flat", "fog@1"): "constant score; constant target",
        ("steps", "fgsm@1"): "tied score", ("steps", "apgd@8"): "tied score; tied target",
        ("steps", "fog@1"): "tied score; constant target",
    }  # fmt: skip
    assert ranking.winners["fog@1"] is None
    flat = row_of(ranking.table, proxy="flat", target="fgsm@1")
    assert flat[["tau", "low", "spearman", "partial_clean", "difference_params"]].isna().all()


def test_a_truth_without_clean_accuracies_has_no_partial_given_them(truth):
    (truth.root / "cifar10" / "clean_accuracy.json").unlink()
    row = row_of(rank(frame(score_rows()), truth, targets=["fog@1"]).table, proxy="norm")
    assert math.isnan(row["partial_clean"])
    assert not math.isnan(row["partial_params"])


def test_print_shows_each_target_and_who_wins(truth):
    ranking = rank(frame(score_rows(), score_rows("other")), truth, targets=["clean", "fgsm@1"])
    console = Console(file=StringIO(), width=140)
    print_statistics(ranking, console)
    text = console.file.getvalue()
    assert text.count("Largest |τ|: ") == 2
    assert "FGSM@1\n" in text.replace(" ", "")
    for row in ranking.table.itertuples():
        for value in (row.low, row.high, row.spearman, row.weighted_tau, row.partial_params):
            if value == value:
                assert f"{value:+.3f}".replace("0.", ".", 1) in text


@pytest.mark.parametrize("target", ["clean", "pgd@1"])
def test_published_intervals_hold_the_published_tau_of_the_baseline(target):
    truth = Truth.open(published_truth())
    scores = frame(score_rows(ids=unique_ids()[:2]))
    row = rank(scores, truth, proxies=["params"], targets=[target]).table.iloc[0]
    tau = {"clean": 0.608, "pgd@1": 0.236}[target]
    assert row["low"] < tau < row["high"]
    assert row["high"] - row["low"] < 0.04
    assert row["tau"] < row["ceiling"]
