"""A full disk, no right to write, too few files, a clock that jumps: told, and nothing is lost."""

import errno
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from testbed.command import console as consoles
from testbed.command.console import progress
from testbed.command.heartbeat import Heartbeat
from testbed.command.job import Count, Execution, count_tasks, run_job
from testbed.command.shell import _exit_code
from testbed.engine import run
from testbed.engine.open_files import make_room
from testbed.engine.outcome import EngineError
from testbed.store import ScoreKey, ScoreRow, Store, StoreError, read_scores
from testbed.store import runs as store_runs
from testbed.store.limits import advice
from tests.test_job import Halves
from tests.thorough import thorough

ROOT = Path(__file__).resolve().parents[1]
SMALL = ["--channels", "2", "--cells", "1", "--show", "0", "--proxies", "params,flops,live_pool"]
resource = pytest.importorskip("resource")
_multiprocessing = pytest.importorskip("_multiprocessing")


def compute(store: Path, *words: str, **limits: int) -> tuple[int, str]:
    """Run a command with limits of the operating system; return its exit code and errors."""
    limit = "; ".join(
        f"resource.setrlimit(resource.RLIMIT_{name}, ({value}, {value}))"
        for name, value in limits.items()
    )
    code = f"import resource\nfrom proxies.compute import main\n{limit}\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code, *SMALL, "--store", str(store), *words], text=True,
        capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=300,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def errors(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("error: ")]


