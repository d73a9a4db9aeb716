"""Shards of a run, and the commands on files of results: list, check, merge, compact."""

import itertools
import math
import secrets
import sqlite3

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from proxies.compute import app as compute
from testbed.basis.errors import InputError
from testbed.command.provenance import provenance
from testbed.command.shards import Shard
from testbed.command.stores import app
from testbed.store import (
    FailureKey,
    FailureRow,
    RobustnessKey,
    RobustnessRow,
    ScoreKey,
    ScoreRow,
    Store,
    StoreError,
    database,
    read_robustness,
    read_scores,
    table,
)
from testbed.store.failures import FAILURES, drop_overruled
from testbed.store.robustness import ROBUSTNESS
from testbed.store.scores import SCORES

SMALL = ["--channels", "2", "--cells", "1", "--batch-size", "8", "--workers", "1", "--show", "0"]
VALUES = ["network", "proxy", "init", "seed", "images", "settings", "value", "reason", "details"]


def run(*words, code=0):
    result = CliRunner().invoke(app, [*map(str, words)], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def score(network, value=1.0, **fields):
    return ScoreRow(ScoreKey.make(network, "norm", **fields), value)


def result(network, robust=(True, False)):
    key = RobustnessKey.make(network, "own", 0, "digits", "fgsm@Linf", 8, {"count": 2})
    return RobustnessRow(key, robust, None, None, None)


def write(path, rows=(), results=(), status="done"):
    with Store(path) as store:
        run_ = store.begin_run({"command": ["compute", path.stem], "token": secrets.token_hex(8)})
        store.save(run_, rows)
        store.save_robustness(run_, results)
        store.finish_run(run_, status)
    return path


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_shards_are_the_whole_each_item_once(count):
    items = list(range(11))
    parts = [Shard(number, count).take(items) for number in range(1, count + 1)]
    assert sorted(itertools.chain(*parts)) == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    "word", ["", "3", "0/4", "5/4", "-1/4", "1/0", "a/b", "1/2/3", "1.0/2", "١/٢"]
)
def test_what_is_no_shard_is_refused(word):
    with pytest.raises(InputError, match=r"--shard .*got"):
        Shard.parse(word)


def test_shards_merged_in_any_order_are_the_whole_run(tmp_path):
    words = [
        *SMALL,
        "--archs",
        "0,11,284,5",
        "--seeds",
        "0,1",
        "--proxies",
        "params,grad_norm,near",
    ]
    done = CliRunner().invoke(compute, [*words, "--store", str(tmp_path / "whole.sqlite")])
    assert done.exit_code == 0, done.output
    whole, parts = read_scores(tmp_path / "whole.sqlite")[VALUES], []
    for number in (1, 2, 3):
        part = ["--shard", f"{number}/3", "--store", str(tmp_path / "s.sqlite")]
        done = CliRunner().invoke(compute, [*words, *part])
        assert done.exit_code == 0, done.output
        assert "robustness-proxies store merge" in done.output
        parts.append(tmp_path / f"s.{number}-of-3.sqlite")
    assert not (tmp_path / "s.sqlite").exists()
    assert sum(len(read_scores(part)) for part in parts) == len(whole)
    for place, order in enumerate(itertools.permutations(parts)):
        merged = tmp_path / f"merged{place}.sqlite"
        run("merge", *order, "--out", merged)
        pd.testing.assert_frame_equal(read_scores(merged)[VALUES], whole, check_exact=True)
    # Again, and with one of them, nothing is new; the runs are there once.
    assert "0 scores and 0 robust accuracies" in run("merge", parts[0], "--out", merged)
    with Store(merged, "r") as store:
        assert len(store.runs()) == 3


def test_two_runs_of_one_second_and_one_command_are_two(tmp_path):
    origins = [provenance(["compute"], "cpu", "float32", 1, {}) for _ in range(2)]
    for number, origin in enumerate(origins):
        with Store(tmp_path / f"{number}.sqlite") as store:
            begun = store.begin_run(origin | {"started": "2026-01-01T00:00:00+00:00"})
            store.save(begun, [score(str(number))])
            store.finish_run(begun, "done")
    run("merge", *(tmp_path / f"{n}.sqlite" for n in range(2)), "--out", tmp_path / "m.sqlite")
    with Store(tmp_path / "m.sqlite", "r") as store:
        assert len(store.runs()) == 2


def test_what_is_the_same_is_kept_once_with_its_run(tmp_path):
    rows = [score("a"), score("b", math.nan), score("c")]
    first = write(tmp_path / "a.sqlite", rows[:2], [result("a")])
    second = write(tmp_path / "b.sqlite", rows[1:], [result("a"), result("b")], "interrupted")
    said = run("merge", first, second, "--out", tmp_path / "c.sqlite")
    assert "3 scores and 2 robust accuracies of 2 files are new" in said
    found = read_scores(tmp_path / "c.sqlite").set_index("network")
    assert found["run"].tolist() == [1, 1, 2]
    assert np.isnan(found.loc["b", "value"])
    assert read_robustness(tmp_path / "c.sqlite")["run"].tolist() == [1, 2]
    with Store(tmp_path / "c.sqlite", "r") as store:
        assert store.runs()["status"].tolist() == ["done", "interrupted"]
        assert store.runs()["command"].tolist() == ["compute a", "compute b"]


