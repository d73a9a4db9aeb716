import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from testbed.engine import EngineError, run
from testbed.engine.memory import keep_freed_memory
from testbed.engine.processes import _pool
from tests.thorough import thorough

ROOT = Path(__file__).resolve().parents[1]


def work(item):
    """Stand for a score: deterministic, or failing in one of several ways."""
    if item == "sleep":
        time.sleep(60)
    if item == "exit":
        sys.exit("no network")
    if item == "unpicklable":
        return threading.Lock()
    if item < 0:
        raise ValueError(f"negative: {item}")
    draws = torch.randn(64, 64, generator=torch.Generator().manual_seed(item))
    return float((draws @ draws).sum()), torch.get_num_threads()


linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


def alive(pid):
    # A zombie that nobody waits for is dead enough.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


class Recorded:
    """Items that know which of them were taken."""

    def __init__(self, items):
        self.items, self.taken = list(items), 0

    def __iter__(self):
        for item in self.items:
            self.taken += 1
            yield item


def test_one_worker_is_lazy_and_in_order():
    items = Recorded(range(5))
    outcomes = run(work, items)
    assert items.taken == 0
    assert next(outcomes)[0] == 0
    assert items.taken == 1
    assert [position for position, _ in outcomes] == [1, 2, 3, 4]


def test_one_failing_item_stops_no_other():
    outcomes = dict(run(work, [1, -1, "exit", 2]))
    assert outcomes[1].error == "ValueError: negative: -1"
    assert outcomes[1].error_type == "ValueError"
    assert "in work" in outcomes[1].traceback
    assert outcomes[1].value is None
    assert outcomes[2].error_type == "SystemExit"
    assert outcomes[0].error is outcomes[3].error is None
    assert outcomes[3].value == (*work(2)[:1], 1)


def test_torch_threads_are_set_for_the_item_and_restored_between_items():
    before = torch.get_num_threads()
    threads = before + 1
    for _, outcome in run(work, [1, -1, 2], threads=threads):
        assert torch.get_num_threads() == before
        assert outcome.error or outcome.value[1] == threads


def test_an_interrupt_is_no_outcome():
    def interrupted(item):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(run(interrupted, [1]))


def page_faults(_):
    import resource

    for _ in range(3):
        torch.zeros(2**24)  # 64 MiB, freed at once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.zeros(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@linux
def test_workers_keep_freed_memory():
    if not keep_freed_memory():
        pytest.skip("the C library is not glibc")
    for _, outcome in run(page_faults, range(2), workers=2):
        assert outcome.value < 500  # of 16,384 pages a tensor


def test_two_workers_give_what_one_gives():
    items = [*range(7), -1, "unpicklable", "exit", 8]
    serial, parallel = dict(run(work, items)), dict(run(work, items, workers=2))
    assert sorted(parallel) == list(range(len(items)))
    for position in set(parallel) - {8}:
        assert parallel[position].value == serial[position].value
        assert parallel[position].error == serial[position].error
    assert parallel[8].error_type in ("TypeError", "PicklingError")


def test_closing_early_takes_few_items_and_ends_the_workers():
    items = Recorded([0, *["sleep"] * 20])
    with contextlib.closing(run(work, items, workers=2)) as outcomes:
        next(outcomes)
        workers = multiprocessing.active_children()
        started = time.monotonic()
    assert items.taken <= 4
    assert len(workers) == 2
    assert not any(worker.is_alive() for worker in workers)
    # Alive, it could meet the interpreter's end half-way: a traceback on the terminal.
    assert not [t for t in threading.enumerate() if "ExecutorManager" in type(t).__name__]
    assert time.monotonic() - started < 10


def die_last(item):
    number, folder = item
    if number != 1:
        (folder / str(number)).touch()
        return number
    eventually(lambda: len(list(folder.iterdir())) >= 3, 60)
    time.sleep(0.5)  # the results of the others are on their way
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_item_that_kills_its_worker_has_failed_and_the_others_go_on(tmp_path):
    outcomes = dict(run(die_last, [(number, tmp_path) for number in range(20)], workers=2))
    assert sorted(outcomes) == list(range(20))
    dead = outcomes.pop(1)
    assert dead.error_type == "WorkerDied"
    assert "SIGKILL" in dead.error
    assert {position: outcome.value for position, outcome in outcomes.items()} == {
        number: number for number in range(20) if number != 1
    }
    assert not multiprocessing.active_children()


def test_the_only_item_may_kill_its_worker():
    ((position, outcome),) = run(die, ["SIGABRT"], workers=2)
    assert (position, outcome.error_type) == (0, "WorkerDied")
    assert "SIGABRT" in outcome.error


