import json
import re
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy.stats import kendalltau
from typer.testing import CliRunner

from evaluation.correlate import app
from evaluation.correlation import kendall_tau_b, tau_b
from evaluation.ranking.printed import print_ranking
from evaluation.ranking.score_columns import RankingError, labels
from evaluation.ranking.table import rank
from evaluation.ranking.target_choice import DEFAULT_TARGETS, choose_targets
from evaluation.truths.published import Truth
from testbed.spaces.nasbench201.cost import flops, parameters
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.paths import PATH_STATISTICS
from tests.score_frames import frame, row_of, score_rows
from tests.truth_folder import IDS, published_truth, write_table, write_truth

TIDY = [
    *("dataset", "proxy", "init", "images", "settings", "seeds", "target", "n", "tau"),
    *("standard_error", "tie_fraction", "ties_flag", "low", "high", "spearman", "weighted_tau"),
    *("top_precision", "partial_clean", "partial_clean_error", "partial_params"),
    *("partial_params_error", "partial_paths", "partial_paths_error", "partial_both"),
    *("partial_both_error", "ceiling", "difference_params", "difference_params_error"),
    *("difference_params_p", "difference_paths", "difference_paths_error", "difference_paths_p"),
    *("score_tie_fraction", "degenerate", "population", "condition"),
    *("difference_params_holm", "difference_paths_holm", "winner", "winner_holm"),
]


@pytest.fixture
def truth(tmp_path):
    return Truth.open(write_truth(tmp_path / "truth"))


@pytest.fixture(scope="module")
def published():
    return Truth.open(published_truth())


def test_every_cell_is_tau_b_of_one_score_with_one_target(truth):
    # Of all pairs 24 % are tied here, and 81 % at apgd@8.
    rows = {str(i): max(0.52, 0.5 + n / 1000) for n, i in enumerate(IDS)}
    write_table(truth.root, "clean", "accuracy", rows)
    scores = frame(score_rows())
    ranking = rank(scores.sample(frac=1, random_state=0), truth, targets=["all"])
    accuracies = truth.targets()
    assert list(ranking.table) == TIDY
    assert len(ranking.table) == 4 * accuracies.shape[1]
    for name in accuracies:
        row = row_of(ranking.table, proxy="norm", target=name)
        expected = kendalltau(scores["value"], accuracies[name]).statistic
        assert row["tau"] == pytest.approx(expected, abs=1e-12)
        assert row["standard_error"] == tau_b(scores["value"], accuracies[name]).standard_error
    assert (ranking.n, set(ranking.table["n"]), ranking.left_out) == (40, {40}, ())
    assert ranking.population == "40 of the 6,466 unique networks"
    flagged = ranking.table.groupby("target")["ties_flag"].first()
    assert flagged[flagged].index.tolist() == ["apgd@8"]
    assert row_of(ranking.table, proxy="norm", target="apgd@8")["tie_fraction"] == pytest.approx(
        (36 * 35) / (40 * 39)
    )


def test_seeds_are_averaged_by_network(truth):
    scores = frame(score_rows(seeds=(0, 1, 2)))
    row = row_of(rank(scores, truth, targets=["clean"]).table, proxy="norm")
    means = scores["value"].to_numpy().reshape(40, 3).mean(axis=1)
    assert row["seeds"] == 3
    assert row["tau"] == pytest.approx(kendall_tau_b(means, truth.targets()["clean"]), abs=1e-12)
    scores = pd.concat([scores, frame(score_rows("params", seeds=[None], init="own"))])
    chosen = rank(scores, truth, targets=["clean"], seeds=[1]).table
    # Scores that draw nothing have no seed to choose.
    assert row_of(chosen, proxy="params")["init"] == "own"
    one = row_of(chosen, proxy="norm")
    single = scores.loc[(scores["seed"] == 1).fillna(False), "value"]
    assert one["seeds"] == 1
    assert one["tau"] == pytest.approx(kendall_tau_b(single, truth.targets()["clean"]), abs=1e-12)


