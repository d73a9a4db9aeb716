"""`scripts.kill` sees what is lost, made again, altered or left behind; a sample of its kills."""

import json
import os
import random
import subprocess
import sys

import pytest

from scripts.kill import Trial, after_a_while, command_of, main, marked, undisturbed
from scripts.kill_cases import CASES, environment
from scripts.kill_checks import faults_of_end, kept, made
from testbed.store import ScoreKey, ScoreRow, Store
from tests.thorough import thorough

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
COMPUTE = next(case for case in CASES if case.name == "compute")


def results(folder, values, seconds=1.0):
    folder.mkdir()
    with Store(folder / "a.sqlite") as store:
        run = store.begin_run({})
        rows = [ScoreRow(ScoreKey(f"net {n}", "norm"), v, seconds=seconds) for n, v in values]
        store.save(run, rows)
        store.finish_run(run, "done")
    (folder / "a.json").write_text(json.dumps({"accuracy": 0.5, "of": {"seconds": seconds}}))
    return folder


def test_times_do_not_matter_and_values_do(tmp_path):
    whole = results(tmp_path / "whole", [(1, 0.5), (2, 0.25)])
    again = results(tmp_path / "again", [(2, 0.25), (1, 0.5)], seconds=2.0)
    other = results(tmp_path / "other", [(1, 0.5), (2, 0.2500001)])
    assert not list(faults_of_end(again, made(whole), {}))
    assert any("0.2500001" in fault for fault in faults_of_end(other, made(whole), {}))


def test_a_row_that_is_lost_or_made_again_is_named(tmp_path):
    half = kept(results(tmp_path / "half", [(1, 0.5)]))
    whole = results(tmp_path / "whole", [(1, 0.5), (2, 0.25)])
    assert not list(faults_of_end(whole, made(whole), half))
    late = results(tmp_path / "late", [(1, 0.5), (2, 0.25)], seconds=3.0)
    (fault,) = faults_of_end(late, made(whole), half)
    assert "1 finished results were lost or made again" in fault
    (late / ".tau.csv.host-1.tmp").touch()
    assert any("leaves" in fault for fault in faults_of_end(late, made(whole), {}))


def test_processes_are_known_by_their_mark():
    mark = f"{os.getpid()}-test"
    code = "import subprocess, sys; subprocess.run(['sleep', '60'])"
    process = subprocess.Popen([sys.executable, "-S", "-c", code], env=environment(mark))
    try:
        # While it turns into another program, a process has no environment for a moment.
        while len(marked(mark)) < 2 or not any("sleep" in command_of(pid) for pid in marked(mark)):
            assert process.poll() is None
        found = marked(mark)
        process.kill()
        process.wait()
        (left,) = set(marked(mark)) - {process.pid}
        assert left in found
        os.kill(left, 9)
        assert not after_a_while(lambda: marked(mark))
    finally:
        process.kill()


@thorough
@pytest.mark.parametrize("whom", ["driver", "worker"])
def test_a_command_that_is_killed_loses_nothing(whom, tmp_path):
    lasts = undisturbed([COMPUTE], tmp_path)
    trial = Trial(COMPUTE, "processes", tmp_path, random.Random(0), lasts)
    while not trial.kills:
        assert trial.run(whom, 1) == []


def test_words_that_leave_nothing_to_kill_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--engines", "submitit"])
    assert "engines: dask, dask://" in capsys.readouterr().err