def forked(work) -> None:
    """Do work in a process of its own, which may give up rights."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_full_disk_is_told_and_what_was_saved_before_is_kept(tmp_path):
    path = tmp_path / "a.sqlite"
    rows = [ScoreRow(ScoreKey(f"net {number}", "norm"), 1.0) for number in range(400)]

    def save(store: Store, run: int) -> None:
        for place in range(0, 400, 10):
            store.save(run, rows[place : place + 10])
            (tmp_path / "saved").write_text(str(place + 10))

    def fill() -> None:
        with Store(path) as store:
            run = store.begin_run({})
            resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
            with pytest.raises(StoreError, match="the disk is full perhaps"):
                save(store, run)

    forked(fill)
    kept = int((tmp_path / "saved").read_text())
    with Store(path, "r") as store:
        assert 0 < len(store.scores()) == kept < 400
        assert list(store.faults()) == []
    with Store(path) as store:
        assert store.save(store.begin_run({}), rows) == 400 - kept


@thorough
def test_a_command_on_a_full_disk_goes_on_later(tmp_path):
    store = tmp_path / "a.sqlite"
    words = ["--archs", "sample:60", "--workers", "1"]
    code, said = compute(store, *words, FSIZE=40_000)
    assert code == 2
    assert len(errors(said)) == 1
    assert "the disk is full perhaps" in said
    kept = read_scores(store)
    assert 0 < len(kept) < 180
    code, said = compute(store, *words)
    assert code == 0
    after = read_scores(store)
    assert len(after) == 180
    assert (after["run"] == 1).sum() == len(kept)  # none was computed again


@thorough
@pytest.mark.parametrize("files", [8, 14])
def test_a_command_with_too_few_files_ends_in_words(tmp_path, files):
    code, said = compute(tmp_path / "a.sqlite", "--archs", "0,11", "--workers", "2", NOFILE=files)
    assert code == 2
    assert len(errors(said)) == 1
    assert "ulimit -n" in said


def test_an_engine_makes_room_for_its_files_or_says_how_many_it_needs(monkeypatch):
    resource = pytest.importorskip("resource")
    set_to = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 1024))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: set_to.append(limits))
    make_room(2, 10, "Dask")
    assert set_to == []
    make_room(90, 10, "Dask")
    assert set_to == [(940, 1024)]
    with pytest.raises(EngineError, match=r"some 1040 open files for 100 workers.*have 1024"):
        make_room(100, 10, "Dask")


@pytest.mark.parametrize("limit", [None, 60.0])
def test_a_machine_without_room_for_semaphores_is_told(monkeypatch, limit):
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_multiprocessing, "SemLock", refuse)
    with pytest.raises(EngineError, match=r"\(No space left on device\).*/dev/shm on Linux"):
        list(run(len, ["a"], workers=2, limit=limit))


def test_too_few_files_are_told(capsys):
    def full() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    assert _exit_code(full) == 2
    (said,) = errors(capsys.readouterr().err)
    assert "ulimit -n" in said


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="lets go of a right")
def test_a_store_that_may_only_be_read_is_read_and_not_written():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.sqlite"
        with Store(path) as store:
            store.save(store.begin_run({}), [ScoreRow(ScoreKey("net", "norm"), 1.0)])
        os.chmod(folder, 0o755)
        path.chmod(0o644)

        def read() -> None:
            os.setuid(65534)
            with Store(path, "r") as store:
                assert len(store.scores()) == 1
            with pytest.raises(StoreError, match="cannot be written"):
                Store(path)

        forked(read)


def test_what_sqlite_says_is_explained():
    assert "make room" in advice(OSError("database or disk is full"))
    assert "readonly" not in advice(OSError("attempt to write a readonly database"))
    assert "too many files open" in advice(OSError("unable to open database file"))
    assert advice(OSError("no such table")) == ""


def test_a_store_that_is_deleted_under_way_ends_the_run_in_words(tmp_path):
    path = tmp_path / "a.sqlite"

    class Deleting(Halves):
        def save(self, place, run, number, half):
            if number == 4:
                path.unlink()
            return super().save(place, run, number, half)

    store = Store(path)
    with pytest.raises(StoreError, match=r"is gone .*run the same command again"):
        run_job(Deleting(), [2, 4, 6], store, Execution("toys"), Console(file=io.StringIO()))
    store.close()


def test_a_store_that_is_copied_over_under_way_gets_no_row_of_another_run(tmp_path):
    path, other = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    with Store(other) as store:
        store.save(store.begin_run({}), [ScoreRow(ScoreKey("other", "norm"), 1.0)])
        store.save(1, [ScoreRow(ScoreKey("more", "norm"), 1.0)])
    content = other.read_bytes()

    class Copying(Halves):
        def save(self, place, run, number, half):
            place.save(run, [ScoreRow(ScoreKey(f"net {number}", "norm"), 1.0)])
            if number == 4:
                path.write_bytes(content)
            return super().save(place, run, number, half)

    store = Store(path)
    with pytest.raises(StoreError, match=r"copied over: .*run the same command again"):
        run_job(Copying(), [2, 4, 6], store, Execution("toys"), Console(file=io.StringIO()))
    store.close()
    assert path.read_bytes() == content


def test_a_clock_that_jumps_back_spoils_nothing(tmp_path, monkeypatch):
    times = iter(["2026-01-02T00:00:00+00:00", "2026-01-01T00:00:00+00:00"] * 9)
    monkeypatch.setattr(store_runs, "_now", lambda: next(times))
    with Store(tmp_path / "a.sqlite") as store:
        number = store.begin_run({})
        store.save(number, [ScoreRow(ScoreKey("net", "norm"), 1.0)])
        store.finish_run(number, "done")
        (run,) = store.runs().to_dict("records")
        assert run["started"] > run["finished"]
        store.export(tmp_path / "a.csv")
    with Store(tmp_path / "merged.sqlite") as merged, Store(tmp_path / "a.sqlite", "r") as store:
        assert merged.absorb([store])["scores"] == 1
        assert len(read_scores(tmp_path / "a.csv")) == len(merged.scores()) == 1


# How far a job is


def test_a_job_tells_what_is_done_running_and_failed():
    counts = []

    class Bar:
        def __enter__(self):
            return counts.append

        def __exit__(self, *error):
            return None

    run_job(Halves(), [2, 3, 4], {}, Execution("toys"), Console(file=io.StringIO()), Bar())
    assert counts == [
        Count(3, 0, 1, 0), Count(3, 1, 0, 0), Count(3, 1, 1, 0), Count(3, 2, 0, 1),
        Count(3, 2, 1, 1), Count(3, 3, 0, 1),
    ]  # fmt: skip


def test_the_parts_of_a_task_are_tried_after_all_others():
    class Parting(Halves):
        def fail(self, place, run, number, outcome):
            return [2, 5] if number == 3 else ()

    kept = {}
    ending = run_job(
        Parting(), [3, 4], kept, Execution("toys"), Console(file=io.StringIO(), width=200)
    )
    assert kept == {4: 2, 2: 1}
    assert list(kept) == [4, 2]
    assert (ending.failed, ending.left) == ([("number 5", "ValueError: odd")], 0)


def test_a_line_and_a_bar_say_what_is_running_and_has_failed(monkeypatch):
    now = [0.0]
    text = io.StringIO()
    beat = Heartbeat(Console(file=text, width=200), lambda: now[0])
    task = beat.add_task("scoring", total=10)
    now[0] = 40.0
    beat.update(task, completed=1, running=2, failed=1)
    assert text.getvalue() == (
        "scoring: 10 % (1 of 10), 2 running, 1 failed, 0:00:40 elapsed, about 0:06:00 left\n"
    )
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=200)
    with count_tasks(Halves(), [1, 2, 3], terminal) as tell:
        tell(Count(3, 1, 2, 1))
    assert "2 running, 1 failed" in shown.getvalue()
    assert "1/3" in shown.getvalue()
    with progress(terminal) as bar:  # of what is no job: no such words
        assert isinstance(bar, Progress)
        assert not any(isinstance(one, consoles._Status) for one in bar.columns)