def test_one_common_sample_for_all_and_why_networks_were_left_out(truth):
    scores = frame(
        score_rows("full"),
        score_rows("dead"),
        score_rows("seeded", seeds=(0, 1)),
        score_rows("short", ids=IDS[5:]),
        score_rows("full", ids=(14_999, 15_000)),
    )
    dead = (scores["proxy"] == "dead") & scores["network"].isin(scores["network"].unique()[10:13])
    scores.loc[dead, ["value", "reason"]] = [np.nan, "no path"]
    scores.loc[dead, "converged"] = False
    scores = scores.drop(scores.index[(scores["proxy"] == "seeded") & (scores["seed"] == 1)][-1:])
    scores.loc[scores.index[scores["proxy"] == "short"][20:24], "converged"] = False
    other = frame(score_rows(ids=IDS[:1], proxy="full"))
    other["network"] = "resnet18"
    ranking = rank(pd.concat([scores, other]), truth)
    assert set(ranking.table["n"]) == {40 - 5 - 3 - 1}
    assert ranking.left_out == (
        "1 are no NAS-Bench-201 architecture ('resnet18')",
        "2 are not in the truth (1 of them are isomorphic to another, whose accuracies are "
        "published instead)",
        "3 lack a score of dead (undefined: 3 × no path)",
        "1 lack a score of seeded for one of its seeds",
        "5 lack a score of short",
        "kept: 4 whose short did not converge",
    )
    clean = truth.targets()["clean"].drop([*IDS[:5], *IDS[10:13], IDS[-1]])
    used = scores.assign(id=[Genotype.parse(n).index for n in scores["network"]])
    full = used[(used["proxy"] == "full") & used["id"].isin(clean.index)].set_index("id")["value"]
    row = row_of(ranking.table, proxy="full", target="clean")
    assert row["tau"] == pytest.approx(kendall_tau_b(full.loc[clean.index], clean), abs=1e-12)
    # What is not chosen does not shrink the sample.
    assert rank(scores, truth, proxies=["full"]).n == 40


def test_a_target_that_a_network_lacks_leaves_it_out(truth):
    rows = {str(i): 0.5 + i / 1e4 for i in IDS[2:]}
    write_table(truth.root, "clean", "accuracy", rows)
    ranking = rank(frame(score_rows()), truth)
    assert ranking.n == 38
    assert ranking.left_out == ("2 lack one of the targets in the truth",)


def test_isomorphic_members_are_named_in_the_population(tmp_path):
    truth = Truth.open(write_truth(tmp_path / "truth", ids=(0, 1, 3, 25)))
    ranking = rank(frame(score_rows(ids=(0, 1, 3, 25))), truth)
    assert ranking.population == "4 of the 15,625 architectures, isomorphic ones too"


def test_baselines_stand_in_every_table(truth):
    table = rank(frame(score_rows()), truth, proxies=["norm"], targets=["clean"]).table
    assert table["proxy"].tolist() == ["params", "flops", "paths_pool_min", "norm"]
    clean = truth.targets()["clean"]
    for name, count in {
        "params": parameters,
        "flops": flops,
        "paths_pool_min": PATH_STATISTICS["paths_pool_min"],
    }.items():
        expected = kendall_tau_b([count(Genotype.from_index(i)) for i in IDS], clean)
        row = row_of(table, proxy=name)
        assert row["tau"] == pytest.approx(expected, abs=1e-12)
        assert row["seeds"] == 0
    # Scores of the baseline are used where they are; asked for alone, it needs none.
    own = rank(frame(score_rows(), score_rows("params", seeds=[None], init="none")), truth).table
    assert row_of(own, proxy="params", target="clean")["init"] == "none"
    assert own["proxy"].unique().tolist() == ["params", "flops", "paths_pool_min", "norm"]
    both = frame(score_rows(), score_rows("params"), score_rows("flops"))
    assert rank(both, truth).table["proxy"].unique().tolist() == [
        "params",
        "flops",
        "paths_pool_min",
        "norm",
    ]
    assert rank(frame(score_rows(ids=IDS[:9])), truth, proxies=["params"]).n == 40


def test_equal_rows_count_once_and_contradictions_are_refused(truth):
    rows = score_rows(seeds=(0, 1))
    once, twice = rank(frame(rows), truth), rank(frame(rows, rows[:7]), truth)
    pd.testing.assert_frame_equal(once.table, twice.table)
    with pytest.raises(RankingError, match=r"norm of .* twice with different values \(seed 0"):
        rank(frame(rows, [{**rows[0], "value": 9.0}]), truth)


