"""Scores made of others: by the formulas, and forests that have not seen what they predict."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, rankdata
from typer.testing import CliRunner

from evaluation.correlate import app
from evaluation.ranking import combined
from evaluation.ranking.score_columns import RankingError
from evaluation.ranking.table import rank
from evaluation.truths.published import Truth
from testbed.spaces.nasbench201.cost import flops
from testbed.spaces.nasbench201.genotype import Genotype
from tests.score_frames import frame, row_of, score_rows
from tests.truth_folder import IDS, write_truth


@pytest.fixture
def truth(tmp_path):
    return Truth.open(write_truth(tmp_path / "truth"))


@pytest.fixture
def scores():
    table = frame(score_rows("a"), score_rows("b", seeds=(0, 1)), score_rows("c"))
    generator = np.random.default_rng(3)
    return table.assign(value=generator.normal(size=len(table)).round(1))


def column(scores, name):
    return (
        scores.loc[scores["proxy"] == name]
        .groupby("network", sort=False)["value"]
        .mean()
        .to_numpy()
    )


def test_rules_are_their_formulas(truth, scores):
    a, b = column(scores, "a"), column(scores, "b")
    sizes = [flops(Genotype.from_index(i)) for i in IDS]
    r = lambda values: rankdata(values) / len(values)  # noqa: E731
    expected = {
        "x=log_ranks(a,b,flops)": np.log(r(a)) + np.log(r(b)) + np.log(r(sizes)),
        "x=log_ranks(a, -b)": np.log(r(a)) + np.log(r(-b)),
        "x=ranks(2*a,-b)": (2 * r(a) + r(-b)) / 3,
        "x=ranks(-.5*b,a)": (0.5 * r(-b) + r(a)) / 1.5,
        "x=values(2*a,-1e-1*b)": 2 * a - 0.1 * b,
    }
    for text, values in expected.items():
        ranking = rank(scores, truth, ["c"], ["fgsm@1"], combine=[text])
        np.testing.assert_allclose(ranking.values["x"], values, rtol=1e-12)
        tau = kendalltau(ranking.values["x"], truth.targets()["fgsm@1"]).statistic
        assert row_of(ranking.table, proxy="x")["tau"] == pytest.approx(tau, abs=1e-12)
        assert list(ranking.columns) == ["params", "flops", "paths_pool_min", "c", "x"]
        (said,) = ranking.combined
        assert "nothing is fitted" in said


def test_a_forest_predicts_no_network_that_it_saw(truth, scores, monkeypatch):
    from sklearn import ensemble

    seen = []

    class Watched(ensemble.RandomForestRegressor):
        def fit(self, X, y):
            seen.append({tuple(row) for row in X})
            assert len(X) == 15
            return super().fit(X, y)

        def predict(self, X):
            assert not seen[-1] & {tuple(row) for row in X}
            return super().predict(X)

    monkeypatch.setattr(ensemble, "RandomForestRegressor", Watched)
    table = scores.assign(value=np.random.default_rng(0).normal(size=len(scores)))
    text = "f=forest(a,c; target=FGSM@1, n=15, seed=2)"
    first = rank(table, truth, ["a"], ["clean"], combine=[text])
    assert len(seen) == combined.FOLDS
    again = rank(table.sample(frac=1, random_state=1), truth, ["a"], ["clean"], combine=[text])
    pd.testing.assert_series_equal(first.values["f"], again.values["f"])
    (said,) = first.combined
    assert "fitted to FGSM@1 of 15 networks outside each fifth of 40 (seed 2)" in said
    assert "no training-free score" in said
    other = rank(table, truth, ["a"], ["clean"], combine=[text.replace("2)", "3)")])
    assert not first.values["f"].equals(other.values["f"])


def test_a_forest_of_noise_finds_nothing(truth, scores):
    """A forest that had seen what it predicts would rank it nearly right."""
    generator = np.random.default_rng(5)
    taus = []
    for seed in range(6):
        table = scores.assign(value=generator.normal(size=len(scores)))
        text = f"f=forest(a,b,c; target=fgsm@1, n=30, seed={seed})"
        ranking = rank(table, truth, ["a"], ["fgsm@1"], combine=[text])
        taus.append(row_of(ranking.table, proxy="f")["tau"])
    assert abs(np.mean(taus)) < 0.2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "takes name=rule(part,part)"), ("x=sum(a)", "unknown rule 'sum'"),
        ("x=rank(a)", "did you mean 'ranks'?"), ("x=ranks(q)", "unknown score 'q'"),
        ("x=ranks(fl0ps)", "did you mean 'flops'?"), ("a=ranks(b)", "named 'a' already"),
        ("x=ranks(a,a)", "a part twice"), ("x=ranks(a,)", "got ''"), ("x=ranks(0*a)", "a part is"),
        ("x=ranks(a; n=3)", "only a forest has options"), ("x=forest(a)", "target=…, n=…"),
        ("x=forest(-a; target=clean, n=9)", "own weights and signs"),
        ("x=forest(a; target=claen, n=9)", "did you mean 'clean'?"),
        ("x=forest(a; target=clean, n=9, n=8)", "each once"),
        ("x=forest(a; target=clean, n=-1)", "whole numbers"),
        ("x=forest(a; target=clean, n=33)", "2 to 32 networks outside each"),
    ],
)  # fmt: skip
def test_what_cannot_be_combined_is_refused(truth, scores, text, said):
    with pytest.raises(RankingError) as caught:
        rank(scores, truth, combine=[text])
    assert said in str(caught.value)


def test_command_prints_combinations_and_what_they_saw(truth, tmp_path, scores):
    scores.to_csv(tmp_path / "scores.csv", index=False)
    words = ["--scores", tmp_path / "scores.csv", "--truth", truth.root, "--targets", "clean"]
    words += ["--combine", "az=log_ranks(a,b)", "--combine", "f=forest(a,b; target=clean, n=20)"]
    result = CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "300"})
    assert result.exit_code == 0, result.output
    assert "az=log_ranks(a,b): ranks are among 40 networks, and nothing is fitted." in result.stdout
    assert "f=forest(a,b; target=clean, n=20, seed=0): fitted to clean of 20" in result.stdout
    assert any(line.startswith("az ") for line in result.stdout.splitlines())


def test_a_group_stands_for_those_of_its_proxies_that_have_scores(truth, scores):
    names = {"a": "snip", "b": "zen", "c": "hessian_input"}
    scores = scores.assign(proxy=scores["proxy"].map(names))
    ranking = rank(scores, truth, ["saliency", "zen", "snip"], ["fgsm@1"])
    assert set(ranking.columns) == {"params", "flops", "paths_pool_min", "snip", "zen"}
    ranking = rank(scores, truth, ["all"], ["fgsm@1"])
    assert set(ranking.columns) >= {*names.values()}
    with pytest.raises(RankingError, match="no score is of the group robust; the scores have hess"):
        rank(scores, truth, ["robust", "snip"], ["fgsm@1"])
    own = scores.assign(proxy=scores["proxy"].replace("zen", "robust"))  # a score of that name
    assert "robust" in rank(own, truth, ["robust"], ["fgsm@1"]).columns
