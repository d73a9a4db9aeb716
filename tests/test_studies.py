"""The pages of docs/study say what their tables say, and rows of these are recomputed."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from evaluation.truths.published import Truth
from scripts import marks, study_forests, study_search, study_seeds, study_weights
from scripts.pages.relinking import ROOT
from testbed.spaces import registry
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.regimes import REGIME_SCORES
from testbed.store import read_scores
from testbed.tables import STUDY_500, STUDY_1000, STUDY_SEEDS
from tests.truth_folder import published_truth

STUDY = ROOT / "docs" / "study"


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("weights", study_weights),
        ("forests", study_forests),
        ("searches", study_search),
        ("seeds", study_seeds),
    ],
)
def test_a_page_has_the_numbers_of_its_table(name, script):
    page = (STUDY / f"{name}.md").read_text(encoding="utf-8")
    told = page.partition(marks.BEGIN)[2].partition(marks.END)[0].strip()
    table = pd.read_csv(STUDY / f"{name}.csv")
    assert told == "\n".join(script.markdown(table)).strip(), (
        f"run python -m {script.__name__}, as docs/study/{name}.md says"
    )


@pytest.fixture(scope="module")
def targets():
    return Truth.open(published_truth()).targets()


def test_rows_of_scores_that_look_at_a_network_are_recomputed(targets):
    space, study = registry.get("nasbench201"), read_scores(STUDY_500)
    frames = {500: study, 1000: pd.concat([study, read_scores(STUDY_1000)])}
    known = {name: space.number(space.parse(name)) for name in frames[1000]["network"].unique()}
    table = pd.read_csv(STUDY / "weights.csv").dropna(subset=["tau"])
    parts = [part.sample(6, random_state=5) for _, part in table.groupby("sample")]
    for row in pd.concat(parts).itertuples():
        own = frames[row.sample][frames[row.sample]["proxy"] == row.proxy]
        numbers = np.array([known[name] for name in own["network"]])
        values = own["value"].to_numpy(float)
        there = (numbers % 2 == (row.half == "odd")) & np.isfinite(values)
        tau = kendalltau(values[there], targets.loc[numbers[there], row.target])[0]
        assert there.sum() == row.n, "run python -m scripts.study_weights"
        np.testing.assert_allclose(tau, row.tau, rtol=0, atol=1e-6)


def test_ten_rows_of_scores_of_several_seeds_are_recomputed(targets):
    space = registry.get("nasbench201")
    frame = pd.concat([read_scores(STUDY_500), read_scores(STUDY_SEEDS)])
    table = pd.read_csv(STUDY / "seeds.csv")
    for row in table.sample(10, random_state=3).itertuples():
        own = frame[frame["proxy"] == row.proxy].set_index(["network", "seed"])["value"].unstack()
        values = own.mean(axis=1) if row.seed == "mean" else own[int(row.seed)]
        numbers = [space.number(space.parse(name)) for name in own.index]
        tau = kendalltau(values, targets.loc[numbers, row.target])[0]
        assert (len(own), own.shape[1]) == (row.n, 3), "run python -m scripts.study_seeds"
        np.testing.assert_allclose(tau, row.tau, rtol=0, atol=1e-6)
        between = [kendalltau(own[a], own[b])[0] for a, b in ((0, 1), (0, 2), (1, 2))]
        np.testing.assert_allclose(np.mean(between), row.between, rtol=0, atol=1e-6)


def test_what_scores_choose_without_a_query_is_recomputed(targets):
    space = registry.get("nasbench201")
    functions = {"params": space.parameters, **REGIME_SCORES}
    table = pd.read_csv(STUDY / "searches.csv")
    rows = table[(table["queries"] == 0) & (table["search"] != "optimum")]
    assert len(rows) == 16
    for row in rows.sample(4, random_state=1).itertuples():
        part = targets[targets.index.to_numpy() % 2 == 1] if row.networks == "odd" else targets
        score = functions[row.search.removeprefix("rank (").removesuffix(")")]
        values = np.array([score(Genotype.from_index(number)) for number in part.index])
        best = part.loc[values == values.max(), row.objective]
        assert (len(part), len(best)) == (row.of, row.tied)
        np.testing.assert_allclose(100 * best.mean(), row.mean, rtol=1e-5)