def test_columns_of_one_proxy_are_told_apart_by_what_differs():
    def identity(init="random", images="digits", **settings):
        return ("norm", init, images, json.dumps(settings))

    first, second = identity(batch=16, bn="calibrated"), identity(batch=64, bn="calibrated")
    assert labels([first, ("hessian", "random", "digits", "{}")]) == ["norm", "hessian"]
    assert labels([first, second]) == ["norm (batch=16)", "norm (batch=64)"]
    assert labels([first, identity(init="xavier", batch=16)]) == [
        *("norm (random)", "norm (xavier)")
    ]
    assert labels([("p", "", "", "a"), ("p", "", "", "b")]) == ["p (settings=a)", "p (settings=b)"]


def test_targets_are_chosen_by_name_attack_or_default(truth):
    known = list(truth.targets())
    attacked = ["fgsm@0.5", "fgsm@1", "fgsm@255", "apgd@1", "apgd@8"]  # few: all are shown
    assert choose_targets(known) == ["clean", *attacked, "mean corruption"]
    assert choose_targets(known, ["all"]) == known
    assert choose_targets(known, ["FGSM@1", "Apgd-CE@8", "fgsm@1"]) == ["fgsm@1", "apgd@8"]
    assert choose_targets(known, ["clean"], ["FGSM"]) == [
        *("clean", "fgsm@0.5", "fgsm@1", "fgsm@255")
    ]
    assert choose_targets(known, None, ["fog"]) == [f"fog@{severity}" for severity in range(1, 6)]
    with pytest.raises(RankingError, match=r"'fgsm@3'; known: all, clean, fgsm@\{0.5,1,255\}"):
        choose_targets(known, ["fgsm@3"])
    with pytest.raises(RankingError, match="unknown attack 'pgd'; known: fgsm, "):
        choose_targets(known, None, ["pgd"])
    with pytest.raises(RankingError, match="no target chosen"):
        choose_targets(known, [])


def test_unknown_names_and_columns_are_refused(truth):
    scores = frame(score_rows())
    with pytest.raises(RankingError, match="unknown proxies: mass; the scores have norm"):
        rank(scores, truth, proxies=["mass"])
    with pytest.raises(RankingError, match="unknown seeds: 5; the scores have 0"):
        rank(scores, truth, seeds=[5])
    with pytest.raises(RankingError, match="lack the columns seed, value"):
        rank(scores.drop(columns=["seed", "value"]), truth)


@pytest.mark.parametrize("width", [70, 100, 400])
def test_print_shows_every_number_at_any_width(truth, width):
    scores = frame(score_rows(seeds=(0, 1)), score_rows(settings='{"batch":64}'))
    scores.loc[scores["settings"] == '{"batch":64}', "value"] = 1.0
    ranking = rank(scores, truth, targets=["all"])
    console = Console(file=StringIO(), width=width)
    print_ranking(ranking, console)
    text = console.file.getvalue()
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "APGD-CE@8†" in text
    assert "FGSM@255" in text
    assert text.count("undefined") == 13
    for row in ranking.table.dropna(subset="tau").itertuples():
        cell = f"{row.tau:+.3f}±{row.standard_error:.3f}".replace("0.", ".")
        assert cell in text
    # A narrow label folds over two lines; its first line has the numbers.
    row = next(line for line in lines if line.startswith("norm"))
    assert re.match(r"norm.* 2 +[+-]\.\d{3}±\.\d{3} ", row)
    flat = " ".join(text.split())
    assert "n = 40 of the 6,466 unique networks; accuracies on cifar10." in flat
    assert "a positive τ means a larger score goes with a more robust network" in flat
    assert "† more than half of all pairs of networks are tied" in flat
    assert "81%" in next(line for line in lines if "pairs tied" in line and "81%" in line)


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "120"})


