"""Tables of scores as users have them: few columns, a byte-order mark."""

import json

import pandas as pd
import pytest

from evaluation.ranking.suite_zero import read_suite_zero
from testbed.spaces.nasbench201.selection import select
from testbed.store import (
    RobustnessKey,
    RobustnessRow,
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
