"""A truth that is not NAS-Bench-201's, ranked without a word about targets or scores."""

import pytest
from typer.testing import CliRunner

from evaluation.correlate import app as correlate
from evaluation.ranking.target_choice import DEFAULT_TARGETS, default_targets
from evaluation.report.__main__ import app as report
from evaluation.search.command import app as search


def table(folder, names):
    lines = ["network,target,accuracy"]
    for number, name in enumerate(names):
        lines += [f"{name},clean,{0.8 + number / 100}", f"{name},pgd@8,{0.5 - number / 100}"]
    path = folder / "truth.csv"
    path.write_text("\n".join([*lines, ""]))
    return path


@pytest.fixture
def cells(tmp_path):
    """A truth of NATS-Bench's size space."""
    return table(tmp_path, [f"{8 * n}:16:24:32:40" for n in range(1, 7)])


@pytest.fixture
def own(tmp_path):
    return table(tmp_path, [f"mine{n}" for n in range(6)])


def said(app, *words):
    found = CliRunner().invoke(app, list(map(str, words)))
    return found.exit_code, " ".join(found.output.split())


def test_no_attack_of_a_truth_is_passed_over():
    few = ["clean", "fgsm@3", "autoattack@8", "fog@1", "fog@2", "mean corruption"]
    assert default_targets([*few, "mean adversarial"]) == [n for n in few if "fog" not in n]
    levels = [f"fgsm@{n}" for n in range(1, 20)]
    others = ["cw@L2@0.1", "cw@L2@0.2", "cw@L2@0.5"]
    shown = default_targets(["clean", *levels, *others])
    assert shown == ["clean", "fgsm@1", "fgsm@4", "fgsm@8", "cw@L2@0.2"]
    assert default_targets(["fog@1", "fog@2"]) == ["fog@1", "fog@2"]
    assert default_targets([*DEFAULT_TARGETS, "fgsm@2", "square@8"]) == list(DEFAULT_TARGETS)


def test_without_scores_the_baselines_of_its_space_are_ranked(cells, tmp_path, few_figures):
    code, text = said(correlate, "--truth", cells, "--space", "size")
    assert code == 0, text
    assert "params" in text
    assert "PGD@8" in text
    assert "jacobian_norm" not in text
    code, text = said(report, "--truth", cells, "--targets", "clean", "--out", tmp_path / "page")
    assert code == 0, text
    assert "ranked best by" in text
    assert "paths" not in text


def test_conditions_need_scores_to_choose_among(cells, tmp_path):
    search_words = ("--queries", 3, "--runs", 2, "--algorithm", "random", "--objective", "clean")
    for app, more in ((correlate, ()), (report, ("--out", tmp_path / "r")), (search, search_words)):
        code, text = said(app, "--truth", cells, "--where", "seed=0", *more)
        assert code == 2
        assert "add --scores FILE" in text


def test_networks_of_no_space_take_scores(own, tmp_path):
    for app, where in ((correlate, ()), (report, ("--out", tmp_path / "r"))):
        code, text = said(app, "--truth", own, *where)
        assert code == 2
        assert "give some with --scores FILE" in text


def test_a_search_without_scores_has_no_empty_table(own):
    words = ("--queries", 3, "--runs", 2, "--algorithm", "random", "--objective", "clean")
    code, text = said(search, "--truth", own, *words)
    assert code == 0, text
    assert "Without a query" not in text
