"""Many score columns: by family, the best of each first, in tables, figures and LaTeX."""

import numpy as np
import pandas as pd
import pytest

from evaluation.ranking.families import by_family, families, family, some_of_each
from evaluation.ranking.table import rank
from evaluation.report.figures.proxies import proxy_heat
from evaluation.report.figures.style import styled
from evaluation.report.gallery import Missing, gallery
from evaluation.report.statistics import statistics
from evaluation.report.study import study
from evaluation.report.tables import latex_tables
from evaluation.truths.published import Truth
from tests.report_case import rows, table
from tests.truth_folder import write_truth

NAMES = ("grad_norm", "snip", "zen", "jacobian_norm", *(f"own{k:02}" for k in range(30)))


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return Truth.open(write_truth(tmp_path_factory.mktemp("truth")))


@pytest.fixture(scope="module")
def many(truth):
    return study(truth, table(*(rows(name, seeds=[0]) for name in NAMES)))


def test_families_stand_together_and_the_best_of_each_is_first(many):
    groups = families(many.proxies)
    assert list(groups) == ["baseline", "jacobian", "saliency", "activation", "other"]
    assert groups["baseline"] == ["params", "flops", "paths_pool_min"]
    assert [label for members in groups.values() for label in members] == many.labels
    usual = many.table["target"].isin(["clean", "fgsm@1", "apgd@1", "mean corruption"])
    sizes = many.table.loc[usual].assign(size=lambda t: t["tau"].abs())
    sizes = sizes.groupby("label")["size"].mean()
    for name in ("saliency", "other"):
        assert list(np.diff(sizes[groups[name]]) <= 0) == [True] * (len(groups[name]) - 1)
    assert family("nobody") == "other"


def test_few_columns_keep_the_order_that_was_asked_for(truth):
    names = ["zen", "snip", "own00"]
    ranking = rank(table(*(rows(name, seeds=[0]) for name in names)), truth, names)
    assert list(ranking.columns) == ["params", "flops", "paths_pool_min", *names]
    assert by_family(ranking.labelled, list(ranking.columns)) == list(ranking.columns)


def test_some_of_each_takes_the_first_of_every_family_first():
    proxies = {"a1": "snip", "a2": "grad_norm", "a3": "plain", "b1": "zen", "c1": "x", "c2": "y"}
    assert some_of_each(proxies, 3) == ["a1", "b1", "c1"]
    assert some_of_each(proxies, 5) == ["a1", "a2", "b1", "c1", "c2"]
    assert some_of_each(proxies, 99) == list(proxies)


def test_the_numbers_stay_with_their_names(truth, many):
    for name in ("snip", "own07"):
        alone = rank(table(rows(name, seeds=[0])), truth, targets=["fgsm@1"]).table
        wanted = alone.loc[alone["proxy"] == name, "tau"].item()
        place = many.labels.index(name)
        row = statistics(many)[0].rows[place]
        column = [c.name for c in statistics(many)[0].header].index("FGSM@1")
        assert row.name == name
        assert float(row.cells[column].value) == pytest.approx(wanted, rel=1e-4)


def test_the_map_of_many_proxies_fits_a_page(many):
    pictures = {p.name: p for p in gallery(many) if not isinstance(p, Missing)}
    with styled():
        figure = pictures["proxies"].draw()
        width, height = figure.get_size_inches()
        assert width < 7
        assert height < 10.5
        sixty = many.table.loc[many.table["target"].isin(["clean", "fgsm@1"])]
        more = [sixty.assign(label=sixty["label"] + end) for end in ("", "_b")]
        assert proxy_heat(pd.concat(more), {}, 11).get_size_inches()[1] < 13
    assert len(pictures["pairs"].arguments[1]) == 24
    assert sum(name.startswith("scatter") for name in pictures) == 6


def test_latex_has_proxies_in_rows_and_few_targets_across(many):
    texts = dict(latex_tables(many))
    for text in texts.values():
        for line in text.splitlines():
            if line.startswith(r"\begin{longtable}") or line.startswith(r"\begin{tabular}"):
                assert line.count("r") - line.count("tabular") - line.count("longtable") <= 8
    assert r"\emph{saliency}" in texts["tau"]
    assert sum(line.startswith("snip & ") for line in texts["tau"].splitlines()) == 1
