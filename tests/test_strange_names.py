"""Names and numbers as files may have them: neither a figure, a page, LaTeX nor a run breaks."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from evaluation.correlate import app as correlate
from evaluation.ranking.score_columns import BASELINES
from evaluation.report import latex
from evaluation.report.__main__ import app as report
from evaluation.report.explorer import explorer
from evaluation.report.figures.scatter import scatter
from evaluation.report.figures.style import styled
from evaluation.report.figures.svg import standalone
from evaluation.report.study import study
from evaluation.report.write import write_report
from evaluation.search.curves import curves
from evaluation.truths.published import Truth
from testbed.command.plots import Powers
from tests.score_frames import frame, score_rows
from tests.thorough import thorough
from tests.truth_folder import IDS, write_truth

NAMES = (
    r"$\frac{$", "a\nb\x07\x00c", "x" * 5000, "y¦z", '"><b>&', r"\input{x}", "é😀Ω", r"\$",
    "--", "  ",
)  # fmt: skip


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return Truth.open(write_truth(tmp_path_factory.mktemp("truth")))


def scores(names=NAMES, **fields):
    return frame(*(score_rows(name, images="cifar10", **fields) for name in names))


@pytest.fixture
def folder(truth, tmp_path, few_figures):
    strange = study(truth, scores(), targets=["clean", "fgsm@1"])
    return write_report(strange, tmp_path / "r").parent


@thorough
def test_figures_of_strange_names_are_well_formed_and_print_them(truth, tmp_path):
    strange = study(truth, scores(), targets=["clean", "fgsm@1"])
    folder = write_report(strange, tmp_path).parent
    pictures = list(folder.glob("*.svg"))
    assert len(pictures) > 10
    texts = [ElementTree.parse(path).getroot() for path in pictures]
    words = {e.text for root in texts for e in root.iter() if e.tag.endswith("text")}
    assert {r"$\frac{$", r"\$", "a b��c", "--"} <= words
    assert not any("mathdefault" in (word or "") for word in words)
    tips = {e.text for root in texts for e in root.iter() if e.tag.endswith("title")}
    assert any(tip.startswith("y|z – clean: τ = ") for tip in tips)


def test_the_page_of_strange_names_holds_no_markup_of_theirs(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    assert "x" * 100 not in text


def test_latex_tables_of_strange_names_have_ascii_and_latin_letters_only(folder):
    text = (folder / "tau.tex").read_text(encoding="utf-8")
    assert r"\$\textbackslash{}frac\{\$" in text
    assert r"\texttt{U+1F600}" in text
    assert "-{}-" in text
    assert not re.search(r"[^\n\x20-\x7e\xa1-\xff]", text)
    inner = text.split(r"\midrule")[-1].split(r"\bottomrule")[0]
    assert inner.count(r" \\") == 2 + len(BASELINES) + len(NAMES)  # and the names of two families
    assert latex.escape("APGD-CE --- x\n") == "APGD-CE -{}-{}- x "


@pytest.mark.parametrize("value", [1e308, 5e-324, 0.0, -1e200])
def test_scores_of_any_size_are_drawn(truth, value):
    rows = score_rows(images="cifar10", value=value)
    for row, factor in zip(rows, np.linspace(0.1, 1, len(rows)), strict=True):
        row["value"] *= factor
    found = study(truth, frame(rows), targets=["clean"])
    row = found.table.iloc[-1].to_dict()
    with styled():
        drawn = scatter(found.values["norm"], found.accuracies.loc[list(IDS), "clean"], row)
        ElementTree.fromstring(standalone(drawn))
    assert explorer(found)["scores"]["norm"]


@pytest.mark.parametrize(
    ("count", "value", "code", "said"),
    [
        (1, 1.0, 2, "n = 1: a single network has every chosen score and target"),
        (2, None, 0, "n = 2: with two networks τ is 1 or −1 whatever the score"),
        (3, None, 0, "The sample is of 3 networks only"),
        (40, 1.0, 0, "for all values are equal: norm."),
        (40, np.nan, 2, "40 lack a score of norm (undefined: 40 × dead)"),
    ],
)
def test_samples_that_say_nothing_are_said_by_both_commands(
    truth, tmp_path, few_figures, count, value, code, said
):
    fields = {} if value is None else {"value": value, "reason": "dead" if value != value else None}
    rows = frame(score_rows(ids=IDS[:count], images="cifar10", **fields))
    rows.to_parquet(tmp_path / "s.parquet")
    words = ["--truth", str(truth.root), "--scores", str(tmp_path / "s.parquet")]
    for app, more in ((correlate, []), (report, ["--out", str(tmp_path / "r")])):
        result = CliRunner().invoke(app, words + more, env={"COLUMNS": "300"})
        assert result.exit_code == code
        page = tmp_path / "r" / "index.html"
        text = result.output + (page.read_text(encoding="utf-8") if page.exists() else "")
        assert said in text
        assert "Traceback" not in text
    if count == 2:
        result = CliRunner().invoke(correlate, words, env={"COLUMNS": "300"})
        assert not re.search(r"[+-]1\.000(?!±\?)", result.output)
        page = (tmp_path / "r" / "index.html").read_text(encoding="utf-8")
        assert not re.search(r">[+−]1\.000\s*</td>", page)


@pytest.mark.parametrize(
    "settings",
    ['{"recipe":[1],"trained_on":"x","archive":5}', '{"weights":"', "[1]", '{"cells":null}'],
)
def test_settings_of_any_kind_are_reported(truth, settings):
    assert study(truth, scores(["norm"], settings=settings), targets=["clean"]).ranking.n == 40


def test_names_of_searches_are_no_mathematics(tmp_path):
    frame_ = scores(["a"]).head(3)
    queries = frame_.assign(algorithm="$x", run=0, query=[1, 2, 3], best=0.5, seconds=[1, 2, 3])
    curves(queries, label=r"best $\frac{$").savefig(tmp_path / "x.svg")
    formatter = Powers()
    formatter.set_axis(curves(queries).axes[0].xaxis)
    assert [formatter(x) for x in (0.001, 1.0, 1000.0)] == ["10⁻³", "10⁰", "10³"]
