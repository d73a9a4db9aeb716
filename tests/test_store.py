import csv
import json
import math
import os
import pickle
import random
import sqlite3
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from testbed.command.provenance import code_version, provenance
from testbed.store import ScoreKey, ScoreRow, Store, StoreBusy, StoreError, read_scores
from testbed.store.schema import APPLICATION_ID

ROOT = Path(__file__).resolve().parents[1]
KEY = ScoreKey.make(
    "net", "jacobian", init="random", seed=0, images="digits", settings={"batch": 16, "bn": "x"}
)


def row(network, value, **others):
    return ScoreRow(replace(KEY, network=network), value, **others)


# Everything that a text file could get wrong.
ROWS = [
    row("a", 1 / 3, converged=True, iterations=7, residual=1e-12, seconds=0.25),
    row("b", math.nan, reason='no "path",\r\nno gradient', converged=False),
    row("c", math.inf, details={"per image": [1, 2.5, None], "text": 'a,"b"\n'}),
    row("d", -math.inf, reason="τ"),
    row("e", math.nan, reason="a file named \udcff\r"),
    row("NA", 5e-324),
    row("null", -0.0, iterations=2**53 + 1, residual=math.nan),
    ScoreRow(ScoreKey("1", "flops"), 2.0**70, details={"much": list(range(50_000))}),
    ScoreRow(ScoreKey("1", "norm", "trained", 2**63 - 1, None, '{"eps":0.1}'), 1.0),
    ScoreRow(ScoreKey("1", "norm", "trained", -(2**63), "nan", '{"eps":1.0}'), 1.0),
]


def fill(path, rows=ROWS):
    with Store(path) as store:
        run = store.begin_run(provenance(["prog", "a b"], "cpu", torch.float64, 1, {"p": ROOT}))
        store.save(run, rows)
        store.finish_run(run, "done")
    return path


def same(a, b):
    return a == b or (a != a and b != b)


# Keys


def test_the_digest_does_not_depend_on_the_order_of_settings():
    one = ScoreKey.make("n", "p", settings={"a": 1, "b": {"c": 0.1, "d": (1, 2)}})
    two = ScoreKey.make("n", "p", settings={"b": {"d": [1, 2], "c": np.float64(0.1)}, "a": 1})
    assert one == two
    assert one.digest == two.digest
    assert one.settings == '{"a":1,"b":{"c":0.1,"d":[1,2]}}'


def test_the_digest_is_the_same_for_ever():
    # Files written long ago are resumed by it.
    assert KEY.digest == "5ab59e9d463ddc7fed82cfec1e028b7226c21605a41f96df0261f9677991429c"


names = st.text('ab|,"\\ ', min_size=1, max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
keys = st.builds(
    ScoreKey.make,
    names,
    names,
    init=st.just("") | names,
    seed=st.none() | st.integers(-3, 3),
    images=st.none() | names,
    settings=st.dictionaries(names, values, max_size=2),
)


@given(keys, keys)
def test_digests_are_equal_just_where_keys_are(one, two):
    assert (one.digest == two.digest) == (one == two)
    assert pickle.loads(pickle.dumps(one)) == one
    assert hash(pickle.loads(pickle.dumps(one))) == hash(one)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("network", "n2"),
        ("proxy", "p2"),
        ("init", "trained"),
        ("seed", 1),
        ("seed", None),
        ("images", None),
        ("settings", "{}"),
    ],
)
def test_every_field_is_in_the_digest(field, other):
    assert replace(KEY, **{field: other}).digest != KEY.digest


def test_numpy_seeds_become_ints():
    assert ScoreKey.make("n", "p", seed=np.int64(3)) == ScoreKey("n", "p", seed=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"network": ""},
        {"network": "a\nb"},
        {"proxy": None},
        {"images": ""},
        {"seed": 2**63},
        {"seed": True},
        {"seed": np.int64(1)},
        {"settings": '{"b":1, "a":1}'},
        {"settings": '{"a":NaN}'},
        {"settings": "no"},
        {"settings": {"a": 1}},
    ],
)
def test_fields_not_of_their_kind_are_refused(wrong):
    with pytest.raises(StoreError, match=next(iter(wrong))):
        replace(KEY, **wrong)


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}, {"x"}, torch.ones(1), object()])
def test_settings_that_are_not_json_are_refused(value):
    with pytest.raises(StoreError, match=r"settings\.a"):
        ScoreKey.make("n", "p", settings={"a": value})