@pytest.mark.parametrize(
    ("rows", "results", "said"),
    [([score("x", 2.0)], [], "was 1.0"), ([], [result("x", (False, False))], "other images right")],
)
def test_a_conflict_is_refused_by_name_and_nothing_is_added(tmp_path, rows, results, said):
    first = write(tmp_path / "a.sqlite", [score("x")], [result("x")])
    second = write(tmp_path / "b.sqlite", [score("y"), *rows], results)
    output = run("merge", first, second, "--out", tmp_path / "new.sqlite", code=2)
    assert said in output
    assert "'x'" in output
    assert "b.sqlite" in output
    assert not (tmp_path / "new.sqlite").exists()
    before = first.read_bytes()
    run("merge", second, "--out", first, code=2)
    assert read_scores(first)["network"].tolist() == ["x"]
    assert len(before) == first.stat().st_size


def test_files_that_are_none_are_refused(tmp_path):
    good = write(tmp_path / "a.sqlite", [score("x")])
    (tmp_path / "text.sqlite").write_text("no database at all, but long enough to be looked at")
    for words, said in (
        ((tmp_path / "no.sqlite", "--out", tmp_path / "o.sqlite"), "there is no results file"),
        ((tmp_path / "text.sqlite", "--out", tmp_path / "o.sqlite"), "not a"),
        ((good, "--out", good), "added to itself"),
        ((good, "--out", tmp_path / "o.csv"), "ends in .sqlite"),
    ):
        assert said in run("merge", *words, code=2)
    assert not (tmp_path / "o.sqlite").exists()


