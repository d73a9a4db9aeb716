"""Scores that fit a truth badly, or are no numbers, are said, or refused."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy.stats import kendalltau
from typer.testing import CliRunner

from evaluation.correlate import app
from evaluation.ranking.printed import print_ranking
from evaluation.ranking.suite_zero import read_suite_zero
from evaluation.ranking.table import RankingError, rank
from evaluation.report.prose.doubts import doubts
from evaluation.report.statistics import main_targets
from evaluation.report.study import study
from evaluation.report.tables import latex_tables
from evaluation.search.command import app as search
from evaluation.truths.published import Truth
from evaluation.truths.robbench import RobBench
from evaluation.truths.targets import Target
from proxies.summary import print_summary
from testbed.store import StoreError
from tests.score_frames import frame, score_rows
from tests.truth_folder import IDS, published_truth, write_table, write_truth


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return Truth.open(write_truth(tmp_path_factory.mktemp("truth")))


def test_scores_of_other_images_are_said_under_the_table_and_first_in_the_report(truth):
    own = score_rows("own", images="cifar10")
    ranking = rank(frame(own, score_rows("other")), truth)
    sentence = (
        "The scores of other were computed on images of digits, not of cifar10, whose accuracies "
        "they are ranked on here."
    )
    assert ranking.other_images == [sentence]
    console = Console(record=True, width=200)
    print_ranking(ranking, console)
    lines = console.export_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("n = "))
    assert lines[start + 1] == sentence
    assert doubts(study(truth, frame(own, score_rows("other"))))[0] == sentence
    assert rank(frame(own), truth).other_images == []


def test_published_ids_name_networks(truth):
    rows = score_rows(images="cifar10")
    by_name = rank(frame(rows), truth)
    by_id = rank(frame([row | {"network": i} for row, i in zip(rows, IDS, strict=True)]), truth)
    by_text = rank(
        frame([row | {"network": str(i)} for row, i in zip(rows, IDS, strict=True)]), truth
    )
    for other in (by_id, by_text):
        pd.testing.assert_frame_equal(by_name.table, other.table)


@pytest.mark.parametrize("name", ["resnet50", "99999", "-1", "01", "1.0"])
def test_scores_that_nobody_can_join_are_an_error(truth, name):
    with pytest.raises(RankingError, match=rf"none of the 1 scored networks .*{name!r}"):
        rank(frame([row | {"network": name} for row in score_rows()]), truth)


def test_an_infinity_is_an_undefined_score(truth):
    rows = score_rows(images="cifar10")
    for place, value in ((0, np.inf), (1, -np.inf)):
        rows[place]["value"] = value
    undefined = [row | {"value": np.nan, "reason": None} for row in rows[:2]] + rows[2:]
    ranking, expected = rank(frame(rows), truth), rank(frame(undefined), truth)
    assert ranking.n == len(IDS) - 2
    pd.testing.assert_frame_equal(ranking.table, expected.table)
    assert any("2 × infinite in the table" in note for note in ranking.left_out)


def test_means_of_equal_sums_are_tied(tmp_path):
    root = write_truth(tmp_path)
    values = [[0.1, 0.2, 0.3, 0.4, 0.7], [0.7, 0.4, 0.3, 0.2, 0.1], [0.3, 0.7, 0.1, 0.2, 0.4]]
    rows = {str(i): values[n % 3] for n, i in enumerate(IDS)}
    write_table(root, "fog", "accuracy", rows)
    assert len({np.mean(row) for row in values}) > 1, "floats alone would tie"
    assert Truth.open(root).targets()["mean corruption"].nunique() == 1


def test_means_over_the_attacks_of_the_other_truth_tie_too(tmp_path):
    names = ("val_fgsm_3.0_acc", "val_fgsm_8.0_acc", "val_pgd_8.0_acc")
    orders = ([0.1, 0.2, 0.3], [0.3, 0.2, 0.1])
    assert len({sum(order) for order in orders}) == 2, "floats alone would tie"
    content = {
        str(number): {name: dict.fromkeys("012", x) for name, x in zip(names, order, strict=True)}
        for number, order in zip(IDS, orders, strict=False)
    }
    path = tmp_path / "robbench.json"
    path.write_text(json.dumps({"cifar10": content}))
    table = RobBench.open(path).targets()
    assert len(table) == 2
    assert table["mean adversarial"].nunique() == 1


def test_the_published_means_tie_as_integers_do():
    truth = Truth.open(published_truth())
    targets = truth.targets()
    columns = [c for c in targets if c.rpartition("@")[0] in set(truth.keys) - {"clean"}]
    assert len(columns) == 75
    exact = (1000 * targets[columns]).round().astype(int).sum(axis="columns")
    mean = targets["mean corruption"]
    assert mean.nunique() == exact.nunique()
    assert kendalltau(mean, exact).statistic == pytest.approx(1)


def test_what_is_no_score_in_a_foreign_file_is_skipped(tmp_path):
    path = tmp_path / "zc.json"
    beside = {"index": 534, "id": "12", "arch": [4, 0, 3, 1, 4, 2], "val_accuracy": 91.5}
    entry = beside | {"snip": {"score": 2.5, "time": 1}, "odd": {"score": True}, "text": {}}
    path.write_text(json.dumps({"cifar10": {"(4, 0, 3, 1, 4, 2)": entry}}))
    (row,) = read_suite_zero(path).itertuples()
    assert (row.proxy, row.value) == ("snip", 2.5)
    path.write_text(json.dumps({"cifar10": {"(4, 0, 3, 1, 4, 2)": beside}}))
    with pytest.raises(StoreError, match=r"no entry of .* is a score"):
        read_suite_zero(path)


def test_the_command_says_what_does_not_fit_and_exits(tmp_path, truth):
    rows = frame([row | {"network": "mine"} for row in score_rows()])
    rows.to_csv(tmp_path / "mine.csv", index=False)
    words = ["--truth", str(truth.root), "--scores", str(tmp_path / "mine.csv")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "none of the 1 scored networks" in result.output


def test_the_table_to_publish_has_the_rows_of_the_page(truth):
    numbers = study(truth, frame(score_rows(images="cifar10")))
    texts = dict(latex_tables(numbers))
    for target in main_targets(numbers.targets):
        assert str(Target.parse(target)) in texts["tau_all"].replace(r"\@", "@")
    assert "mean adversarial" in texts["tau"]


@pytest.mark.parametrize(("proxy", "first"), [("jacobian_norm", 1.0), ("params", 3.0)])
def test_networks_that_are_promised_most_of_come_first(proxy, first):
    rows = score_rows(proxy, ids=IDS[:3])
    for row, value in zip(rows, (2.0, 1.0, 3.0), strict=True):
        row["value"] = value
    console = Console(file=io.StringIO(), width=100, markup=False)
    print_summary(frame(rows), [proxy], console, 2)
    title, _, lead = console.file.getvalue().splitlines()[2:5]
    assert float(lead.split()[1]) == first
    assert ("lower" if first == 1 else "higher") in title


def test_a_search_says_that_its_proxies_saw_other_images(tmp_path, truth):
    frame(score_rows("other")).to_csv(tmp_path / "scores.csv", index=False)
    words = ["--truth", str(truth.root), "--scores", str(tmp_path / "scores.csv")]
    words += ["--algorithm", "random", "--runs", "2", "--queries", "5", "--objective", "clean"]
    result = CliRunner().invoke(search, words, env={"COLUMNS": "300"})
    assert result.exit_code == 0, result.output
    assert "The scores of other were computed on images of digits, not of cifar10" in result.output
