"""Tables of scores as users have them: few columns, a byte-order mark."""

import json
import os

import pandas as pd
import pytest

from evaluation.ranking.suite_zero import read_suite_zero
from testbed.files.formulas import defused, restored
from testbed.spaces.nasbench201.selection import select
from testbed.store import (
    RobustnessKey,
    RobustnessRow,
    ScoreKey,
    ScoreRow,
    Store,
    StoreError,
    read_robustness,
    read_scores,
)
from testbed.store.scores import SCORES

MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
NEEDED = {"network": ["a", "b"], "proxy": ["p", "p"], "value": [1.5, None]}


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_three_columns_are_enough(tmp_path, ending):
    path = tmp_path / f"mine{ending}"
    table = pd.DataFrame(NEEDED)
    table.to_csv(path, index=False) if ending == ".csv" else table.to_parquet(path)
    scores = read_scores(path)
    assert {name: str(kind) for name, kind in scores.dtypes.items()} == SCORES.types
    assert scores["value"].tolist()[0] == 1.5
    assert pd.isna(scores["value"].iloc[1])
    (row, _) = scores.itertuples()
    assert (row.init, row.settings, row.details, row.seconds) == ("", "{}", "{}", 0.0)
    assert all(pd.isna(cell) for cell in (row.seed, row.images, row.reason, row.converged, row.run))


@pytest.mark.parametrize("name", NEEDED)
def test_what_has_no_default_is_asked_for(tmp_path, name):
    path = tmp_path / "mine.csv"
    pd.DataFrame(NEEDED).drop(columns=name).to_csv(path, index=False)
    with pytest.raises(StoreError, match=f"no column {name};"):
        read_scores(path)


