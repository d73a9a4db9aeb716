"""The command: its scores depend on their keys alone, and nothing finished is ever lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from proxies.compute import app
from testbed.store import Store, StoreError, read_scores
from tests.thorough import thorough

SMALL = ["--channels", "4", "--cells", "1", "--batch-size", "12"]
ALL = ("--proxies", "all", "--archs", "sample:2")
FEW = ("--proxies", "params,flops,jacobian_norm")
SOME = ("params", "jacobian_norm", "hessian_input", "hessian_params", "snip", "nwot", "clever")
ROOT = Path(__file__).parent.parent
KEY = ["network", "proxy", "init", "seed", "images", "settings"]


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, [*SMALL, *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def start(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "proxies.compute", *SMALL, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def wait_for_scores(store: Path, count: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        try:
            if len(read_scores(store)) >= count:
                return
        except StoreError:
            pass  # not there yet
        time.sleep(0.05)
    raise AssertionError("no scores came")


def values(store: Path) -> pd.DataFrame:
    """What must be the same to the last bit, whatever the way it was computed."""
    columns = [*KEY, "value", "reason", "converged", "iterations", "residual", "details"]
    return read_scores(store)[columns]


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> pd.DataFrame:
    store = tmp_path_factory.mktemp("reference") / "scores.sqlite"
    invoke(*ALL, "--workers", 1, "--store", store)
    return values(store)


def test_two_workers_and_another_order_give_the_same_bits(tmp_path, reference):
    names = reference["network"].drop_duplicates().tolist()
    order = tmp_path / "backwards.txt"
    order.write_text("\n".join(reversed(names)))
    invoke(*ALL, "--archs", order, "--workers", 2, "--store", tmp_path / "scores.sqlite")
    pd.testing.assert_frame_equal(values(tmp_path / "scores.sqlite"), reference, check_exact=True)


def test_kill_9_and_resume_give_the_same_bits(tmp_path, reference):
    store, chosen = tmp_path / "scores.sqlite", ("--proxies", ",".join(SOME), *ALL[2:])
    reference = reference[reference["proxy"].isin(SOME)].reset_index(drop=True)
    process = start(*chosen, "--workers", 1, "--store", store)
    wait_for_scores(store, 2, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = read_scores(store)
    assert 2 <= len(kept) < len(reference)
    output = invoke(*chosen, "--workers", 1, "--store", store)
    pd.testing.assert_frame_equal(values(store), reference, check_exact=True)
    after = read_scores(store)
    assert (after["run"] == 1).sum() == len(kept)  # none was computed again
    with Store(store, "r") as opened:
        assert opened.runs()["status"].tolist()[1] == "done"
    assert "jacobian_norm" in output


@thorough
def test_ctrl_c_keeps_what_is_finished(tmp_path):
    store = tmp_path / "scores.sqlite"
    process = start(*FEW, "--archs", "unique", "--workers", 2, "--store", store)
    wait_for_scores(store, 11, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "run the same command to go on" in output.replace("\n", " ")
    assert "Traceback" not in output
    with Store(store) as opened:  # the lock is free again
        assert len(opened.scores()) >= 11
        assert opened.runs()["status"].tolist() == ["interrupted"]


def test_a_finished_store_is_shown_without_work(tmp_path):
    store = tmp_path / "scores.sqlite"
    arguments = (*FEW, "--archs", "0,11", "--workers", 1, "--store", store)
    invoke(*arguments)
    assert "Every result is in the store already" in invoke(*arguments)
    with Store(store, "r") as opened:
        assert len(opened.runs()) == 1


def test_structural_scores_are_computed_once_for_all_seeds(tmp_path):
    store = tmp_path / "scores.sqlite"
    invoke(*FEW, "--archs", "0,11", "--seeds", "0-2", "--workers", 1, "--store", store)
    counts = read_scores(store).groupby("proxy").size()
    assert counts["params"] == counts["flops"] == 2
    assert counts["jacobian_norm"] == 6


def test_what_a_score_depends_on_stands_in_its_key(tmp_path):
    store = tmp_path / "scores.sqlite"
    common = ("--proxies", "jacobian_norm", "--archs", "11", "--workers", 1, "--store", store)
    changes = [(), ("--batch-seed", 1), ("--batch-size", 13), ("--init", "random-kaiming")]
    changes += [("--seeds", 1), ("--channels", 5), ("--dtype", "float64")]
    for change in changes:
        invoke(*common, *change)
    rows = read_scores(store)
    assert len(rows) == rows["value"].nunique() == len(changes)


def test_export(tmp_path):
    table = tmp_path / "scores.parquet"
    store = tmp_path / "scores.sqlite"
    invoke(*FEW, "--archs", "0,11", "--workers", 1, "--store", store, "--export", table)
    pd.testing.assert_frame_equal(read_scores(table), read_scores(store))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--init", "zeros"], "unknown --init 'zeros'"),
        (["--images", "mnist"], "unknown data set 'mnist'"),
        (["--images", "cifar10", "--data-root", "/nowhere"], "cifar-10-batches-py"),
        (["--archs", "|none~0|"], "not an architecture string"),
        (["--archs", "99999"], "outside the space"),
        (["--archs", "nofile.txt"], "there is no such file"),
        (["--proxies", "jacobi"], "unknown proxy 'jacobi'"),
        (["--proxies", ","], "no proxy was named"),
        (["--seeds", "one"], "seeds are whole numbers"),
        (["--dtype", "float16"], "unknown --dtype"),
        (["--device", "cuda:77"], "cannot be used here"),
        (["--device", "toaster"], "cannot be used here"),
        (["--batch-size", "100000"], "batch of 100000"),
        (["--batch-norm", "running"], "no normalisation at all"),
        (["--batch-norm", "batch"], "needs independent samples"),
        (["--store", "scores.txt"], ".sqlite"),
        (["--export", "scores.xls"], ".parquet"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [*SMALL, "--archs", "0", "--workers", "1", *arguments])
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert result.output.count("error: ") == 1
    assert "Traceback" not in result.output


def test_a_store_that_is_being_written_is_refused(tmp_path):
    store = tmp_path / "scores.sqlite"
    with Store(store):
        result = CliRunner().invoke(app, [*SMALL, "--archs", "0", "--store", str(store)])
    assert result.exit_code == 2
    assert str(os.getpid()) in result.output
    assert "Traceback" not in result.output
