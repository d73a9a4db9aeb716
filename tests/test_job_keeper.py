"""Jobs of dask-jobqueue: refused, lost, back in the queue; a stand-in for SLURM runs them here."""

import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest

from testbed.engine import EngineError, job_keeper, run
from testbed.engine.cluster_file import ClusterFile
from testbed.engine.job_keeper import JobKeeper
from testbed.engine.names import Engine
from tests import stand_in_slurm
from tests.heavy_job import ITEMS, described, kept, same
from tests.thorough import thorough

pytestmark = [
    pytest.mark.skipif(find_spec("dask_jobqueue") is None, reason="it needs the extra dask"),
    pytest.mark.skipif(sys.platform != "linux", reason="the stand-in looks into /proc"),
]
REFUSAL = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"


@pytest.fixture
def keeper(slurm, tmp_path, monkeypatch):
    """A keeper of two jobs, whose workers do not come before a minute is over."""
    from testbed.engine.dask_clusters import _without_jobs

    asked = ClusterFile(
        by="dask-jobqueue", jobs=2, folder=str(tmp_path / "logs"), setup=("sleep 60",)
    )
    monkeypatch.setattr(job_keeper, "GLANCE", 0)
    monkeypatch.setattr(job_keeper, "STATE", -1)
    cluster = _without_jobs(asked)
    yield JobKeeper(cluster, asked)
    cluster.close(timeout=10)
    assert "RUNNING" not in states(slurm).values()


def states(slurm):
    return {number: state for number, (_, state) in stand_in_slurm.jobs(slurm).items()}


def end(*numbers):
    subprocess.run(["scancel", *numbers], check=True)
    time.sleep(0.1)


def refuse(slurm, after):
    """Let sbatch refuse all but so many more jobs."""
    real = slurm / "bin" / "sbatch"
    if not (slurm / "sbatch").exists():
        real.rename(slurm / "sbatch")
    (slurm / "left").write_text("x" * after)
    real.write_text(
        f'#!/bin/sh\nexec 9> {slurm}/lock; flock 9\nleft=$(cat {slurm}/left)\n'
        f'if [ -n "$left" ]; then printf %s "${{left%x}}" > {slurm}/left\n'
        f'exec {slurm}/sbatch "$@"; fi\n'
        f'echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2\n'
        f'echo "sbatch: error: Batch job submission failed: {REFUSAL}" >&2\nexit 1\n'
    )  # fmt: skip
    real.chmod(0o755)


def test_jobs_that_the_cluster_refuses_end_the_run_in_its_words(keeper, slurm, capfd):
    refuse(slurm, 0)
    with pytest.raises(EngineError) as refused:
        keeper.submit()
    assert str(refused.value) == (
        "no jobs can be submitted: QOSMaxSubmitJobPerUserLimit; "
        f"Batch job submission failed: {REFUSAL}"
    )
    assert "Traceback" not in capfd.readouterr().err


def test_jobs_that_are_lost_are_submitted_again_up_to_a_bound(keeper, slurm, capfd):
    refuse(slurm, 1)  # some of them are taken: the run goes on with these
    keeper.submit()
    assert "1 of 2 jobs could be submitted" in capfd.readouterr().err
    keeper.look()
    assert list(states(slurm)) == ["1000"]
    refuse(slurm, 9)
    keeper.look()
    assert states(slurm) == {"1000": "RUNNING", "1100": "RUNNING"}
    end("1000")
    keeper.look()
    assert states(slurm) == {"1000": "CANCELLED", "1100": "RUNNING", "1200": "RUNNING"}
    end("1100", "1200")
    with pytest.raises(EngineError, match=r"3 jobs in turn ended before their Dask worker had"):
        keeper.look()
    assert "Traceback" not in capfd.readouterr().err


def test_a_job_that_waits_or_an_answer_that_fails_loses_no_job(keeper, slurm, monkeypatch, capfd):
    keeper.submit()
    squeue = slurm / "bin" / "squeue"
    for answer in ("exit 1", "echo '1000|PENDING|'; echo '1100|SUSPENDED|here'"):
        squeue.write_text(f"#!/bin/sh\n{answer}\n")
        keeper.look()
        assert len(states(slurm)) == 2
    assert "gives no answer: waiting" in capfd.readouterr().err
    monkeypatch.setattr(job_keeper, "WAIT", -1)
    squeue.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(EngineError, match=r"none can be submitted: the cluster does not answer"):
        keeper.look()


def test_tasks_too_long_for_a_job_end_the_run_unless_something_is_finished(keeper, slurm):
    keeper.submit()
    keeper._last_there = dict.fromkeys(keeper._cluster.workers, 0.0)
    keeper._lost = job_keeper.ROUNDS * 3
    keeper.progressed()
    end("1000")
    keeper.look()
    assert len(states(slurm)) == 3
    keeper._last_there |= dict.fromkeys(keeper._cluster.workers, 0.0)
    keeper._lost = job_keeper.ROUNDS * 3
    end("1100")
    with pytest.raises(EngineError, match=r"13 jobs were lost and nothing was finished.*60 min"):
        keeper.look()


def test_a_ctrl_c_means_what_it_meant_before(monkeypatch):
    from testbed.engine.dask_clusters import _kind

    for name in [name for name in sys.modules if name.startswith("dask_jobqueue")]:
        monkeypatch.delitem(sys.modules, name)
    before = signal.getsignal(signal.SIGINT)
    _kind("slurm")
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(("items", "jobs"), [(["a"] * 3, 3), (["a"] * 9, 8), (iter("a"), 8)])
def test_there_are_no_more_jobs_than_tasks(items, jobs, slurm, tmp_path, monkeypatch):
    from testbed.engine import dask_run

    def connected(engine, workers):
        raise EngineError(f"{engine.cluster.jobs} jobs")

    monkeypatch.setattr(dask_run, "connected", connected)
    engine = Engine.parse(described(tmp_path, by="dask-jobqueue", jobs=8))
    with pytest.raises(EngineError, match=f"^{jobs} jobs"):
        dict(run(len, items, engine=engine))


@thorough
def test_a_run_outlives_all_of_its_jobs(heavy, slurm, tmp_path, monkeypatch):
    monkeypatch.setattr(job_keeper, "STATE", 1.0)
    engine = Engine.parse(described(tmp_path, by="dask-jobqueue", jobs=2, interface="lo"))
    items = [*ITEMS, *["slow"] * 6]
    outcomes = run(heavy, items, engine=engine)
    found = dict([next(outcomes)])
    end(*states(slurm))
    found |= dict(outcomes)
    same(found, dict(run(heavy, items)))
    assert len(kept(heavy)) > 2, "no worker came after those that were lost"
