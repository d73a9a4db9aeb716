"""``--engine``: Dask and jobs of a cluster give what one process gives, with real processes."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from evaluation.robustness.command import app as attack
from evaluation.search.command import app as search
from proxies.compute import app as compute
from testbed.basis.errors import InputError
from testbed.command.engines import Workforce
from testbed.engine import EngineError, run
from testbed.engine.cluster_file import ClusterFile
from testbed.engine.devices import devices_here, shared_out, visible_to
from testbed.engine.names import Engine
from testbed.engine.parcels import Origin, Parcel
from testbed.store import Store, read_scores
from testbed.train.command import app as train
from tests import stand_in_slurm
from tests.thorough import thorough

ROOT = Path(__file__).resolve().parents[1]
VALUES = ["network", "proxy", "init", "seed", "images", "settings", "value", "reason", "details"]
SMALL = [
    "--archs", "0,11,284", "--channels", "2", "--cells", "1", "--batch-size", "8", "--show", "0",
    "--proxies", "params,grad_norm,near,jacobian_norm",
]  # fmt: skip
linux = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


class Heavy:
    """A job of some megabytes that tells a folder when it is unpacked."""

    def __init__(self, folder):
        self.folder, self.data = folder, torch.arange(2**18)

    def __setstate__(self, state):
        self.__dict__.update(state)
        (self.folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()

    def __call__(self, item):
        if item == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "die once" and not (self.folder / "died").exists():
            (self.folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "slow":
            time.sleep(1)
        if item == "wrong":
            raise ValueError("wrong")
        draws = torch.randn(64, 64, generator=torch.Generator().manual_seed(len(item)))
        return float((draws @ draws).sum()), os.environ.get("CUDA_VISIBLE_DEVICES"), len(self.data)


@pytest.fixture
def heavy(tmp_path, monkeypatch):
    # A process of a cluster finds the tests as it finds any module of a user's.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "unpacked").mkdir()
    return Heavy(tmp_path / "unpacked")


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    place = stand_in_slurm.install(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "slurm"


def described(tmp_path, **lines):
    path = tmp_path / "cluster.yaml"
    lines = {"folder": tmp_path / "jobs", **lines}
    path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    return f"slurm:{path}"


def same(found, expected):
    assert sorted(found) == sorted(expected)
    for position, outcome in expected.items():
        one = found[position]
        assert (one.value or [None])[0] == (outcome.value or [None])[0]
        assert one.error == outcome.error


def kept(heavy):
    return [path for path in heavy.folder.iterdir() if "-" in path.name]


ITEMS = ["a", "bb", "wrong", "ccc", "dddd", "a", "bb", "ccc"]


def test_processes_unpack_a_job_once_each_and_see_a_gpu_each(heavy, monkeypatch):
    expected = dict(run(heavy, ITEMS))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,4")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = dict(run(heavy, ["slow", *ITEMS, "slow"], workers=2, device="cuda"))
    assert 1 <= len(kept(heavy)) <= 2
    assert {one.value[1] for one in found.values() if one.value} <= {"7", "4"}
    same({place: found[place + 1] for place in expected}, expected)


def test_what_goes_with_an_item_is_a_word():
    function = Parcel.of(torch.arange(2**18).add)
    assert len(function.data) > 2**21
    assert len(pickle.dumps(function.word)) < 200
    with pytest.raises(EngineError, match="did not reach"):
        function.word(1)


def test_dask_gives_what_one_process_gives_and_unpacks_a_job_once(heavy, capfd):
    found = dict(run(heavy, ITEMS, workers=2, engine=Engine.parse("dask")))
    same(found, dict(run(heavy, ITEMS)))
    assert 1 <= len(kept(heavy)) <= 2
    said = capfd.readouterr().err
    assert "Dask: 2 workers at tcp://127.0.0.1" in said
    assert "dashboard http://" in said
    assert "Traceback" not in said


@thorough
def test_a_dask_worker_that_dies_costs_its_item_a_retry_then_a_failure(heavy, capfd):
    items = ["die once", "a", "bb", "ccc", "slow", "a", "bb", "die"]
    found = dict(run(heavy, items, workers=2, engine=Engine.parse("dask")))
    assert found.pop(7).error_type == "WorkerDied"
    same(found, dict(run(heavy, items[:-1])))
    assert "Traceback" not in capfd.readouterr().err


@thorough
def test_a_scheduler_of_others_serves_and_is_left_as_it_was(heavy, tmp_path):
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        engine = Engine.parse(f"dask://{address.removeprefix('tcp://')}")
        same(dict(run(heavy, ITEMS, engine=engine)), dict(run(heavy, ITEMS)))
        with Client(address) as client:
            assert client.submit(len, "abc").result() == 3
            assert not any(client.run(_parcels).values())


def _parcels():
    from testbed.engine import parcels

    return {**parcels._arrived, **parcels._opened}


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
        "#SBATCH --mem=4GB", "export A=1",
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


@thorough
@linux
def test_a_job_that_is_preempted_goes_on_where_it_was(heavy, slurm, tmp_path):
    engine = Engine.parse(described(tmp_path, jobs=1, tasks=6))
    outcomes = run(heavy, ["a", "slow", "slow", "slow", "slow", "bb"], engine=engine)
    import threading

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
@pytest.mark.parametrize("engine", ["processes", "dask", "slurm"])
def test_a_command_gives_the_same_scores_by_every_engine(engine, slurm, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    words = ["--engine", engine, "--workers", "2"]
    if engine == "slurm":
        words = ["--engine", described(tmp_path, jobs=2, tasks=2)]
    for name, more in (("a", ["--engine", "serial"]), ("b", words)):
        store = tmp_path / f"{name}.sqlite"
        done = CliRunner().invoke(compute, [*SMALL, *more, "--store", str(store)])
        assert done.exit_code == 0, done.output
        with Store(store, "r") as opened:
            assert opened.runs()["status"].tolist() == ["done"]
    one, other = (read_scores(tmp_path / f"{name}.sqlite")[VALUES] for name in "ab")
    pd.testing.assert_frame_equal(other, one, check_exact=True)


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


def test_other_versions_and_other_folders_are_refused_by_the_worker(monkeypatch, tmp_path):
    with pytest.raises(EngineError, match=r"has torch .* and not 0\.1.*might differ"):
        Origin(versions={"torch": "0.1"}).settle()
    with pytest.raises(EngineError, match=r"cannot enter .*see the folder"):
        Origin(folder=str(tmp_path / "gone")).settle()
    before = list(sys.path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", before)
    Origin(folder=str(ROOT), path=("/of/a/user",)).settle()
    assert os.getcwd() == str(ROOT)
    assert sys.path[-1] == "/of/a/user"


def test_workers_are_pinned_to_a_gpu_each_where_there_are_several():
    assert (
        shared_out("cpu", {}, 4) == shared_out("cuda:1", {}, 4) == shared_out("cuda", {}, 1) == ()
    )
    assert shared_out("cuda", {}, 2) == ("0", "1")
    assert shared_out("cuda", {"CUDA_VISIBLE_DEVICES": "5, 2,GPU-ab"}, 3) == ("5", "2", "GPU-ab")
    assert [visible_to(worker, ("5", "2")) for worker in range(3)] == ["5", "2", "5"]
    assert visible_to(3, ()) is None
    assert devices_here("cpu", {"CUDA_VISIBLE_DEVICES": "0,1"}) == ()


@thorough
@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_each_worker_sees_its_own_gpu(engine, heavy, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,4")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    items, chosen = ["slow"] * 40, Engine.parse(engine)
    outcomes = run(heavy, items, workers=2, engine=chosen, device="cuda")
    assert {outcome.value[1] for _, outcome in outcomes} == {"7", "4"}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("dsk", "did you mean 'dask'"),
        ("", "--engine is one of serial, processes"),
        ("ray", "--engine is one of"),
        ("dask://", "address of a scheduler"),
        ("dask://here", "address of a scheduler"),
        ("dask://here:99999", "address of a scheduler"),
        ("dask://http://here:1", "address of a scheduler"),
        ("dask:// a:1", "address of a scheduler"),
        ("slurm:", "names a file"),
        ("slurm:no.yaml", "No such file"),
        ("slurm:.", "Is a directory"),
    ],
)
@pytest.mark.parametrize("app", [compute, attack, train, search])
def test_a_wrong_engine_is_refused_in_one_line(app, word, said):
    more = ["--truth", "."] if app is search else []
    done = CliRunner().invoke(app, [*more, "--engine", word])
    assert done.exit_code == 2
    assert said in done.output
    assert done.output.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no keys"),
        ("- a\n- b", "holds no keys"),
        ("1: 2", "holds no keys"),
        ("a: b: c", "is no YAML"),
        ("\0", "is no YAML"),
        ("[" * 1000, "is no YAML"),
        ("# " + "x" * 70000, "longer than"),
        ("job: 3", "unknown key 'job' (did you mean 'jobs'?); known are by, cluster"),
        ("jobs: 2\njobs: 3", "jobs is given twice"),
        ("jobs: many", "jobs is a whole number; got 'many'"),
        ("jobs: yes", "jobs is a whole number; got True"),
        ("jobs: 1.5", "jobs is a whole number"),
        ("jobs: 0", "jobs is from 1 to 1,024; got 0"),
        ("gpus: 2", "gpus is from 0 to 1"),
        ("memory_gb: .nan", "memory_gb is from"),
        ("memory_gb: {a: 1}", "memory_gb is a number; got the keys 'a'"),
        ("partition: [a]", "partition is one line of text"),
        ("partition: 12", "partition is one line of text; got 12"),
        ('account: "a\\nb"', "account is one line of text"),
        ("setup: {a: b}", "setup is a list of lines"),
        ("setup: [1]", "setup is a list of lines"),
        ("a: &a [*a, *a]", "unknown key 'a'"),
        ("setup: &a [*a, *a]", "setup is a list of lines"),
        ("directives: [constraint=a100]", "directives are options such as"),
        ('directives: ["--a b=c"]', "directives are options such as"),
        ("by: dask", "by is submitit or dask-jobqueue; got 'dask'"),
        ("cluster: pbs", "cluster is slurm or local by submitit; got 'pbs'"),
        ("by: dask-jobqueue\ncluster: local", "cluster is slurm or pbs by dask-jobqueue"),
        ("by: dask-jobqueue\ntasks: 3", "tasks is of by: submitit"),
        ("interface: ib0", "interface is of by: dask-jobqueue"),
        ("by: !!python/object:os.system {}", "is no YAML"),
    ],
)
def test_a_wrong_file_is_refused_by_its_key(text, said, tmp_path):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(InputError) as refused:
        ClusterFile.read(tmp_path / "c.yaml")
    message = str(refused.value)
    assert said in message
    assert len(message) < 700
    assert "\n" not in message


def test_a_file_says_what_it_says(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "by: dask-jobqueue\ncluster: pbs\njobs: 3\nmemory_gb: 2.5\nsetup: module load x\n"
        "partition:\n"
    )
    asked = ClusterFile.read(tmp_path / "c.yaml")
    assert (asked.cluster, asked.jobs, asked.memory_gb, asked.partition) == ("pbs", 3, 2.5, None)
    assert asked.setup == ("module load x",)
    asked = ClusterFile(directives=("--constraint=a=b", "--exclusive"))
    assert asked.slurm_options() == {"constraint": "a=b", "exclusive": True}


def test_the_example_can_be_read():
    asked = ClusterFile.read(ROOT / "examples" / "slurm.yaml")
    assert asked.by == "submitit"
    assert asked.jobs > 1


def test_a_machine_without_slurm_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"needs the command sbatch.*--shard K/N"):
        Engine.parse(described(tmp_path))


@pytest.mark.parametrize(
    ("word", "missing", "extra"),
    [("dask", "distributed", "dask"), ("slurm:x.yaml", "yaml", "slurm")],
)
def test_what_is_not_installed_is_named_with_its_extra(word, missing, extra, monkeypatch):
    from testbed.engine import names

    found = names.find_spec
    monkeypatch.setattr(names, "find_spec", lambda name: None if name == missing else found(name))
    with pytest.raises(InputError, match=rf"pip install 'robustness-proxies\[{extra}\]'"):
        Engine.parse(word)


def test_engines_and_workers_agree(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="would be ignored"):
        Workforce.parse("dask://here:1", 3)
    with pytest.raises(InputError, match="serial has one worker"):
        Workforce.parse("serial", 2)
    assert Workforce.parse("serial", None).count("cpu") == 1
    assert Workforce.parse("processes", 3).count("cpu") == 3
    local = described(tmp_path, cluster="local", jobs=5)
    assert Workforce.parse(local, None).count("cpu") == 5
    with pytest.raises(InputError, match="would be ignored"):
        Workforce.parse(local, 5)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert Workforce.parse("processes", None).count("cuda") == 4
    assert Workforce.parse(None, None).count("cuda") == 1
    done = CliRunner().invoke(search, ["--live", "--out", "x", "--engine", "dask"])
    assert done.exit_code == 2
    assert "--live has one worker" in done.output


def test_no_engine_costs_nothing_where_it_is_not_used():
    code = (
        "import sys\nimport proxies.compute, evaluation.search.command, testbed.train.command\n"
        "from testbed.engine.names import Engine\nEngine.parse('processes')\n"
        "met = {'distributed', 'dask', 'submitit', 'yaml', 'torch'} & set(sys.modules)\n"
        "assert not met, met"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
