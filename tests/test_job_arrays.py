"""Jobs of a cluster give what one process gives; a stand-in for SLURM runs them here."""

import os
import pickle
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from proxies.compute import app as compute
from testbed.engine import EngineError, run
from testbed.engine.names import Engine
from testbed.store import read_scores
from tests import stand_in_slurm
from tests.heavy_job import ITEMS, SMALL, VALUES, described, kept, same
from tests.thorough import thorough

ROOT = Path(__file__).resolve().parents[1]
linux = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


def test_job_arrays_give_what_one_process_gives(heavy, slurm, tmp_path):
    engine = Engine.parse(
        described(tmp_path, jobs=2, tasks=4, minutes=5, partition="cpu", setup="['export A=1']",
                  directives="['--constraint=avx', '--exclusive']")
    )  # fmt: skip
    found = dict(run(heavy, ITEMS, engine=engine))
    same(found, dict(run(heavy, ITEMS)))
    assert len(kept(heavy)) == 2
    (script,) = (slurm / "jobs").glob("*.sbatch")
    lines = script.read_text().splitlines()
    for line in (
        "#SBATCH --array=0-1%2", "#SBATCH --partition=cpu", "#SBATCH --time=5",
        "#SBATCH --constraint=avx", "#SBATCH --exclusive", "#SBATCH --cpus-per-task=1",
        "#SBATCH --mem=4GB", "export A=1", "#SBATCH --signal=USR2@75",
    ):  # fmt: skip
        assert line in lines
    assert not any((tmp_path / "jobs").iterdir())


@thorough
def test_a_job_that_dies_costs_its_items_a_retry_then_the_culprit_fails(heavy, slurm, tmp_path):
    items = ["a", "die", "bb", "die once"]
    found = dict(run(heavy, items, engine=Engine.parse(described(tmp_path, jobs=2, tasks=2))))
    assert found[1].error_type == "WorkerDied"
    assert "its log is" in found[1].error
    assert all(found[position].error is None for position in (0, 2, 3))
    assert len(stand_in_slurm.jobs(slurm)) == 4, "what was finished was computed again"
    assert any((tmp_path / "jobs").iterdir()), "the log is kept"


@thorough
def test_processes_of_submitit_serve_without_a_cluster(heavy, tmp_path):
    engine = Engine.parse(described(tmp_path, cluster="local", jobs=2, tasks=3))
    same(dict(run(heavy, ITEMS, engine=engine)), dict(run(heavy, ITEMS)))


@thorough
@linux
def test_jobs_that_are_wanted_no_more_are_cancelled(heavy, slurm, tmp_path):
    engine = Engine.parse(described(tmp_path, jobs=2, tasks=1))
    outcomes = run(heavy, ["a", *["slow"] * 50], engine=engine)
    next(outcomes)
    outcomes.close()
    deadline = time.monotonic() + 10
    while "RUNNING" in dict(stand_in_slurm.jobs(slurm).values()).values():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def without_accounts(slurm):
    (slurm / "bin" / "sacct").write_text("#!/bin/sh\nexit 1\n")


@linux
def test_without_accounts_the_queue_says_what_became_of_jobs(slurm, tmp_path):
    pytest.importorskip("submitit")
    from testbed.engine.queue_watcher import QueueWatcher, watcher
    from testbed.engine.squeue import GONE

    assert not isinstance(watcher(1), QueueWatcher)
    without_accounts(slurm)
    told = watcher(1)
    assert isinstance(told, QueueWatcher)
    (tmp_path / "job.sh").write_text("#SBATCH --array=0-1\nsleep 60\n")
    subprocess.run(["sbatch", str(tmp_path / "job.sh")], check=True)
    ours = ["1000_0", "1000_1", "77_0"]
    for job in ours:
        told.register_job(job)
    assert [told.get_state(job, "force") for job in ours] == ["RUNNING", "RUNNING", GONE]
    assert [told.is_done(job) for job in ours] == [False, False, True]
    squeue = slurm / "bin" / "squeue"
    said = squeue.read_text()
    squeue.write_text("#!/bin/sh\nexit 1\n")  # the controller is busy, say
    told.update()
    assert not told.is_done(ours[0], "cache")
    squeue.write_text(said)
    subprocess.run(["scancel", "1000"], check=True)
    deadline = time.monotonic() + 10
    while not all(told.is_done(job, "force") for job in ours):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_is_no_end_of_a_job_is_not_taken_for_one(monkeypatch):
    pytest.importorskip("submitit")
    from testbed.engine import queue_watcher

    told = queue_watcher.Watcher(60)
    states = {
        "PENDING": False, "CONFIGURING": False, "SUSPENDED": False, "COMPLETING": False,
        "REQUEUE_HOLD": False, "STAGE_OUT": False, "": False, "PREEMPTED": False,
        "COMPLETED": True, "CANCELLED by 1000": True, "CANCELLED+": True, "TIMEOUT": True,
        "NODE_FAIL": True, "OUT_OF_MEMORY": True,
    }  # fmt: skip
    for place, (state, over) in enumerate(states.items()):
        told._registered.add(str(place))
        told._info_dict[str(place)] = {"State": state}
        assert told.is_done(str(place), "cache") is over, state
    monkeypatch.setattr(queue_watcher, "RETURNS", -1)
    place = list(states).index("PREEMPTED")
    assert told.is_done(str(place), "cache"), "it does not go back to the queue"