def test_rows_take_the_numbers_of_numpy_and_torch(tmp_path):
    given = ScoreRow(
        KEY,
        torch.tensor(1.5),  # type: ignore[arg-type]
        converged=np.bool_(True),  # type: ignore[arg-type]
        iterations=np.int64(3),  # type: ignore[arg-type]
        residual=np.float32(0.5),  # type: ignore[arg-type]
        details={"norms": np.arange(2), "mean": torch.tensor(2.0)},
    )
    (read,) = read_scores(fill(tmp_path / "a.db", [given])).to_dict("records")
    assert (read["value"], read["converged"], read["iterations"]) == (1.5, True, 3)
    assert json.loads(read["details"]) == {"norms": [0, 1], "mean": 2.0}


@pytest.mark.parametrize(
    "wrong", [{"value": None}, {"value": torch.ones(2)}, {"details": {"a": object()}}]
)
def test_rows_that_cannot_be_saved_are_refused_when_made(wrong):
    with pytest.raises(StoreError, match=next(iter(wrong))):
        ScoreRow(**{"key": KEY, "value": 1.0, **wrong})


# Round trips


def test_what_is_saved_is_read(tmp_path):
    table = read_scores(fill(tmp_path / "a.sqlite"))
    expected = sorted(ROWS, key=lambda r: (r.key.network, r.key.proxy, r.key.seed or 0))
    assert len(table) == len(ROWS)
    for read, saved in zip(table.to_dict("records"), expected, strict=True):
        key = saved.key
        for name in ("network", "proxy", "init", "settings"):
            assert read[name] == getattr(key, name)
        for name, value in [("seed", key.seed), ("images", key.images)] + [
            (name, getattr(saved, name)) for name in ("reason", "converged", "iterations")
        ]:
            assert pd.isna(read[name]) if value is None else read[name] == value
        assert same(read["value"], saved.value)
        assert same(read["residual"], math.nan if saved.residual is None else saved.residual)
        assert read["seconds"] == saved.seconds
        assert json.loads(read["details"]) == saved.details
        assert read["run"] == 1


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.floats(), st.none() | st.text(st.characters(exclude_characters="\0"))),
        min_size=1,
        max_size=40,
    )
)
def test_any_value_and_reason_survive_every_format(tmp_path, cells):
    path = tmp_path / "a.db"
    path.unlink(missing_ok=True)
    rows = [row(f"{i:02}", value, reason=reason) for i, (value, reason) in enumerate(cells)]
    fill(path, rows)
    for name in ("a.csv", "a.parquet"):
        with Store(path, "r") as store:
            store.export(tmp_path / name)
        for read, saved in zip(read_scores(tmp_path / name).to_dict("records"), rows, strict=True):
            assert same(read["value"], saved.value)
            assert pd.isna(read["reason"]) if not saved.reason else read["reason"] == saved.reason


