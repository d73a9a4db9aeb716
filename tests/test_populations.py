"""A second population beside the whole one: who is in it, and its own numbers."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau
from typer.testing import CliRunner

from evaluation.correlate import app
from evaluation.ranking.populations import parse_population
from evaluation.ranking.score_columns import RankingError
from evaluation.ranking.table import rank
from evaluation.truths.published import Truth
from tests.score_frames import frame, row_of, score_rows
from tests.truth_folder import IDS, published_truth, write_table, write_truth


@pytest.fixture
def truth(tmp_path):
    truth = Truth.open(write_truth(tmp_path / "truth"))
    accuracies = {str(i): 0.6 + 0.01 * place for place, i in enumerate(IDS)}
    write_table(truth.root, "clean", "accuracy", accuracies)
    return truth


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("clean > .8", range(21, 40)), ("clean >= 0.8", range(20, 40)), ("clean<.8", range(20)),
        ("Clean <= .8", range(21)), ("clean ≥ .8", range(20, 40)),
        ("clean > .7, clean < .8", range(11, 20)), (".7 < clean < .8", range(11, 20)),
        (".8 ≤ clean", range(20, 40)), (".8 > clean >= .7", range(10, 20)),
    ],
)  # fmt: skip
def test_the_second_population_is_ranked_on_its_own(truth, text, places):
    scores = frame(score_rows(), score_rows("other"))
    ranking = rank(scores, truth, targets=["fgsm@1", "clean"], population=text)
    second = ranking.beside
    assert (ranking.n, ranking.condition) == (40, "")
    pd.testing.assert_frame_equal(
        ranking.table, rank(scores, truth, targets=["fgsm@1", "clean"]).table
    )
    chosen = [IDS[place] for place in places]
    assert second.values.index.tolist() == sorted(chosen)
    assert set(second.table["n"]) == {len(chosen)}
    values = scores.loc[scores["proxy"] == "norm", "value"].to_numpy()[list(places)]
    expected = kendalltau(values, truth.targets().loc[chosen, "fgsm@1"]).statistic
    row = row_of(second.table, proxy="norm", target="fgsm@1")
    assert row["tau"] == pytest.approx(expected, abs=1e-12)
    # All further statistics are those of a table of these networks alone.
    alone = rank(
        scores.loc[scores["network"].isin(names(chosen))], truth, targets=["fgsm@1", "clean"]
    )
    numbers = alone.table.select_dtypes("number").columns
    pd.testing.assert_frame_equal(second.table[numbers], alone.table[numbers])
    assert (
        second.population
        == f"{len(chosen)} of the 6,466 unique networks, those of {condition(text)}"
    )
    assert ranking.whole_table["condition"].tolist() == [""] * 10 + [condition(text)] * 10


def names(ids):
    return frame(score_rows(ids=ids))["network"].unique().tolist()


def condition(text):
    return str(parse_population(text, ["clean"]))


def test_networks_without_the_accuracy_are_told_of(truth):
    write_table(truth.root, "clean", "accuracy", {str(i): 0.9 for i in IDS[3:]})
    ranking = rank(frame(score_rows()), truth, targets=["fgsm@1"], population="clean > .5")
    assert (ranking.n, ranking.beside.n) == (40, 37)
    (note,) = ranking.beside.left_out
    assert note.startswith("3 of the networks have no clean in the truth")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("claen > .9", "unknown target 'claen' in --population (did you mean 'clean'?)"),
        ("clean > 90", "in [0, 1]; got '90'; for 90 % write 0.9"),
        ("clean > nan", "in [0, 1]; got 'nan'"), ("clean > ", "takes a target's threshold"),
        ("clean = .9", "got 'clean = .9'"), ("clean", "got 'clean'"), ("", "got ''"),
        ("clean > .9, ", "got ''"), ("clean >> .9", "takes a target's threshold"),
        ("clean > .5 > .4", "takes a target's threshold"), ("fgsm@1 > 1/2", "got '1/2'"),
        ("clean > .999", "0 of 40 networks satisfy it, and a ranking takes two; clean goes"),
    ],
)  # fmt: skip
def test_conditions_that_cannot_be_are_refused(truth, text, said):
    with pytest.raises(RankingError) as caught:
        rank(frame(score_rows()), truth, targets=["clean"], population=text)
    assert said in str(caught.value)


def test_a_population_that_nobody_asked_for_is_left_out_where_it_tells_nothing(truth):
    for text in ("clean > .999", "clean > .8", "clean >= 0"):
        assert rank(frame(score_rows()), truth, population=text, unasked=True).beside is None
    assert rank(frame(score_rows()), truth, population="all").beside is None


def test_command_shows_both_side_by_side(truth, tmp_path):
    frame(score_rows()).to_csv(tmp_path / "scores.csv", index=False)
    words = [
        "--scores",
        tmp_path / "scores.csv",
        "--truth",
        truth.root,
        "--targets",
        "clean,fgsm@1",
    ]
    words += ["--population", "clean > .8", "--statistics", "--out", tmp_path / "tau.csv"]
    result = CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[1].split() == ["proxy", "seeds", *["all", "clean", ">", "0.8"] * 2]
    assert next(line for line in lines if line.startswith("n ")).split()[1:] == ["40", "19"] * 2
    table = pd.read_csv(tmp_path / "tau.csv", keep_default_na=False)
    assert len(table) == 2 * 4 * 2
    for row in table.loc[table["proxy"] == "norm"].to_dict("records"):
        shown = f"{float(row['tau']):+.3f}±{float(row['standard_error']):.3f}".replace("0.", ".")
        assert shown in next(line for line in lines if line.startswith("norm"))
    assert "FGSM@1, networks with clean > 0.8" in result.stdout
    assert "of a narrower range" in " ".join(result.stdout.split())


def test_published_tau_on_accurate_networks():
    ranking = rank(
        frame(score_rows(ids=IDS[:2])), Truth.open(published_truth()), ["params"],
        ["pgd@1", "apgd@1"], population="clean > .9",
    )  # fmt: skip
    assert ranking.beside.n == 4320
    taus = ranking.beside.table.loc[ranking.beside.table["proxy"] == "params", "tau"]
    np.testing.assert_allclose(taus, [0.518, 0.364], atol=6e-4)