def test_a_byte_order_mark_is_read_over(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text(MARK + pd.DataFrame(NEEDED).to_csv(index=False), encoding="utf-8")
    assert read_scores(table)["network"].tolist() == ["a", "b"]
    archs = tmp_path / "archs.txt"
    archs.write_text(MARK + "11\n284\n", encoding="utf-8")
    assert len(select(str(archs))) == 2
    zero = tmp_path / "zc.json"
    entry = {"cifar10": {"(4, 0, 3, 1, 4, 2)": {"snip": {"score": 2, "time": 1}}}}
    zero.write_text(MARK + json.dumps(entry), encoding="utf-8")
    assert len(read_suite_zero(zero)) == 1


def test_what_a_row_is_filled_with_is_as_a_store_would_have_it(tmp_path):
    key = RobustnessKey.make("a", "own", None, "digits", "clean", None, {})
    with Store(tmp_path / "own.sqlite") as store:
        row = RobustnessRow(key, [True, False], 0.5, 0.5, None)
        store.save_robustness(store.begin_run({}), [row])
        own = store.robustness()
    own.drop(columns=["warnings", "cross_warnings", "details", "seconds", "run"]).to_csv(
        tmp_path / "mine.csv", index=False
    )
    mine = read_robustness(tmp_path / "mine.csv")
    pd.testing.assert_frame_equal(mine.drop(columns="run"), own.drop(columns="run"))


BAD_CELLS = {
    "a line end": ("network", ["a", "b\nc"], "column network, row 2: expected printable text"),
    "NUL": ("proxy", ["p", "p\0"], "column proxy, row 2: expected printable text"),
    "an escape": ("images", ["\x1b[31m", "x"], r"found '\\x1b\[31m'"),
    "turned round": ("init", ["\u202ea", "b"], "expected printable text"),
    "5,000 characters": ("network", ["x" * 5000, "b"], r"at most 1,000.*\(5,000 characters\)"),
    "no name": ("network", [None, "b"], r"column network, row 1: expected (printable )?text"),
    "2⁶³": ("seed", [2**63, 0], "column seed, row 1: .* is not Int64"),
    "digits of another script": ("seed", ["٣", "0"], "is not Int64"),
    "Python's underscores": ("value", ["1_000", "0"], "is not float64"),
    "true": ("value", ["True", "0"], "'True' is not float64"),
    "negative seconds": ("seconds", [-1, 0], "column seconds, row 1: expected seconds"),
    "infinite seconds": ("seconds", ["inf", 0], "column seconds, row 1: expected seconds"),
    "negative iterations": ("iterations", [0, -1], "row 2: expected a whole number from 0"),
    "doubled keys": ("settings", ['{"a":1,"a":2}', "{}"], "found 'a' twice"),
    "NaN in settings": ("settings", ['{"a":NaN}', "{}"], "found NaN"),
    "deep settings": ("settings", ['{"a":' * 900, "{}"], "settings"),
    "settings of two lines": ("settings", ["a\nb", "{}"], "or a JSON object"),
}


@pytest.mark.parametrize("case", BAD_CELLS)
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_scores_that_cannot_be_right_are_refused(tmp_path, case, ending):
    name, cells, message = BAD_CELLS[case]
    path = tmp_path / f"mine{ending}"
    texts = [None if cell is None else str(cell) for cell in cells]
    table = pd.DataFrame({**NEEDED, name: texts})
    table.to_csv(path, index=False) if ending == ".csv" else table.to_parquet(path)
    with pytest.raises(StoreError, match=message) as caught:
        read_scores(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert said.isprintable()
    assert len(said) < 500 + len(str(path))


def test_settings_are_the_same_where_they_mean_the_same(tmp_path):
    path = tmp_path / "mine.csv"
    settings = ['{"b": 1, "a": 2}', "as in the paper"]
    pd.DataFrame({**NEEDED, "settings": settings}).to_csv(path, index=False)
    assert read_scores(path)["settings"].tolist() == ['{"a":2,"b":1}', "as in the paper"]


@pytest.mark.parametrize("values", [[True, False], [b"a", b"b"], [{"a": 1}] * 2, [[1], [2]]])
def test_columns_of_odd_types_are_refused(tmp_path, values):
    for name in ("value", "network", "seed"):
        path = tmp_path / "odd.parquet"
        pd.DataFrame({**NEEDED, name: values}).to_parquet(path)
        with pytest.raises(StoreError, match=f"column {name}, row 1"):
            read_scores(path)


def test_a_column_twice_is_refused(tmp_path):
    (path := tmp_path / "mine.csv").write_text("network,proxy,value,value\na,p,1,2\n")
    with pytest.raises(StoreError, match="each column once, found 'value' twice"):
        read_scores(path)


def test_more_rows_than_a_file_can_hold_are_refused(tmp_path):
    path = tmp_path / "bomb.parquet"
    one = pd.DataFrame({"network": ["a"], "proxy": ["p"], "value": [1.0]})
    one.loc[[0] * 3_000_000].to_parquet(path, index=False)
    assert path.stat().st_size < 100_000
    with pytest.raises(StoreError, match="3,000,000 rows in"):
        read_scores(path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(path := tmp_path / "mine.csv")
    with pytest.raises(StoreError, match="expected a file"):
        read_scores(path)


@pytest.fixture
def robustness(tmp_path):
    with Store(tmp_path / "own.sqlite") as store:
        rows = [
            RobustnessRow(
                RobustnessKey.make(network, "own", 0, "digits", "fgsm@Linf", 1.0, {}),
                *([True, True, False], 0.5, 0.6, [[1, 1], [0, 1]]),
            )
            for network in "ab"
        ]
        store.save_robustness(store.begin_run({}), rows)
        return store.robustness()


BAD_RESULTS = {
    "1.5": ("accuracy", 1.5, "column accuracy, row 1: expected an accuracy in"),
    "-1": ("accuracy", -1.0, "column accuracy, row 1: expected an accuracy in"),
    "NaN": ("accuracy", float("nan"), "expected an accuracy in .* found none"),
    "another": ("accuracy", 0.5, "row 1: accuracy 0.5 contradicts 2 robust images of 3"),
    "no images": ("count", 0, "expected a number of images, from 1"),
    "fewer than none": ("count", -3, "expected a number of images, from 1"),
    "other images": ("count", 30, "expected 30 images as robust, found 8"),
    "no base64": ("robust", "ä", "expected images packed in base64"),
    "seconds": ("seconds", -1.0, "expected seconds"),
    "queries": ("queries", -1, "expected a whole number from 0"),
    "ε": ("level", -1.0, "expected an ε"),
    "infinite ε": ("level", float("inf"), "expected an ε"),
    "a confidence": ("confidence_label", 1.5, "expected a probability"),
    "confusion": ("confusion", "[[2,0],[0,1]]", "a confusion of 3 of 3 contradicts 2 of 3"),
    "ragged": ("confusion", "[[2,0],[1]]", "expected a square matrix of counts"),
    "no JSON": ("confusion", "[[2,0]", "is not JSON"),
    "warnings": ("warnings", "{}", "expected a JSON list of texts"),
    "settings": ("settings", "[1]", "settings are a JSON object"),
    "a digest again": ("digest", None, "column digest, row 2: expected each result once"),
    "a result again": ("network", "b", "column network, row 2: expected each result once"),
}


@pytest.mark.parametrize("case", BAD_RESULTS)
def test_robust_accuracies_that_cannot_be_right_are_refused(tmp_path, robustness, case):
    name, cell, message = BAD_RESULTS[case]
    path = tmp_path / "mine.csv"
    robustness.to_csv(path, index=False)
    pd.testing.assert_frame_equal(read_robustness(path), robustness)
    robustness.loc[0, name] = robustness.loc[1, name] if cell is None else cell
    robustness.to_csv(path, index=False)
    with pytest.raises(StoreError, match=message):
        read_robustness(path)


FORMULAS = ["=1+1", "+a", "-a", "@a", "\ta", "\ra", "'=a", "''=a"]
PLAIN = ["'a", "'", "-1.5", "+3", "-inf", "a=b", "", "|none~0|", None]


def test_no_cell_is_a_formula_and_every_text_comes_back(tmp_path):
    table = pd.DataFrame({"=name": [*FORMULAS, *PLAIN], "n": range(len(FORMULAS + PLAIN))})
    table = table.astype({"=name": "string"})
    written = defused(table)
    assert list(written) == ["'=name", "n"]
    cells = written["'=name"].tolist()
    assert cells[: len(FORMULAS)] == [f"'{text}" for text in FORMULAS]
    assert [None if pd.isna(cell) else cell for cell in cells[len(FORMULAS) :]] == PLAIN
    assert [restored(cell) for cell in cells if not pd.isna(cell)] == [*FORMULAS, *PLAIN[:-1]]
    assert table["=name"].tolist()[:2] == ["=1+1", "+a"]


def test_a_csv_export_of_a_store_holds_no_formula(tmp_path):
    names = ["=1+1", "+a", "-a", "@a", "'=a"]
    with Store(tmp_path / "a.sqlite") as store:
        run = store.begin_run({})
        store.save(run, [ScoreRow(ScoreKey.make(name, "p"), -1.5) for name in names])
        store.export(tmp_path / "a.csv", "scores")
        own = store.scores()
    text = (tmp_path / "a.csv").read_text()
    assert all(f'\n"\'{name}",' in text for name in names)
    assert ",-1.5," in text
    pd.testing.assert_frame_equal(read_scores(tmp_path / "a.csv"), own)