@pytest.mark.parametrize("rows", [ROWS, []], ids=["rows", "empty"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_export_reads_back_equal(tmp_path, suffix, rows):
    path, other = fill(tmp_path / "a.sqlite", rows), tmp_path / "new" / f"a{suffix}"
    with Store(path, "r") as store:
        store.export(other)
        store.export(other)
        assert_frame_equal(read_scores(other), store.scores(), check_exact=True)
    left = {file.name for file in other.parent.iterdir()}
    assert left == ({"a.csv", "a.runs.json"} if suffix == ".csv" else {"a.parquet"})
    if suffix == ".csv":
        (run,) = json.loads((tmp_path / "new" / "a.runs.json").read_text())
    else:
        (run,) = json.loads(pq.read_schema(other).metadata[b"runs"])
    assert (run["id"], run["status"], run["command"]) == (1, "done", "prog 'a b'")
    assert run["provenance"]["settings"] == {"p": str(ROOT)}


def test_a_failed_export_leaves_the_old_one(tmp_path, monkeypatch):
    path, other = fill(tmp_path / "a.sqlite"), tmp_path / "a.parquet"
    other.write_text("old")

    def full(writer, rows):
        raise OSError("disk full")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with Store(path, "r") as store, pytest.raises(OSError, match="disk full"):
        store.export(other)
    assert other.read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_an_export_replaces_the_old_one_as_a_whole(tmp_path):
    path, other = fill(tmp_path / "a.sqlite"), tmp_path / "a.csv"
    other.write_text("old")
    with other.open() as read_meanwhile, Store(path, "r") as store:
        store.export(other)
        assert read_meanwhile.read() == "old"


def test_exports_of_other_kinds_are_refused(tmp_path):
    with (
        Store(fill(tmp_path / "a.db"), "r") as store,
        pytest.raises(StoreError, match=r"\.csv or \.parquet"),
    ):
        store.export(tmp_path / "a.xlsx")


def test_the_order_of_rows_does_not_depend_on_the_order_of_saving(tmp_path):
    shuffled = random.Random(0).sample(ROWS, len(ROWS))
    assert_frame_equal(
        read_scores(fill(tmp_path / "a.db")), read_scores(fill(tmp_path / "b.db", shuffled))
    )


# Reading what is not as it should be


def exported(tmp_path, suffix):
    with Store(fill(tmp_path / "a.db"), "r") as store:
        store.export(tmp_path / f"a{suffix}")
    return tmp_path / f"a{suffix}"


@pytest.mark.parametrize("missing", ["value", "network", "proxy"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_missing_column_is_named(tmp_path, suffix, missing):
    path = exported(tmp_path, suffix)
    if suffix == ".csv":
        pd.read_csv(path).drop(columns=missing).to_csv(
            path, index=False, quoting=csv.QUOTE_NONNUMERIC
        )
    else:
        pq.write_table(pq.read_table(path).drop_columns([missing]), path)
    with pytest.raises(StoreError, match=rf"a\{suffix}.*no column {missing}"):
        read_scores(path)


@pytest.mark.parametrize("cut", [0, 1, 30])
def test_a_csv_file_cut_off_is_refused(tmp_path, cut):
    path = exported(tmp_path, ".csv")
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: len(text) - 30] if cut == 30 else text[:cut], encoding="utf-8")
    with pytest.raises(StoreError, match=r"a\.csv cannot be read"):
        read_scores(path)


def test_a_cell_of_the_wrong_kind_is_pointed_at(tmp_path):
    path = exported(tmp_path, ".csv")
    table = pd.read_csv(path, dtype=str)
    table.loc[2, "value"] = "big"
    table.to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC)
    with pytest.raises(StoreError, match="column value, row 3: 'big'"):
        read_scores(path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".db"])
