"""Adversarial images are kept with what they are of, and give the recorded accuracy again."""

import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from evaluation.robustness import load_adversarial
from evaluation.robustness.adversarial import AdversarialError
from evaluation.robustness.adversarial_parts import path_of
from evaluation.robustness.command import app
from testbed import images
from testbed.store import RobustnessKey, read_robustness
from testbed.train.checkpoint_files import read_notes

COUNT = 30
MODULE = """
import torch
from torch import nn
from testbed import images

def means(scale=8.0, name="", bias=True):
    digits = images.load("digits")
    pixels = digits.images().flatten(1)
    centres = torch.stack([pixels[digits.labels == label].mean(0) for label in range(10)])
    layer = nn.Linear(64, 10)
    layer.weight.data = scale * centres
    layer.bias.data = -scale / 2 * (centres ** 2).sum(1)
    return nn.Sequential(nn.Flatten(), layer)
"""
STRANGE = "usernets3:means(name='../../outside/" + 80 * "x" + "')"


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "usernets3.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("usernets3", None)
    yield tmp_path
    sys.modules.pop("usernets3", None)


def run(*arguments, code=0):
    options = ["--count", COUNT, "--workers", 1, "--batch-size", 12, "--store", "out.sqlite"]
    result = CliRunner().invoke(app, list(map(str, [*options, *arguments])))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


PGD = ("--attacks", "pgd,fgsm", "--set", "pgd.steps=3", "--epsilons", "8,32")
KEEP = ("--network", "usernets3:means", *PGD, "--save-adversarial", "kept")


def network_of(name):
    module = __import__("usernets3")
    return eval(f"module.{name.partition(':')[2]}" + "()" * ("(" not in name), {"module": module})


@pytest.mark.parametrize(
    ("norm", "mode", "epsilon"),
    [("Linf", "record", 32), ("Linf", "descending", 32), ("L2", "accuracy", 300)],
)
def test_the_kept_images_give_the_recorded_accuracy(norm, mode, epsilon, module):
    said = run(*KEEP, "--norm", norm, "--mode", mode, "--epsilons", f"8,{epsilon}") if (
        mode != "descending"
    ) else run(*KEEP, "--mode", "accuracy", "--descending")  # fmt: skip
    assert "Adversarial images are in kept." in said
    rows = read_robustness("out.sqlite").query("measure != 'clean'").set_index("digest")
    files = sorted((module / "kept").iterdir())
    assert len(files) == len(rows) == 4
    test = images.load("digits", split="test").first(COUNT)
    clean, network = test.images(), network_of("usernets3:means")
    for path in files:
        kept = load_adversarial(path)
        row = rows.loc[kept.digest]
        assert (kept.network, kept.attack, kept.epsilon) == (
            row["network"], row["measure"], row["level"],
        )  # fmt: skip
        assert kept.norm == norm
        assert kept.accuracy == row["accuracy"]
        with torch.no_grad():
            prediction = network(kept.images).argmax(1)
            right = network(clean).argmax(1) == test.labels
        assert torch.equal(prediction, kept.prediction)
        assert ((prediction == kept.labels) & right).double().mean() == row["accuracy"]
        assert torch.equal(kept.robust, (prediction == kept.labels) & right)
        moved = (kept.images - clean).flatten(1)
        size = moved.abs().amax(1) if norm == "Linf" else moved.norm(dim=1)
        assert size.max() <= kept.epsilon / 255 + 2e-6
        assert size.max() > 0
        assert 0 <= kept.images.min() <= kept.images.max() <= 1
        assert torch.equal(kept.labels, test.labels)
        assert kept.indices.tolist() == list(range(COUNT))
        assert kept.settings["fingerprint"] == test.fingerprint()
        assert kept.settings["split"] == "test"
    if norm == "Linf":
        worst = {kept.accuracy for kept in map(load_adversarial, files) if kept.epsilon > 8}
        assert min(worst) < 0.9


def test_what_is_kept_is_not_done_again_and_what_is_missing_is(module, monkeypatch):
    run(*KEEP[:-2])
    before = read_robustness("out.sqlite")
    run(*KEEP)
    files = sorted((module / "kept").iterdir())
    assert len(files) == 4
    assert read_robustness("out.sqlite")["accuracy"].tolist() == before["accuracy"].tolist()
    assert "in the store already" in run(*KEEP)
    bits, times = files[0].read_bytes(), {path: path.stat().st_mtime_ns for path in files}
    files[0].unlink()
    run(*KEEP, "--batch-size", "30")
    assert files[0].read_bytes() == bits  # whatever the pieces
    others = [path for path in files if files[0].name.split("-")[:2] != path.name.split("-")[:2]]
    assert all(path.stat().st_mtime_ns == times[path] for path in others)
    assert not list((module / "kept").glob(".*"))


def test_names_of_networks_and_measures_are_safe_as_paths(module):
    run("--network", STRANGE, "--attacks", "fgsm", "--epsilons", "8", "--save-adversarial", "kept")
    (path,) = (module / "kept").iterdir()
    assert path.parent == module / "kept"
    assert len(path.name) < 150
    assert load_adversarial(path).network == STRANGE
    key = RobustnessKey.make("|none~0|", "own", None, "digits", "my attack@Linf", 0.5, {})
    other = RobustnessKey.make("|none~1|", "own", None, "digits", "my attack@Linf", 0.5, {})
    places = [path_of(module, one) for one in (key, other)]
    assert len({place.name for place in places}) == 2
    assert all(place.parent == module and " " not in place.name for place in places)


def test_options_that_make_no_sense_are_refused(module):
    said = run("--network", "usernets3:means", "--attacks", "none", "--corruptions", "none",
               "--save-adversarial", "kept", code=2)  # fmt: skip
    assert "--save-adversarial" in said
    (module / "file").write_text("")
    assert "is a file" in run(*KEEP[:-1], "file", code=2)


def test_other_files_are_refused(module):
    run(*KEEP[:-2], "--epsilons", "8", "--save-adversarial", "kept")
    path = min((module / "kept").iterdir())
    tensors, notes = load_file(path), read_notes(path)
    bad = module / "bad.safetensors"
    bad.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(AdversarialError, match="cannot read"):
        load_adversarial(bad)
    with pytest.raises(AdversarialError, match=r"cannot read|No such file"):
        load_adversarial(module / "nothing")
    changes: list[tuple[dict, str]] = [
        ({"tensors": {**tensors, "images": tensors["images"] + 1}}, r"pixels in \[0, 1\]"),
        ({"tensors": {**tensors, "images": tensors["images"] * float("nan")}}, r"in \[0, 1\]"),
        ({"tensors": {**tensors, "robust": tensors["robust"][1:]}}, "one for each image"),
        ({"tensors": {"images": tensors["images"]}}, "expected the tensors"),
        ({"notes": {**notes, "epsilon": "16.0"}}, "it was changed"),
        ({"notes": {**notes, "epsilon": "[["}}, "epsilon"),
        ({"notes": {**notes, "settings": "3"}}, "not what a result has"),
        ({"notes": {}}, "no adversarial images of this toolkit"),
    ]
    for change, words in changes:
        save_file(change.get("tensors", tensors), bad, change.get("notes", notes))
        with pytest.raises(AdversarialError, match=words):
            load_adversarial(bad)