def noted(item):
    with Path(item[0]).open("a") as file:
        file.write(item[1])
    return item[1]


def test_what_a_job_had_finished_when_it_died_is_not_computed_again(tmp_path):
    pytest.importorskip("submitit")
    from testbed.engine.chunk import PARCEL, Chunk, finished, forget
    from testbed.engine.parcels import Origin, Parcel

    parcel = Parcel.of(noted, Origin())
    (tmp_path / PARCEL).write_bytes(pickle.dumps(parcel))
    items = [(place, (str(tmp_path / "log"), name)) for place, name in enumerate("abc")]
    Chunk(tmp_path, parcel.word, items[:2], 1, None)()
    done = finished(tmp_path, range(3))
    assert [pickle.loads(done[place]).value for place in sorted(done)] == ["a", "b"]
    again = Chunk(tmp_path, parcel.word, items, 1, None)()
    assert [pickle.loads(again[place]).value for place in range(3)] == ["a", "b", "c"]
    assert (tmp_path / "log").read_text() == "abc"
    forget(tmp_path, range(3))
    assert sorted(path.name for path in tmp_path.iterdir()) == [PARCEL, "log"]


def test_jobs_that_cannot_be_cancelled_are_named(slurm, capfd):
    from testbed.engine import squeue

    (slurm / "bin" / "scancel").write_text("#!/bin/sh\nexit 1\n")
    squeue.cancel(())
    assert not capfd.readouterr().err
    squeue.cancel({"1100", "1000"})
    assert "end them by `scancel 1000 1100`" in capfd.readouterr().err


def test_a_job_that_goes_back_to_the_queue_at_its_end_is_cancelled(slurm, monkeypatch):
    pytest.importorskip("submitit")
    from testbed.engine import job_arrays, squeue

    listed = ("1000_0|PENDING|", "1000_1|COMPLETED|here", "7_0|PENDING|", "1100|CONFIGURING|here")
    text = "\n".join(f"echo '{line}'" for line in listed)
    (slurm / "bin" / "squeue").write_text(f"#!/bin/sh\n{text}\n")
    cancelled = []
    monkeypatch.setattr(squeue, "cancel", lambda numbers: cancelled.append(sorted(numbers)))
    job_arrays._cancel_ghosts({"1000", "1100"})
    assert cancelled == [["1000_0", "1100"]]


class Refusing:
    """An executor that takes jobs when it is told to."""

    taking = True

    @contextmanager
    def batch(self):
        yield
        if not self.taking:
            raise ValueError("sbatch: error: Unable to contact slurm controller (connect failure)")

    def submit(self, function):
        return function


