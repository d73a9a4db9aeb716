"""Results files that were changed from outside, come from elsewhere, or are no files at all."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

from testbed.store import (
    RobustnessKey,
    ScoreKey,
    ScoreRow,
    Store,
    StoreBusy,
    StoreError,
    read_robustness,
    read_scores,
)
from testbed.store.far_byte import FarByte
from testbed.store.limits import STEPS
from testbed.store.runs import RUNS
from testbed.store.schema import TABLES, create
from tests.thorough import some

ROOT = Path(__file__).resolve().parents[1]
BEFORE = ROOT / "tests" / "data" / "before" / "before.db"
linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems lack these locks")


def rows(count: int, start: int = 0) -> list[ScoreRow]:
    return [ScoreRow(ScoreKey(str(number), "p"), 1.0) for number in range(start, start + count)]


@pytest.fixture
def path(tmp_path) -> Path:
    with Store(tmp_path / "a.db") as store:
        run = store.begin_run({})
        store.save(run, rows(5))
        store.finish_run(run, "done")
    return tmp_path / "a.db"


def change(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script)


def child(code: str, *words: object, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, **options,
    )  # fmt: skip


# What a schema must not hold

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
VIEW = f"DROP TABLE scores; CREATE VIEW scores AS {ENDLESS}" + ", ".join(
    f"i AS {one.name}" for one in TABLES["scores"].columns
)
OTHER = TABLES["scores"].create
HOSTILE = {
    "view": f"{VIEW} FROM n;",
    "another view": "CREATE VIEW mine AS SELECT * FROM scores;",
    "trigger": "CREATE TRIGGER t AFTER INSERT ON scores BEGIN DELETE FROM scores; END;",
    "index": "CREATE UNIQUE INDEX i ON scores (network);",
    "conflict": "DROP TABLE scores;"
    + OTHER.replace("TEXT PRIMARY KEY", "TEXT PRIMARY KEY ON CONFLICT REPLACE"),
    "unique": "DROP TABLE scores;"
    + OTHER.replace("proxy TEXT NOT NULL", "proxy TEXT NOT NULL UNIQUE"),
    "check": "DROP TABLE scores;" + OTHER.replace("value REAL", "value REAL CHECK (value < 1)"),
    "generated": "ALTER TABLE scores ADD COLUMN g REAL GENERATED ALWAYS AS (value * 2) VIRTUAL;",
    "virtual": "CREATE VIRTUAL TABLE v USING fts5 (a);",
    "lacking": "DROP TABLE scores;",
    "without a column": "ALTER TABLE scores DROP COLUMN value;",
    "with a row number": "DROP TABLE scores;" + OTHER.replace(" WITHOUT ROWID", ""),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("mode", ["r", "w"])
def test_a_schema_that_is_not_ours_is_refused_and_left_alone(path, kind, mode):
    change(path, HOSTILE[kind])
    before = path.read_bytes()
    begun = time.monotonic()
    with pytest.raises(StoreError, match=r"a\.db (holds what|is damaged)"):
        Store(path, mode)
    assert time.monotonic() - begun < 5
    assert path.read_bytes() == before


def test_what_does_nothing_and_what_a_later_version_adds_is_let_alone(path):
    change(path, "CREATE TABLE notes (text); ANALYZE; ALTER TABLE scores ADD COLUMN flops INTEGER;")
    with Store(path) as store:
        assert store.save(store.begin_run({}), rows(1, start=9)) == 1
    assert len(read_scores(path)) == 6


def test_a_query_without_end_ends(path, monkeypatch):
    monkeypatch.setattr("testbed.store.schema.check_schema", lambda *_: None)
    monkeypatch.setattr("testbed.store.limits.STEPS", STEPS // 100)
    change(path, HOSTILE["view"])
    with Store(path, "r") as store, pytest.raises(StoreError, match="more steps than a file"):
        store.scores()


def test_ctrl_c_interrupts_a_query(path):
    change(path, HOSTILE["view"])
    process = child(
        """
        import sys
        import testbed.store.limits, testbed.store.schema
        from testbed.store import Store
        testbed.store.schema.check_schema = lambda *_: None
        testbed.store.limits.STEPS = 10**15
        with Store(sys.argv[1], "r") as store:
            print("asks", flush=True)
            try:
                store.scores()
            except KeyboardInterrupt:
                print("interrupted", flush=True)
        """,
        path,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asks\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert (output, errors) == ("interrupted\n", "")


# What cells must not hold


@pytest.mark.parametrize(
    "change_of",
    [
        "measure = '../../x' WHERE level IS NULL",
        "measure = 'a/b' WHERE level IS NULL",
        "measure = '..' WHERE level IS NULL",
        "accuracy = 7", "accuracy = 0.5", "accuracy = x'00'", "count = -1", "seconds = -1",
        "level = -1 WHERE level > 0", "robust = 'no base64'", "settings = '[1]'",
        "settings = '{'", "network = char(27) || '[31m'", "confidence_label = 2",
        "gradients = -5", "seed = 'x'",
    ],
)  # fmt: skip
def test_a_result_that_cannot_be_is_not_read(tmp_path, change_of):
    path = tmp_path / "a.db"
    shutil.copy(BEFORE, path)
    change(path, f"UPDATE robustness SET {change_of}")
    with pytest.raises(StoreError, match=r"a\.db: ") as refused:
        read_robustness(path)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize("measure", ["../../x", "a/b", "a\\b", "..", ".x", "", "x" * 300])
def test_a_measure_names_a_file_of_its_folder(measure):
    with pytest.raises(StoreError, match="measure of a result is"):
        RobustnessKey.make("n", "trained", 0, "digits", measure, 1.0, {})


# What is no file


@pytest.mark.parametrize("mode", ["r", "w"])
@pytest.mark.parametrize("name", ["a.db", "b.db-journal", "b.db-wal"])
def test_a_pipe_is_refused_at_once(tmp_path, mode, name):
    if name != "a.db":
        create(tmp_path / "b.db")
    os.mkfifo(tmp_path / name)
    with pytest.raises(StoreError, match="a named pipe"):
        Store(tmp_path / name.partition("-")[0], mode)


@pytest.mark.parametrize("mode", ["r", "w"])
def test_links_in_a_circle_are_refused(tmp_path, mode):
    (tmp_path / "a.db").symlink_to("b.db")
    (tmp_path / "b.db").symlink_to("a.db")
    with pytest.raises(StoreError, match=r"a\.db cannot be opened"):
        Store(tmp_path / "a.db", mode)
    with pytest.raises(StoreError):
        Store(f"{tmp_path}/a\0.db", mode)
    assert (tmp_path / "a.db").is_symlink()


def test_a_lock_file_that_is_a_link_is_not_written_through(tmp_path):
    (tmp_path / "precious").write_text("text")
    (tmp_path / "a.db.lock").symlink_to("precious")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "a.db")
    assert (tmp_path / "precious").read_text() == "text"
    create(tmp_path / "b.db")
    os.link(tmp_path / "b.db", tmp_path / "b.db.lock")
    before = (tmp_path / "b.db").read_bytes()
    with pytest.raises(StoreError, match="itself"):
        Store(tmp_path / "b.db")
    assert (tmp_path / "b.db").read_bytes() == before


# One writer

HOLDER = """
    import sys
    from testbed.store import Store
    with Store(sys.argv[1]) as store:
        store.begin_run({})
        print("holds", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def holder(path):
    process = child(HOLDER, path, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "holds\n"
    yield process
    process.kill()
    process.communicate()


@linux
def test_no_second_writer_under_another_name(path, holder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    os.link(path, tmp_path / "elsewhere" / "hard.db")
    (tmp_path / "soft.db").symlink_to(path)
    for name in ("elsewhere/hard.db", "soft.db", "a.db"):
        with pytest.raises(StoreBusy, match=r"another process|process \d"):
            Store(tmp_path / name)
        assert len(read_scores(tmp_path / name)) == 5
    (tmp_path / "a.db.lock").unlink()
    with pytest.raises(StoreBusy, match="after the lock file was deleted"):
        Store(path)
    # Readers, and writers that were refused, took nothing from the one who holds it.
    with pytest.raises(StoreBusy):
        Store(path)
    holder.stdin.write("\n")
    holder.stdin.flush()
    assert holder.wait(10) == 0
    Store(tmp_path / "elsewhere" / "hard.db").close()


def test_nor_in_one_process(path, tmp_path):
    os.link(path, tmp_path / "hard.db")
    with Store(path):
        (tmp_path / "a.db.lock").unlink()
        for name in ("hard.db", "a.db"):
            with pytest.raises(StoreBusy):
                Store(tmp_path / name)
    Store(tmp_path / "hard.db").close()


@linux
def test_the_lock_takes_nothing_from_sqlite(path):
    with Store(path) as store:
        other = FarByte(path, write=False)
        assert other.taken()
        store._connection.execute("BEGIN EXCLUSIVE")
        other.close()
        with closing(sqlite3.connect(path, timeout=0)) as database:
            process = child(
                """
                import sqlite3, sys
                sqlite3.connect(sys.argv[1], timeout=0).execute("SELECT 1 FROM scores")
                """,
                path,
            )
            assert "database is locked" in process.communicate()[1]
            assert database
        store._connection.execute("ROLLBACK")


def test_where_there_are_no_such_locks_the_one_beside_serves(path, monkeypatch):
    monkeypatch.setattr("testbed.store.far_byte.fcntl.F_OFD_SETLK", 9999)
    with Store(path) as store:
        with pytest.raises(StoreBusy):
            Store(path)
        assert store.save(store.begin_run({}), rows(1, start=9)) == 1


def test_windows_has_a_lock_too(path, monkeypatch):
    monkeypatch.setattr("testbed.store.lock.fcntl", None)
    monkeypatch.setattr("testbed.store.far_byte.fcntl", None)
    with Store(path) as store:
        with pytest.raises(StoreBusy, match="another process"):
            Store(path)
        assert len(store.scores()) == 5
    Store(path).close()


# Runs that could not record their end


@linux
def test_a_dead_run_is_interrupted_and_a_living_one_is_running(path, holder):
    def status():
        with Store(path, "r") as store:
            return store.runs()["status"].tolist()

    assert status() == ["done", "running"]
    holder.kill()
    holder.wait()
    before = path.read_bytes()
    assert status() == ["done", "interrupted"]
    assert path.read_bytes() == before
    with Store(path) as store:
        assert store.runs()["status"].tolist() == ["done", "interrupted"]
        store.begin_run({})
        assert store.runs()["status"].tolist() == ["done", "interrupted", "running"]


# Cut short


def cut(how: str, path: Path) -> None:
    size = path.stat().st_size
    if how == "removed":
        path.unlink()
    elif how == "replaced":
        shutil.copy(path, f"{path}.x")
        os.replace(f"{path}.x", path)
    else:
        to = {"to nothing": 0, "by half": size // 2, "by a page": size - 4096, "by bytes": size - 9}
        os.truncate(path, to[how])


@pytest.mark.parametrize("when", ["before saving", "before the end", "after the end"])
@pytest.mark.parametrize(
    "how", ["to nothing", "by half", "by a page", "by bytes", "removed", "replaced"]
)
def test_a_store_that_is_cut_short_while_it_is_open_is_an_error(tmp_path, how, when):
    path = tmp_path / "a.db"

    def study():
        with Store(path) as store:
            run = store.begin_run({})
            store.save(run, rows(300))
            if when == "before saving":
                cut(how, path)
                store.save(run, rows(300, start=300))
            if when == "before the end":
                cut(how, path)
            store.finish_run(run, "done")
            if when == "after the end":
                cut(how, path)

    with pytest.raises(StoreError, match=r"a\.db"):
        study()


# Killed while it is made, or made newer


def test_a_kill_while_a_store_is_made_leaves_nothing_for_long(tmp_path):
    process = child(
        """
        import os, sys
        from pathlib import Path
        import testbed.store.schema as schema
        schema.TABLES["runs"].create
        def dies(*_):
            os.kill(os.getpid(), 9)
        import testbed.files.replacing as replacing
        replacing._sync = dies
        from testbed.store import Store
        Store(sys.argv[1])
        """,
        tmp_path / "a.db",
    )
    process.communicate()
    left = sorted(entry.name for entry in tmp_path.iterdir())
    assert len(left) == 2, left
    with Store(tmp_path / "a.db") as store:
        store.save(store.begin_run({}), rows(1))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.db", "a.db.lock"]


@pytest.mark.parametrize("statement", some(range(1, 8), 3))
def test_an_upgrade_that_was_interrupted_is_taken_up(tmp_path, statement):
    path = tmp_path / "first.db"
    shutil.copy(BEFORE, path)
    change(path, "DROP TABLE robustness; PRAGMA user_version = 1;")
    code = """
        import os, sqlite3, sys
        import testbed.store.open_file as database
        real, seen = database.upgrade, 0
        def upgrade(connection):
            def count(text):
                global seen
                seen += 1
                if seen == int(sys.argv[2]):
                    os.kill(os.getpid(), 9)
            connection.set_trace_callback(count)
            real(connection)
        database.upgrade = upgrade
        database.OpenFile(sys.argv[1]).close()
    """
    child(code, path, statement).communicate()
    assert len(read_scores(path)) == 6
    with Store(path) as store:
        assert store.robustness().empty
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    "half",
    ["PRAGMA user_version = 1;", "DROP TABLE robustness;"],
    ids=["a table and no version", "a version and no table"],
)
def test_a_half_upgrade_of_an_earlier_version_is_taken_up(tmp_path, half):
    path = tmp_path / "half.db"
    shutil.copy(BEFORE, path)
    change(path, half)
    Store(path).close()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
    assert RUNS.name in TABLES
    read_robustness(path)
