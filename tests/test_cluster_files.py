"""The file that describes a cluster: what it may say, and what is refused by its key."""

from pathlib import Path

import pytest

from testbed.basis.errors import InputError
from testbed.engine.cluster_file import ClusterFile
from testbed.engine.names import Engine
from tests.heavy_job import described

ROOT = Path(__file__).resolve().parents[1]


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
        ('directives: ["--array=0-5"]', "directives may not hold --array"),
        ('directives: ["--exclusive", "--job-name=mine"]', "directives may not hold --job-name"),
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