def test_jobs_that_are_refused_under_way_are_tried_again(tmp_path, monkeypatch, capfd):
    from testbed.engine import submission
    from testbed.engine.cluster_file import ClusterFile

    monkeypatch.setattr(submission, "AGAIN", 0)
    executor, chunks = Refusing(), iter([[(place, place)] for place in range(5)])
    ours = submission.Submission(
        executor, lambda items, owner: items, ClusterFile(jobs=2), tmp_path
    )
    executor.taking = False
    why = r"^no jobs can be submitted: Unable to contact slurm controller \(connect failure\)$"
    with pytest.raises(EngineError, match=why):
        ours.take(iter([[(9, 9)]]), 1, others=False)
    executor.taking = True
    assert ours.take(chunks, 2, others=False) == [([(0, 0)], [(0, 0)]), ([(1, 1)], [(1, 1)])]
    executor.taking = False
    for free, others in ((1, True), (2, False)):
        assert ours.take(chunks, free, others) == []
        assert ours.waiting
    assert capfd.readouterr().err.count("trying again") == 1
    executor.taking = True
    assert [items for items, _ in ours.take(chunks, 2, others=False)] == [[(2, 2)], [(3, 3)]]
    assert not ours.waiting
    executor.taking = False
    monkeypatch.setattr(submission, "WAIT", -1)
    assert ours.take(chunks, 2, others=True) == []
    with pytest.raises(EngineError, match="Unable to contact"):
        ours.take(chunks, 2, others=False)


@thorough
@linux
def test_without_accounts_a_job_that_died_is_tried_again(heavy, slurm, tmp_path):
    without_accounts(slurm)
    engine = Engine.parse(described(tmp_path, jobs=2, tasks=3))
    outcomes = dict(run(heavy, ["a", "die", "bb"], engine=engine))
    assert outcomes[1].kind == "died"
    assert outcomes[0].error is outcomes[2].error is None


@thorough
@linux
def test_a_job_that_is_preempted_goes_on_where_it_was(heavy, slurm, tmp_path):
    engine = Engine.parse(described(tmp_path, jobs=1, tasks=6))
    outcomes = run(heavy, ["a", "slow", "slow", "slow", "slow", "bb"], engine=engine)

    def preempt():
        deadline = time.monotonic() + 60
        while not kept(heavy) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1.5)
        subprocess.run(["pkill", "-USR2", "-f", "-g", _group(slurm), "submitit.core._submit"])

    thread = threading.Thread(target=preempt)
    thread.start()
    found = dict(outcomes)
    thread.join()
    assert [found[position].error for position in sorted(found)] == [None] * 6
    assert len(kept(heavy)) == 2, "it was never preempted"


def _group(slurm):
    ((group, _),) = stand_in_slurm.jobs(slurm).values()
    return str(group)


@thorough
def test_dask_workers_are_jobs_too(heavy, slurm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    engine = Engine.parse(
        described(tmp_path, by="dask-jobqueue", jobs=2, minutes=90, partition="gpu", gpus=1,
                  interface="lo")
    )  # fmt: skip
    same(dict(run(heavy, ITEMS, engine=engine)), dict(run(heavy, ITEMS)))
    script = next(iter((slurm / "jobs").glob("*.sbatch"))).read_text()
    for line in ("#SBATCH -p gpu", "#SBATCH -t 01:30:00", "#SBATCH --gres=gpu:1", "--nthreads 1"):
        assert line in script
    deadline = time.monotonic() + 20
    while "RUNNING" in dict(stand_in_slurm.jobs(slurm).values()).values():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@thorough
def test_the_example_of_shards_is_a_run(slurm, tmp_path, monkeypatch):
    script = (ROOT / "examples" / "job.sh").read_text().replace("16", "2")
    (tmp_path / "job.sh").write_text(script)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IMAGES", "digits")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    subprocess.run(["sbatch", "job.sh", *SMALL], check=True)
    deadline = time.monotonic() + 120
    while "RUNNING" in (states := [state for _, state in stand_in_slurm.jobs(slurm).values()]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert states == ["COMPLETED"] * 2, [p.read_text() for p in (slurm / "jobs").glob("*.log")]
    merge = "robustness-proxies store merge runs/digits.*-of-2.sqlite --out runs/digits.sqlite"
    assert merge.replace("-2.", "-16.").replace("digits", "cifar10") in (
        (ROOT / "docs" / "cluster.md").read_text()
    )
    subprocess.run(merge, shell=True, check=True)
    done = CliRunner().invoke(compute, [*SMALL, "--workers", "1", "--store", "whole.sqlite"])
    assert done.exit_code == 0, done.output
    one, other = read_scores("runs/digits.sqlite")[VALUES], read_scores("whole.sqlite")[VALUES]
    pd.testing.assert_frame_equal(one, other, check_exact=True)
