"""A new column of the store is one edit: the field of a row that fills it."""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pytest

from testbed.store import ScoreKey, ScoreRow, Store, StoreError, read_scores
from testbed.store.columns import column
from testbed.store.schema import TABLES
from testbed.store.table import Table

BEFORE = Path(__file__).parent / "data" / "before" / "before.db"


@dataclass(frozen=True)
class WiderRow(ScoreRow):
    """What an author writes who wants a column more: this one line."""

    flops: int | None = field(default=None, metadata=column("Int64", later=True))


@pytest.fixture
def wider(monkeypatch):
    table = Table.of("scores", ScoreKey, WiderRow, hidden=["digest"])
    monkeypatch.setitem(TABLES, "scores", table)


@pytest.fixture(params=["old", "new"])
def store(request, tmp_path) -> Path:
    """Return a store made without the column, or a path where one is made with it."""
    path = tmp_path / "a.db"
    if request.param == "old":
        shutil.copy(BEFORE, path)
    return path


def test_a_field_is_all_that_a_column_takes(store, tmp_path, wider):
    made = WiderRow(ScoreKey("net", "p"), 1.0, flops=2**60 + 1)
    with Store(store) as opened:
        before = len(opened.scores())
        assert opened.save(opened.begin_run({}), [made, replace(made, key=ScoreKey("a", "p"))]) == 2
        assert opened.save(opened.begin_run({}), [made]) == 0
        for name in ("a.csv", "a.parquet"):
            opened.export(tmp_path / name)
    for name in (store.name, "a.csv", "a.parquet"):
        scores = read_scores(tmp_path / name)
        assert str(scores["flops"].dtype) == "Int64"
        assert scores["flops"].isna().sum() == before
        assert scores.set_index("network").loc["net", "flops"] == 2**60 + 1


def test_files_without_the_column_are_read_as_they_are(tmp_path, wider, monkeypatch):
    path = shutil.copy(BEFORE, tmp_path / "a.db")
    with monkeypatch.context() as patch:
        patch.setitem(TABLES, "scores", Table.of("scores", ScoreKey, ScoreRow, hidden=["digest"]))
        with Store(path, "r") as opened:
            old = opened.scores()
            for name in ("a.csv", "a.parquet"):
                opened.export(tmp_path / name)
    content = Path(path).read_bytes()
    for name in ("a.db", "a.csv", "a.parquet"):
        scores = read_scores(tmp_path / name)
        assert scores["flops"].isna().all()
        pd.testing.assert_frame_equal(scores.drop(columns="flops"), old)
    assert Path(path).read_bytes() == content


def test_an_older_version_writes_to_a_file_with_the_column(tmp_path, monkeypatch):
    path, row = tmp_path / "a.db", WiderRow(ScoreKey("net", "p"), 1.0, flops=3)
    with monkeypatch.context() as patch:
        patch.setitem(TABLES, "scores", Table.of("scores", ScoreKey, WiderRow))
        with Store(path) as opened:
            opened.save(opened.begin_run({}), [row])
    with Store(path) as opened:
        assert opened.save(opened.begin_run({}), [ScoreRow(ScoreKey("b", "p"), 1.0)]) == 1
        assert "flops" not in opened.scores()
    with pytest.raises(StoreError, match="flops of a score cannot be 'x'"):
        replace(row, flops="x")
