"""A store and a folder of networks written by an earlier version open, resume and export.

``data/before`` was written by commit 3bd290f, on digits::

    python -m testbed.train --epochs 1 --channels 4 --cells 1 --archs 284 --out weights
    python -m proxies.compute --archs 0,11,284 --proxies params,jacobian_norm --channels 4
        --cells 1 --store before.db
    python -m evaluation.robustness --weights weights --attacks fgsm --epsilons 4 --count 20
        --store before.db
"""

import json
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation.robustness.command import app as robustness
from proxies.compute import app as compute
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.store import (
    RobustnessKey,
    ScoreKey,
    Store,
    read_robustness,
    read_scores,
    unpack_robust,
)
from testbed.train.command import app as train

BEFORE = Path(__file__).parent / "data" / "before"
SCORES = [
    *("--archs", "0,11,284", "--proxies", "params,jacobian_norm", "--channels", "4"),
    *("--cells", "1", "--workers", "1"),
]
ATTACKS = [
    *("--weights", "weights", "--attacks", "fgsm", "--epsilons", "4", "--count", "20"),
    *("--workers", "1"),
]
TRAINING = [
    *("--epochs", "1", "--channels", "4", "--cells", "1", "--archs", "284", "--workers", "1"),
    *("--out", "weights"),
]


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    """Return a copy of the store in the current folder, with the networks beside it."""
    shutil.copytree(BEFORE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "before.db"


def invoke(app, *arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        return list(connection.iterdump())


def schema(path: Path) -> dict[str, str]:
    """Return the SQL of each table, and what marks the file."""
    with sqlite3.connect(path) as connection:
        found = dict(connection.execute("SELECT name, sql FROM sqlite_master"))
        for pragma in ("application_id", "user_version"):
            (found[pragma],) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return found


def test_a_store_of_before_is_read(store):
    scores = read_scores(store).set_index(["network", "proxy"])["value"]
    params = {0: 5606, 11: 14062, 284: 5214}
    for index, count in params.items():
        assert scores[str(Genotype.from_index(index)), "params"] == count
    assert scores[str(Genotype.from_index(11)), "jacobian_norm"] == 9.048333285919108
    robust = read_robustness(store).set_index("measure")
    assert robust["accuracy"].to_dict() == {"clean": 0.65, "fgsm@Linf": 0.6}
    assert robust["level"].dropna().to_dict() == {"fgsm@Linf": 4.0}
    assert unpack_robust(str(robust.loc["clean", "robust"]), 20).sum() == 13
    with Store(store, "r") as opened:
        assert list(opened.runs()["status"]) == ["done", "done"]


def test_digests_are_those_of_before(store):
    with Store(store, "r") as opened:
        scores, finished = opened.scores(), opened.finished()
        robust = opened.robustness()
    for row in scores.astype(object).where(scores.notna(), None).to_dict("records"):
        names = ("network", "proxy", "init", "seed", "images", "settings")
        assert ScoreKey(*(row[name] for name in names)).digest in finished
    for row in robust.astype(object).where(robust.notna(), None).to_dict("records"):
        names = ("network", "init", "seed", "images", "measure", "level", "settings")
        assert RobustnessKey(*(row[name] for name in names)).digest == row["digest"]


def test_the_same_commands_find_nothing_left_to_do(store):
    before = dump(store)
    assert "already" in invoke(compute, *SCORES, "--store", "before.db")
    assert "already" in invoke(robustness, *ATTACKS, "--store", "before.db")
    assert "already" in invoke(train, *TRAINING)
    after = dump(store)
    # An empty table of failures is all that is new.
    assert [line for line in after if not line.startswith("CREATE TABLE failures (")] == before
    assert len(after) == len(before) + 1


def test_wider_commands_add_to_it(store):
    invoke(compute, *SCORES, "--archs", "0,11,284,5", "--store", "before.db")
    invoke(robustness, *ATTACKS, "--epsilons", "8", "--store", "before.db")
    scores, robust = read_scores(store), read_robustness(store)
    assert scores["run"].value_counts().to_dict() == {1: 6, 3: 2}
    assert robust["run"].value_counts().to_dict() == {2: 2, 4: 1}
    with Store(store, "r") as opened:
        commands = [json.loads(text)["command"][2] for text in opened.runs()["provenance"]]
    assert commands == ["proxies.compute", "evaluation.robustness"] * 2


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_it_is_exported(store, suffix):
    with Store(store, "r") as opened:
        opened.export(f"scores{suffix}")
        opened.export(f"robust{suffix}", "robustness")
    pd.testing.assert_frame_equal(read_scores(f"scores{suffix}"), read_scores(store))
    pd.testing.assert_frame_equal(read_robustness(f"robust{suffix}"), read_robustness(store))


def test_a_new_store_has_the_schema_of_before(store, tmp_path):
    Store(tmp_path / "new.db").close()
    new, before = schema(tmp_path / "new.db"), schema(store)
    assert {name: sql for name, sql in new.items() if name in before} == before
    assert set(new) - set(before) == {"failures", "sqlite_autoindex_failures_1"} & set(new)
    Store(store).close()
    assert schema(store) == new


def test_a_store_of_the_first_version_is_upgraded_to_it(store, tmp_path):
    first = tmp_path / "first.db"
    shutil.copy(store, first)
    Store(store).close()
    upgraded = schema(store)
    with sqlite3.connect(first) as connection:
        connection.executescript("DROP TABLE robustness; PRAGMA user_version = 1;")
    with Store(first, "r") as opened:
        assert len(opened.scores()) == 6
        assert opened.robustness().empty
    Store(first).close()
    assert schema(first) == upgraded
