"""A user's own networks on a user's own images, by the commands of the tutorial."""

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from docs import own_networks
from testbed.command.main import app
from testbed.images.own import scan
from testbed.store import read_robustness, read_scores

TUTORIAL = Path(__file__).resolve().parents[1] / "docs" / "tutorials" / "own_networks.md"
TITLE = "## The five commands"


def write_pets(root: Path) -> None:
    """Write three classes of noisy stripes, of sizes that differ."""
    source = np.random.default_rng(0)
    for label, name in enumerate(("cat", "dog", "fish")):
        (root / name).mkdir(parents=True)
        for number in range(12):
            side = 18 + number % 3
            stripes = 100 + 60 * np.sin(np.arange(side) * (0.6 + 0.6 * label))
            noise = source.normal(0, 25, (side, side, 3))
            pixels = np.clip(stripes[:, None, None] + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")


def commands() -> list[list[str]]:
    """Return the five commands of the tutorial, as words."""
    section = TUTORIAL.read_text(encoding="utf-8").partition(TITLE)[2].partition("\n## ")[0]
    lines = re.findall(r"^\$ (.*)$", section.replace("\\\n", " "), re.MULTILINE)
    return [shlex.split(line) for line in lines]


def run(words: list[str]) -> str:
    assert words[0] == "robustness-proxies"
    workers = ["--workers", "1"] if words[1] in ("compute", "attack") else []
    result = CliRunner().invoke(app, [*words[1:], *workers])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_pets(folder / "pets")
    training, compute, attack, *_ = commands()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "default_root", lambda: folder / "cache")
        patch.chdir(folder)
        patch.setattr(sys, "argv", [*training[1:], "--epochs", "6"])
        own_networks.main()
        run(compute)
        run(attack)
    return folder


def test_networks_trained_elsewhere_are_scored_and_attacked(study):
    scores, results = (read(study / "pets.sqlite") for read in (read_scores, read_robustness))
    assert set(scores["network"]) == set(results["network"]) == set(own_networks.NAMES)
    assert scores["value"].notna().all()
    accuracy = results.pivot_table(index="network", columns=["measure", "level"], dropna=False,
                                   values="accuracy")  # fmt: skip
    assert (results[results["measure"] == "clean"]["accuracy"] > 0.5).all()
    assert (accuracy["fgsm@Linf"][8.0] <= accuracy["fgsm@Linf"][2.0]).all()


def test_scores_and_results_are_of_the_same_images_by_name(study):
    scores, results = (read(study / "pets.sqlite") for read in (read_scores, read_robustness))
    (name,) = set(scores["images"].dropna()) | set(results["images"])
    assert re.fullmatch(r"pets-16x16@[0-9a-f]{12}", name)


def test_the_commands_say_the_same_thing_again(study, monkeypatch):
    monkeypatch.chdir(study)
    monkeypatch.setattr(scan, "default_root", lambda: study / "cache")
    for words in commands()[1:3]:
        assert "Every result is in the store already" in run(words)


def test_they_are_ranked_and_reported(study, monkeypatch, few_figures):
    monkeypatch.chdir(study)
    monkeypatch.setattr(scan, "default_root", lambda: study / "cache")
    ranking, report = commands()[3:]
    said = " ".join(run(ranking).split())
    assert "n = 4" in said
    assert "params" in said
    assert "FGSM@8" in said
    assert "paths_pool_min" not in said  # of no known space
    run(report)
    page = (study / "report" / "index.html").read_text(encoding="utf-8")
    assert "jacobian_norm" in page
    assert all(name in page for name in ("FGSM@8", "pets-16x16@"))
    assert "these networks are of no known space" in page