def test_files_that_cannot_be_read_are_named(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    with pytest.raises(StoreError, match=rf"no file .*x\{suffix}"):
        read_scores(path)
    path.write_bytes(b"\xff\xfe garbage" * 100)
    with pytest.raises(StoreError, match=rf"x\{suffix} cannot be"):
        read_scores(path)
    with pytest.raises(StoreError, match=r"\.parquet"):
        read_scores(tmp_path / "x.txt")


def test_a_reader_makes_no_file(tmp_path):
    with pytest.raises(StoreError, match="no results file"):
        Store(tmp_path / "new" / "a.db", "r")
    assert not list(tmp_path.iterdir())
    with Store(fill(tmp_path / "a.db"), "r") as store:
        for write in (lambda: store.begin_run({}), lambda: store.save(1, ROWS)):
            with pytest.raises(StoreError, match="not open for writing"):
                write()


def foreign(path):
    database = sqlite3.connect(path)
    database.executescript("CREATE TABLE scores (a); INSERT INTO scores VALUES (1)")
    database.close()


def foreign_with_log(path):
    # A program that was killed left its last changes in a log: closing would merge them.
    code = (
        "import os, sqlite3, sys; d = sqlite3.connect(sys.argv[1]);"
        "d.executescript('PRAGMA journal_mode = WAL; CREATE TABLE t (a)'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)
    assert path.with_name(path.name + "-wal").stat().st_size


def newer(path):
    fill(path, ROWS[:1])
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    path.with_name(path.name + ".lock").unlink()


@pytest.mark.parametrize(
    "make",
    [
        foreign,
        foreign_with_log,
        newer,
        lambda path: path.write_bytes(b"x"),
        lambda path: path.write_bytes(b"name,value\n" * 1000),
        lambda path: path.write_bytes(bytes(8192)),
        Path.mkdir,
    ],
    ids=["foreign", "foreign_with_log", "newer", "byte", "text", "zeros", "folder"],
)
@pytest.mark.parametrize("mode", ["w", "r"])
def test_what_is_not_ours_is_refused_and_left_alone(tmp_path, make, mode):
    path = tmp_path / "a.db"
    make(path)

    def contents():
        return {
            p: p.is_file() and p.read_bytes() for p in tmp_path.iterdir() if "shm" not in p.name
        }

    before = contents()
    with pytest.raises(StoreError, match=r"a\.db.*(version 99|not a results file|opened)"):
        Store(path, mode)
    assert contents() == before


def test_results_files_have_a_known_suffix(tmp_path):
    with pytest.raises(StoreError, match=r"\.sqlite"):
        Store(tmp_path / "a.csv")


# Saving and resuming


def test_a_study_goes_on_where_it_stopped(tmp_path):
    keys = [row.key for row in ROWS]
    with Store(tmp_path / "deep" / "a.db") as store:
        assert store.save(store.begin_run({}), ROWS[2:4]) == 2
    with Store(tmp_path / "deep" / "a.db") as store:
        assert store.finished() == {key.digest for key in keys[2:4]}
        assert store.save(store.begin_run({}), ROWS) == len(ROWS) - 2
        runs = store.scores().set_index(["network", "proxy", "seed"]).run
        assert runs["c", "jacobian", 0] == 1
        assert runs["a", "jacobian", 0] == 2


@pytest.mark.parametrize("first", [math.nan, 1.0, math.inf])
@pytest.mark.parametrize("second", [math.nan, 1.0, math.nextafter(1, 2), math.inf, -math.inf])
def test_a_score_has_one_value(tmp_path, first, second):
    path = fill(tmp_path / "a.db", [row("x", first)])
    with Store(path) as store:
        run = store.begin_run({})
        if same(first, second):
            assert store.save(run, [row("y", 0.0), row("x", second)]) == 1
        else:
            with pytest.raises(StoreError, match=f"(?s)'x'.*{first!r}.*{second!r}"):
                store.save(run, [row("y", 0.0), row("x", second)])
        saved = dict(store.scores()[["network", "value"]].itertuples(index=False))
    assert same(saved["x"], first)
    assert ("y" in saved) == same(first, second)  # all or nothing


def test_a_store_goes_on_after_a_refusal(tmp_path):
    with Store(tmp_path / "a.db") as store:
        for wrong in (lambda: store.save(7, ROWS), lambda: store.finish_run(7, "done")):
            with pytest.raises(StoreError, match="no run 7"):
                wrong()
        with pytest.raises(KeyError):
            store.save(store.begin_run({}), (row(name, {}[name]) for name in "a"))
        assert store.save(store.begin_run({}), ROWS) == len(ROWS)


def test_runs_tell_where_scores_come_from(tmp_path):
    with Store(tmp_path / "a.db") as store:
        origin = provenance(["prog", "x"], "cpu", torch.float64, 3, {"eps": 8.0})
        run = store.begin_run(origin)
        (before,) = store.runs().to_dict("records")
        store.finish_run(run, "interrupted")
        (after,) = store.runs().to_dict("records")
    assert before["status"] == "running"
    assert pd.isna(before["finished"])
    assert after["status"] == "interrupted"
    assert after["finished"] >= after["started"] == origin["started"]
    for name in ("code_version", "torch_version", "python", "platform", "device", "threads"):
        assert after[name] == origin[name]
    assert json.loads(after["provenance"]) == origin
    assert origin["dtype"] == "float64"


# Several processes

WRITER = textwrap.dedent(
    """
    import itertools, sys
    from testbed.store import ScoreKey, ScoreRow, Store
    with Store(sys.argv[1]) as store:
        run = store.begin_run({"command": "writer"})
        for batch in itertools.count():
            key = lambda i: ScoreKey(f"{run}/{batch}/{i}", "p" * 500)
            store.save(run, [ScoreRow(key(i), float(i)) for i in range(50)])
            print(batch, flush=True)
            if len(sys.argv) > 2:
                sys.stdin.readline()
    """
)


def writer(path, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def batches(scores, run):
    mine = scores[scores.run == run].network.str.split("/", expand=True)
    return mine[1].astype(int).value_counts()


def test_a_killed_writer_leaves_whole_transactions_and_no_lock(tmp_path):
    path, rng = tmp_path / "a.sqlite", random.Random(1)
    for run in range(1, 6):
        process = writer(path)
        try:
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.15))
        finally:
            process.kill()
            told = 1 + len(process.communicate()[0].split())
        if run % 2:  # a reader is the first to come
            count = batches(read_scores(path), run)
        with Store(path) as store:
            count = batches(store.scores(), run)
        assert (count == 50).all()
        assert sorted(count.index) == list(range(len(count)))
        assert told <= len(count) <= told + 1
        database = sqlite3.connect(path)
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        database.close()
    with Store(path) as store:
        assert list(store.runs().status) == ["interrupted"] * 5


def test_a_journal_left_behind_is_rolled_back_by_a_reader(tmp_path):
    # Killed in the middle of writing to the file, not between two transactions.
    path = fill(tmp_path / "a.db", ROWS[:2])
    code = textwrap.dedent(
        """
        import os, sqlite3, sys
        database = sqlite3.connect(sys.argv[1], isolation_level=None)
        database.executescript("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN")
        for i in range(2000):
            database.execute("UPDATE scores SET reason = ?", (str(i) * 500,))
        os._exit(1)
        """
    )
    subprocess.run([sys.executable, "-c", code, path], check=False)
    assert path.with_name("a.db-journal").exists()
    assert list(read_scores(path).reason.isna()) == [True, False]
    assert not path.with_name("a.db-journal").exists()


def test_a_second_writer_is_told_who_writes_and_a_reader_reads(tmp_path):
    path = tmp_path / "a.db"
    (tmp_path / "link.db").symlink_to(path)
    process = writer(path, "step")
    try:
        for batch in range(3):
            assert int(process.stdout.readline()) == batch
            assert len(read_scores(path)) == 50 * (batch + 1)
            for name in ("a.db", "link.db"):
                with pytest.raises(StoreBusy, match=rf"process {process.pid} on .* since 20"):
                    Store(tmp_path / name)
            process.stdin.write("\n")
            process.stdin.flush()
    finally:
        process.kill()
        process.communicate()
    Store(path).close()


def test_a_store_is_busy_in_its_own_process_too(tmp_path):
    with Store(tmp_path / "a.db") as store:
        with pytest.raises(StoreBusy, match=str(os.getpid())):
            Store(tmp_path / "a.db")
        store.save(store.begin_run({}), ROWS)
        store.close()
        store.close()
    Store(tmp_path / "a.db").close()


def test_reading_while_another_writes_without_pause(tmp_path):
    process = writer(tmp_path / "a.db")
    try:
        process.stdout.readline()
        lengths = [len(read_scores(tmp_path / "a.db")) for _ in range(8)]
    finally:
        process.kill()
        process.communicate()
    assert all(length % 50 == 0 for length in lengths)
    assert lengths == sorted(lengths)
    assert lengths[-1] > lengths[0] > 0


def test_a_file_is_written_safely_on_network_file_systems_too(tmp_path):
    with Store(tmp_path / "a.db") as store:
        pragma = store._connection.execute
        assert pragma("PRAGMA journal_mode").fetchone() == ("delete",)
        assert pragma("PRAGMA synchronous").fetchone() == (2,)
        assert pragma("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


# Provenance


def test_provenance_is_json_whatever_the_settings():
    odd = {"path": ROOT, "dtype": torch.float32, 1: (2, {3}), "none": None}
    origin = provenance(["a"], "cpu", "float32", 2, odd)
    assert json.loads(json.dumps(origin)) == origin
    assert origin["settings"] == {
        "path": str(ROOT),
        "dtype": "torch.float32",
        "1": [2, [3]],
        "none": None,
    }


def test_the_code_version_needs_no_git(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "+g" not in code_version()


def test_the_code_version_marks_changes(monkeypatch, tmp_path):
    import testbed.command.provenance as module

    def git(*arguments):
        names = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", "-C", tmp_path, *names, *arguments], check=True)

    (tmp_path / "testbed" / "command").mkdir(parents=True)
    (tmp_path / "testbed" / "command" / "provenance.py").write_text("1")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "testbed" / "command" / "provenance.py"))
    assert "+g" not in code_version()
    git("init", "-q")
    assert "+g" not in code_version()  # no commit yet
    git("add", ".")
    git("commit", "-qm", "one")
    assert len(code_version().partition("+g")[2]) == 40
    (tmp_path / "testbed" / "command" / "provenance.py").write_text("2")
    assert code_version().endswith("-dirty")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "testbed" / "site" / "package" / "p.py"))
    assert "+g" not in code_version()  # some other project's repository