def test_a_check_finds_what_was_altered(tmp_path):
    path = write(tmp_path / "a.sqlite", [score("x"), score("y")], [result("x")])
    assert "sound" in run("check", path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE scores SET network = 'z' WHERE network = 'y'")
    said = run("check", path, code=1)
    assert "digest" in said
    assert "'z'" in said
    run("merge", path, "--out", tmp_path / "b.sqlite", code=2)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE scores SET seconds = -1.0")
    assert "seconds" in run("check", path, code=1)


def test_files_are_listed_and_compacted(tmp_path):
    rows = [score(f"n{i}", images="digits", init="random", seed=i % 2) for i in range(300)]
    path = write(tmp_path / "a.sqlite", rows, [result("x")], "interrupted")
    said = " ".join(run("ls", path).split())
    assert "1 run interrupted" in said
    assert "digits random 300 2 1 300 0" in said
    assert "digits own fgsm@Linf 1 1 1 1" in said
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM scores WHERE network != 'n1'")
    before = path.stat().st_size
    assert "→" in run("compact", path)
    assert path.stat().st_size < before
    with Store(path, "r") as store:
        assert list(store.faults()) == []
    with pytest.raises(StoreError), Store(path, "r") as store:
        store.absorb([])


@pytest.fixture
def blocks_of_two(monkeypatch):
    monkeypatch.setattr(table, "BLOCK", 2)
    monkeypatch.setattr(database, "BLOCK", 2)


def test_files_are_read_in_blocks_and_the_results_are_the_same(tmp_path, monkeypatch):
    rows = [score(f"n{i}", float(i), seed=i % 3) for i in range(9)]
    results = [result(f"n{i}") for i in range(5)]
    path = write(tmp_path / "a.sqlite", rows, results)

    def made(folder):
        for suffix in (".csv", ".parquet"):
            for kind in ("scores", "robustness"):
                with Store(path, "r") as store:
                    store.export(folder / f"{kind}{suffix}", kind)
                    assert list(store.faults()) == []
        assert "9 scores and 5 robust" in run("merge", path, "--out", folder / "b.sqlite")
        csv = [(folder / f"{kind}.csv").read_bytes() for kind in ("scores", "robustness")]
        frames = [read_scores(folder / "scores.parquet"), read_scores(path)]
        frames += [read_robustness(folder / "robustness.parquet"), read_robustness(path)]
        return csv, [*frames, read_scores(folder / "b.sqlite")]

    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    whole, frames = made(tmp_path / "one")
    monkeypatch.setattr(table, "BLOCK", 2)
    monkeypatch.setattr(database, "BLOCK", 2)
    again, other_frames = made(tmp_path / "two")
    assert again == whole
    for one, other in zip(frames, other_frames, strict=True):
        pd.testing.assert_frame_equal(one, other)
    pd.testing.assert_frame_equal(frames[0], frames[1])


def test_a_fault_in_a_later_block_is_named_by_its_row(tmp_path, blocks_of_two):
    path = write(tmp_path / "a.sqlite", [score(f"n{i}", float(i)) for i in range(9)])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE scores SET seconds = -1.0 WHERE network = 'n6'")
    assert "column seconds, row 7" in run("check", path, code=1)
    run("merge", path, "--out", tmp_path / "b.sqlite", code=2)
    assert not (tmp_path / "b.sqlite").exists()
    with pytest.raises(StoreError, match="seconds"), Store(path, "r") as store:
        store.export(tmp_path / "a.csv")
    assert not list(tmp_path.glob("*.csv"))
    assert not list(tmp_path.glob("*.json"))


def test_a_result_that_stands_twice_is_found_between_two_blocks(tmp_path, blocks_of_two):
    path = write(tmp_path / "a.sqlite", [], [result(f"n{i}") for i in range(3)])
    with sqlite3.connect(path) as connection:
        names = ", ".join(one.name for one in ROBUSTNESS.columns[1:])
        connection.execute(
            f"INSERT INTO robustness (digest, {names}) "
            f"SELECT 'twice', {names} FROM robustness WHERE network = 'n1'"
        )
    with pytest.raises(StoreError, match="once, found it again"), Store(path, "r") as store:
        store.export(tmp_path / "a.csv", "robustness")


@pytest.mark.parametrize("order", ["ab", "ba", "aba"])
def test_a_run_that_was_merged_while_it_ran_is_one_run(tmp_path, order):
    path, out = tmp_path / "a.sqlite", tmp_path / "out.sqlite"
    with Store(path) as store:
        number = store.begin_run({"command": ["compute"]})
        store.save(number, [score("one")])
        half = tmp_path / "half.sqlite"
        half.write_bytes(path.read_bytes())
        store.save(number, [score("two")])
        store.finish_run(number, "done")
    for one in order:
        run("merge", {"a": half, "b": path}[one], "--out", out)
    with Store(out, "r") as store:
        (merged,) = store.runs().to_dict("records")
        assert (merged["status"], len(store.scores())) == ("done", 2)
        with Store(path, "r") as whole:
            assert merged["finished"] == whole.runs()["finished"][0]


def test_a_provenance_that_is_no_json_is_refused_in_words(tmp_path):
    path = write(tmp_path / "a.sqlite", [score("n")])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET provenance = '{} x'")
    with pytest.raises(StoreError, match="provenance of run 1"), Store(path, "r") as store:
        store.export(tmp_path / "a.csv")


def test_a_result_of_a_run_that_is_not_there_is_refused(tmp_path):
    path = write(tmp_path / "a.sqlite", [score("n")])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE scores SET run = 7")
    said = run("merge", path, "--out", tmp_path / "b.sqlite", code=2)
    assert "a result is of run 7, which it does not have" in said


def test_a_file_that_is_written_meanwhile_is_merged(tmp_path, monkeypatch, blocks_of_two):
    path = write(tmp_path / "a.sqlite", [score(f"n{i}") for i in range(5)])
    look, passes = table.Table.blocks, []

    def blocks(of, connection):
        passes.append(of)
        for cells in look(of, connection):
            yield cells
            if passes.count(SCORES) == 2 and of is SCORES:  # they are being added
                passes.append(of)
                write(path, [score(f"later{i}") for i in range(20)])  # by a run that is new

    monkeypatch.setattr(table.Table, "blocks", blocks)
    with Store(path, "r") as store, Store(tmp_path / "b.sqlite") as into:
        count = into.absorb([store])["scores"]
    assert passes.count(SCORES) == 3
    rows = read_scores(tmp_path / "b.sqlite")
    assert count == len(rows) > 5
    assert rows["run"].nunique() == 2


def test_a_listing_counts_as_tables_do(tmp_path):
    rows = [
        score("a", images="digits", init="random", seed=0),
        score("a", math.nan, images="digits", init="random", seed=1),
        ScoreRow(ScoreKey.make("b", "norm"), 1.0),
        ScoreRow(ScoreKey.make("b", "params"), 2.0),
    ]
    said = " ".join(run("ls", write(tmp_path / "a.sqlite", rows)).split())
    assert "– – 1 0 2 2 0" in said
    assert "digits random 1 2 1 2 1" in said


def test_what_is_asked_for_is_read_alone(tmp_path):
    rows = [score(f"n{i}", float(i)) for i in range(1500)]
    path = write(tmp_path / "a.sqlite", rows, [result("x"), result("y")])
    some = [rows[i].key.digest for i in (7, 1400, 3)]
    for mode in ("r", "w"):
        with Store(path, mode) as store:
            assert store.scores(some)["value"].tolist() == [1400, 3, 7]  # n1400, n3, n7
            assert store.finished([*some, "of none"]) == set(some)
            assert store.scores([]).empty
            assert len(store.finished()) == 1500
            assert store.robustness(["y"])["network"].tolist() == ["y"]


def test_failures_are_dropped_without_a_look_at_every_result(tmp_path):
    with Store(tmp_path / "a.sqlite") as store:
        number = store.begin_run({})
        store.save(number, [ScoreRow(ScoreKey(f"net {n}", "norm"), float(n)) for n in range(5000)])
        key = FailureKey.of(ScoreKey("net 0", "norm"))
        FAILURES.put(store._connection, number, FailureRow(key, "error", "left behind"))
        looks = []
        store._connection.set_progress_handler(lambda: looks.append(1), 100)
        drop_overruled(store._connection)
        assert FAILURES.count(store._connection) == 0
    assert len(looks) < 10