def die(name):
    os.kill(os.getpid(), signal.Signals[name])


def test_a_broken_executor_of_the_callers_is_an_error_after_what_had_finished(tmp_path):
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        outcomes = run(
            die_last, [(number, tmp_path) for number in range(9)], workers=2, executor=pool
        )
        seen = dict([next(outcomes)])
        assert eventually(lambda: not multiprocessing.active_children(), 60)
        with pytest.raises(EngineError, match=r"worker process died.*position: 1, 4\."):
            seen.update(outcomes)
    assert {position: outcome.value for position, outcome in seen.items()} == {0: 0, 2: 2, 3: 3}


def plus_one(item):
    return item + 1


@thorough
@pytest.mark.parametrize("deaths", [1, 2])
def test_a_process_that_dies_while_it_starts_is_started_anew_with_a_time_limit(deaths):
    dead: set[int] = set()

    def kill():
        while len(dead) < deaths:
            for child in {one.pid for one in multiprocessing.active_children()} - dead:
                os.kill(child, signal.SIGKILL)
                dead.add(child)
            time.sleep(0.01)

    threading.Thread(target=kill, daemon=True).start()
    outcomes = run(plus_one, [1, 2], limit=60)
    if deaths == 1:
        assert [outcome.value for _, outcome in outcomes] == [2, 3]
    else:
        with pytest.raises(EngineError, match="a worker process died"):
            list(outcomes)
    assert len(dead) == deaths
    assert not multiprocessing.active_children()


def interrupt(item):
    os.kill(os.getpid(), signal.SIGINT)
    return item


def test_workers_leave_ctrl_c_to_their_parent():
    ((_, outcome),) = run(interrupt, [7], workers=2)
    assert outcome.error is None
    assert outcome.value == 7


def test_a_function_that_cannot_be_sent_is_refused():
    with pytest.raises(EngineError, match="top level"):
        next(run(lambda item: item, [1], workers=2))


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"threads": 0}])
def test_nonsense_is_refused_at_once(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        run(work, [1], **wrong)


def test_any_executor_serves_within_its_bound_and_stays_open():
    items, now, most = Recorded(range(30)), 0, 0
    guard = threading.Lock()

    def counted(item):
        nonlocal now, most
        with guard:
            now, most = now + 1, max(most, now + 1)
        time.sleep(0.001)
        with guard:
            now -= 1
        return item * item

    with ThreadPoolExecutor(8) as pool:
        outcomes = run(counted, items, workers=2, executor=pool)
        first = next(outcomes)
        assert items.taken <= 4
        values = dict([first, *outcomes])
        assert pool.submit(int).result() == 0
    assert {position: outcome.value for position, outcome in values.items()} == {
        item: item * item for item in range(30)
    }
    assert most <= 4


SCRIPT = textwrap.dedent(
    """
    import multiprocessing, sys
    from testbed.engine import run
    from tests.test_engine import work

    if __name__ == "__main__":
        try:
            for position, _ in run(work, [1, *["sleep"] * 9], workers=2):
                print(*[child.pid for child in multiprocessing.active_children()], flush=True)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
)


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "study.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    workers = [int(pid) for pid in process.stdout.readline().split()]
    yield process, workers
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@linux
def test_ctrl_c_ends_a_study_at_once_and_silently(study):
    process, workers = study
    time.sleep(1)  # both workers are up and asleep
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the parent and the workers
    output, errors = process.communicate(timeout=15)
    assert output == "interrupted\n"
    assert errors == ""
    assert len(workers) == 2
    assert not any(map(alive, workers))


@linux
def test_workers_do_not_outlive_a_killed_parent(study):
    process, workers = study
    assert workers
    assert all(map(alive, workers))
    process.kill()
    process.wait()
    assert eventually(lambda: not any(map(alive, workers)), 10)


def masks(pid):
    """Return which signals a process blocks and ignores, as sets of numbers."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = {}
    for name in ("SigBlk", "SigIgn"):
        bits = int(re.search(rf"^{name}:\s*(\w+)", text, re.MULTILINE)[1], 16)
        found[name] = {number for number in range(1, 65) if bits >> (number - 1) & 1}
    return found["SigBlk"], found["SigIgn"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the masks")
def test_a_ctrl_c_does_not_reach_a_worker_that_starts():
    with _pool(1, 1) as executor:
        future = executor.submit(os.getpid)
        (pid,) = executor._processes
        blocked, _ = masks(pid)
        assert signal.SIGINT in blocked, "it would die of it before it can ignore it"
        future.result()
        blocked, ignored = masks(pid)
        assert signal.SIGINT in ignored - blocked
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
