"""``--engine``: whoever computes, the scores are those of one process; with real processes."""

import os
import pickle
import subprocess
import sys
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
from testbed.engine.devices import devices_here, shared_out, visible_to
from testbed.engine.names import Engine
from testbed.engine.parcels import Origin, Parcel
from testbed.store import Store, read_scores
from testbed.train.command import app as train
from tests.heavy_job import ITEMS, SMALL, VALUES, described, kept, same
from tests.thorough import thorough

ROOT = Path(__file__).resolve().parents[1]


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