def test_command_end_to_end_on_csv(truth, tmp_path):
    frame(score_rows(), score_rows("other")).to_csv(tmp_path / "scores.csv", index=False)
    out = tmp_path / f"table{'-of-scores' * 12}.csv"
    result = run("--scores", tmp_path / "scores.csv", "--truth", truth.root, "--out", out)
    assert result.exit_code == 0, result.output
    assert f"Written to {out}.\n" in result.stdout  # a path is not broken into lines
    assert "n = 40 of the 6,466 unique networks" in result.stdout
    expected = rank(frame(score_rows(), score_rows("other")), truth).table
    gaps = dict.fromkeys(expected.select_dtypes("number"), "")
    table = pd.read_csv(out, keep_default_na=False, na_values=gaps)
    assert list(table) == TIDY
    pd.testing.assert_frame_equal(table, expected, check_dtype=False, rtol=1e-12)
    narrow = ("--proxies", "other, params", "--targets", "clean", "--attacks", "fgsm")
    run("--scores", tmp_path / "scores.csv", "--truth", truth.root, "--out", out, *narrow)
    table = pd.read_csv(out)
    assert set(table["proxy"]) == {"params", "flops", "paths_pool_min", "other"}
    assert table["target"].unique().tolist() == ["clean", "fgsm@0.5", "fgsm@1", "fgsm@255"]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--scores", "nowhere.csv", "nowhere.csv"),
        ("--truth", "nowhere", "no folder nowhere"),
        ("--dataset", "svhn", "no data set 'svhn'"),
        ("--proxies", "mass", "unknown proxies: mass; the scores have norm"),
        ("--targets", "fgsm@3", "unknown target 'fgsm@3'; known: all, clean, "),
        ("--attacks", "pgd", "unknown attack 'pgd'"),
        ("--seeds", "one", "seeds are whole numbers"),
        ("--out", "/nowhere/table.csv", "nowhere"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(truth, tmp_path, option, value, message):
    frame(score_rows()).to_csv(tmp_path / "scores.csv", index=False)
    options = {"--scores": tmp_path / "scores.csv", "--truth": truth.root, option: value}
    result = run(*(word for pair in options.items() for word in pair))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_nothing_in_common_says_why(truth, tmp_path):
    frame(score_rows(ids=(25, 15_000, 15_001))).to_csv(tmp_path / "scores.csv", index=False)
    result = run("--scores", tmp_path / "scores.csv", "--truth", truth.root)
    assert result.exit_code == 2
    assert "nothing in common with the truth" in result.stderr
    assert "of 3 scored, 3 are not in the truth" in result.stderr


def test_help_names_the_options():
    text = run("--help").stdout
    for option in ("--scores", "--truth", "--dataset", "--proxies", "--targets", "--attacks"):
        assert option in text


def test_published_tau_of_the_baseline(published):
    targets = ["clean", "fgsm@1", "pgd@1", "apgd@1", "square@1", "mean corruption"]
    scores = frame(score_rows(ids=IDS[:2]))
    ranking = rank(scores, published, proxies=["params"], targets=targets)
    assert ranking.population == "6,466 of the 6,466 unique networks"
    taus = ranking.table.loc[ranking.table["proxy"] == "params", "tau"]
    np.testing.assert_allclose(taus, [0.608, 0.566, 0.236, 0.002, 0.401, 0.505], atol=0.002)
    assert set(DEFAULT_TARGETS) <= set(published.targets())


def test_published_tau_between_targets(published):
    targets = published.targets()
    expected = {
        ("clean", "fgsm@1"): 0.63,
        ("clean", "pgd@1"): 0.17,
        ("clean", "apgd@1"): -0.11,
        ("pgd@1", "apgd@1"): 0.70,
        ("fgsm@1", "pgd@1"): 0.51,
    }
    for (a, b), tau in expected.items():
        assert kendall_tau_b(targets[a], targets[b]) == pytest.approx(tau, abs=0.01)


def test_networks_with_weights_of_their_own_share_a_column(truth):
    groups = [
        score_rows(ids=[number], init="trained", settings=f'{{"batch":16,"weights":"{number:x}"}}')
        for number in IDS
    ]
    ranking = rank(frame(*groups, score_rows()), truth, targets=["clean"])
    assert ranking.n == len(IDS)
    assert set(ranking.table["init"]) == {"", "random", "trained"}
    twice = [
        *groups,
        score_rows(ids=IDS[:1], init="trained", settings='{"batch":16,"weights":"z"}'),
    ]
    for row in twice[-1]:
        row["value"] = 5.0
    with pytest.raises(RankingError, match="twice with different values"):
        rank(frame(*twice), truth, targets=["clean"])
