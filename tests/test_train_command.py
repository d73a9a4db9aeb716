"""The command: nothing finished is lost or done twice, and a folder is of one recipe."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from testbed import images
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.store.lock import WriterLock
from testbed.train import job
from testbed.train.checkpoint_files import read_notes
from testbed.train.checkpoints import settings_of, trained_network
from testbed.train.command import app
from testbed.train.job import TrainingJob
from testbed.train.training import accuracy
from tests.thorough import thorough

ROOT = Path(__file__).parent.parent
SMALL = ["--channels", "4", "--epochs", "2", "--batch-size", "128", "--archs", "284,11"]
# Long enough to be interrupted.
LONG = [*SMALL, "--epochs", "6", "--batch-size", "64"]


def invoke(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return result.output


def start(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "testbed.train", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip


def wait_for_state(folder: Path, epochs: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        if any(epochs_kept(path) >= epochs for path in folder.glob("*.unfinished")):
            return
        time.sleep(0.05)
    raise AssertionError("no epoch was finished")


def epochs_kept(state: Path) -> int:
    return len(json.loads(read_notes(state)["history"]))


def weights(folder: Path) -> dict[str, str]:
    """What must be the same to the last bit, whatever the way it was trained."""
    found = {path.name: json.loads(path.read_text()) for path in folder.glob("*-seed*.json")}
    return {name: content["weights_fingerprint"] for name, content in found.items()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("reference") / "networks"
    output = invoke(*SMALL, "--workers", 1, "--out", folder)
    assert "Test accuracy of 2 networks on 355 images" in output
    return folder


@pytest.fixture(scope="module")
def long_reference(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("long")
    invoke(*LONG, "--workers", 1, "--out", folder)
    return weights(folder)


def test_the_folder_holds_the_networks_and_nothing_else(reference):
    assert {path.name for path in reference.iterdir()} == {
        "recipe.json", "recipe.json.lock", "000284-seed0.safetensors", "000284-seed0.json",
        "000011-seed0.safetensors", "000011-seed0.json",
    }  # fmt: skip
    modes = {path.stat().st_mode for path in reference.glob("000*")}
    assert len(modes) == 1


def test_the_stored_accuracy_is_that_of_the_network(reference):
    test_images = images.load("digits", split="test")
    for index in (284, 11):
        genotype = Genotype.from_index(index)
        settings = settings_of(reference, genotype, 0)
        network = trained_network(reference, genotype, 0)
        assert settings["test"]["accuracy"] == accuracy(network, test_images)
        assert settings["test"]["count"] == 355
        assert settings["images"]["count"] == 1442
        assert settings["recipe"]["flip"] == 0.0
        assert settings["recipe"]["channels"] == network[1].channels == 4
        assert settings["provenance"]["torch_version"] == str(torch.__version__)


def test_a_preset_trains_with_few_options(tmp_path):
    arguments = ["--preset", "tiny", "--epochs", 1, "--archs", "284,11", "--workers", 1]
    output = invoke(*arguments, "--channels", 4, "--cells", 1, "--out", tmp_path)
    assert "Test accuracy of 2 networks" in output
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("000*")}
    assert len(before) == 4
    again = invoke(*arguments, "--channels", 4, "--cells", 1, "--out", tmp_path)
    assert "Every network is trained already" in again
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("000*")} == before
    refused = invoke(*arguments, "--channels", 8, "--out", tmp_path, code=2)
    assert "recipe channels is 4 there and 8 here" in refused
    assert "Traceback" not in refused
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("000*")} == before


def test_finished_networks_are_not_trained_again(reference, monkeypatch):
    def fail(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(TrainingJob, "__call__", fail)
    output = invoke(*SMALL, "--workers", 1, "--out", reference)
    assert "Every network is trained already" in output
    assert "284" in output


def test_a_wider_command_adds_to_the_folder(tmp_path, reference):
    invoke(*SMALL, "--archs", 11, "--workers", 1, "--out", tmp_path)
    output = invoke(*SMALL, "--seeds", "0,1", "--show", 3, "--workers", 1, "--out", tmp_path)
    assert "3 of 4 networks are shown" in output
    found = weights(tmp_path)
    assert len(set(found.values())) == 4
    assert weights(reference).items() <= found.items()


@thorough
def test_kill_9_and_resume_give_the_same_bits(tmp_path, long_reference):
    process = start(*LONG, "--workers", 2, "--out", tmp_path)
    wait_for_state(tmp_path, 2, process)
    os.killpg(process.pid, signal.SIGKILL)  # the workers too: alone they would go on for a second
    process.communicate()
    kept = [epochs_kept(path) for path in tmp_path.glob("*.unfinished")]
    assert 2 <= max(kept) < 6
    (tmp_path / ".000284-seed0.unfinished.1.tmp").write_bytes(b"of a killed process")
    invoke(*LONG, "--workers", 1, "--out", tmp_path)
    assert weights(tmp_path) == long_reference
    assert not [p for p in tmp_path.iterdir() if p.suffix in (".unfinished", ".progress", ".tmp")]


@thorough
def test_an_interrupt_keeps_finished_epochs(tmp_path, long_reference, monkeypatch):
    save = job.save_state

    def save_and_interrupt(path, state, plan, seconds):
        save(path, state, plan, seconds)
        if len(state.history) == 3:
            os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does

    with monkeypatch.context() as patch:
        patch.setattr(job, "save_state", save_and_interrupt)
        output = invoke(*LONG, "--workers", 1, "--out", tmp_path, code=130)
    assert "Interrupted with 2 networks left: run the same command to go on" in output
    assert "Traceback" not in output
    assert [epochs_kept(path) for path in tmp_path.glob("*.unfinished")] == [3]
    invoke(*LONG, "--workers", 1, "--out", tmp_path)
    assert weights(tmp_path) == long_reference


def test_a_resumed_training_starts_at_its_epoch(tmp_path, monkeypatch):
    def stop_after(epochs):
        def save_and_stop(path, state, plan, seconds):
            save(path, state, plan, seconds)
            if len(state.history) == epochs:
                raise RuntimeError("stopped")

        return save_and_stop

    save, seen = job.save_state, []
    monkeypatch.setattr(job, "save_state", stop_after(2))
    arguments = [*LONG, "--archs", 284, "--epochs", 4, "--workers", 1, "--out", tmp_path]
    assert "RuntimeError: stopped" in invoke(*arguments, code=1)
    monkeypatch.setattr(
        job, "save_state", lambda path, state, *rest: seen.append(len(state.history))
    )
    invoke(*arguments, "--retry-failed")
    assert seen == [3, 4]


def test_a_folder_of_another_recipe_or_image_set_is_refused(reference, tmp_path):
    output = invoke(*SMALL, "--lr", 0.2, "--flip", 0.5, "--out", reference, code=2)
    assert "recipe lr is 0.1 there and 0.2 here" in output
    assert "recipe flip is 0.0 there and 0.5 here" in output
    description = json.loads((reference / "recipe.json").read_text())
    description["images"]["fingerprint"] = "0" * 16
    (tmp_path / "recipe.json").write_text(json.dumps(description))
    assert "images fingerprint is 0000" in invoke(*SMALL, "--out", tmp_path, code=2)


def test_two_commands_do_not_train_into_one_folder(reference):
    lock = WriterLock(reference / "recipe.json")
    try:
        assert "is being written by process" in invoke(*SMALL, "--out", reference, code=2)
    finally:
        lock.release()


def test_a_diverging_network_is_reported_and_the_others_are_kept(tmp_path, monkeypatch):
    call = TrainingJob.__call__

    def diverge(job, task):
        if task.seed == 1:
            object.__setattr__(job.recipe, "lr", 1e30)
        return call(job, task)

    monkeypatch.setattr(TrainingJob, "__call__", diverge)
    arguments = [*SMALL, "--archs", 284, "--seeds", "0,1", "--workers", 1, "--out", tmp_path]
    output = invoke(*arguments, code=1)
    assert "seed 1: testbed.train.training.DivergedError" in output
    assert "1 networks failed; the others are in" in output
    assert list(weights(tmp_path)) == ["000284-seed0.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--preset", "huge"],
            "unknown --preset 'huge'; expected tiny, tiny-fgsm, tiny-pgd, small,",
        ),
        (["--lr", "0"], "lr of a recipe is positive; got 0.0"),
        (["--images", "mnist"], "unknown data set 'mnist'"),
        (["--images", "cifar10", "--data-root", "/nowhere"], "no folder /nowhere"),
        (["--archs", "99999"], "outside the space"),
        (["--archs", "nonsense"], "error: "),
        (["--seeds", "a"], "seeds are whole numbers"),
        (["--device", "cuda:99"], "cannot be used here"),
    ],
)
def test_bad_options_are_one_line_of_error(tmp_path, arguments, message):
    folder = tmp_path / "networks"
    output = invoke(*arguments, "--out", folder, code=2)
    assert message in output
    assert "Traceback" not in output
    assert not folder.exists()


def test_an_out_that_is_a_file_is_one_line_of_error(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    assert "error: " in invoke(*SMALL, "--out", path, code=2)


def test_real_cifar10_trains(tmp_path, real_data):
    invoke(
        "--preset", "small", "--images", "cifar10", "--data-root", real_data, "--epochs", 1,
        "--channels", 2, "--archs", 15, "--workers", 1, "--out", tmp_path,
    )  # fmt: skip
    settings = settings_of(tmp_path, Genotype.from_index(15), 0)
    assert (settings["classes"], settings["in_channels"]) == (10, 3)
    assert settings["recipe"]["padding"] == 4
    assert settings["test"]["accuracy"] > 0.1
