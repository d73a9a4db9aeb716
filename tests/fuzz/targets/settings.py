"""Settings: of checkpoints and folders of them, files of architectures, runs beside a table."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation.report.runs import read_runs
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.selection import select
from testbed.train.checkpoints import Checkpoint, checkpoint_path, settings_of
from testbed.train.folder import claim
from testbed.train.recipe import PRESETS, Recipe
from tests.fuzz.target import Target

__all__ = ["TARGETS"]

GENOTYPE = Genotype.from_index(284)
IMAGES = {"name": "digits", "split": "train", "count": 40, "fingerprint": "ab12"}
FOLDER = {"recipe": asdict(PRESETS["tiny"]), "images": IMAGES}


def _checkpoint(folder: Path) -> Sequence[Path]:
    root = folder / "weights"
    root.mkdir()
    content = Checkpoint(
        str(GENOTYPE), 0, PRESETS["tiny"], IMAGES, 10, 1, (0.5,), (0.25,),
        ({"loss": 2.3, "accuracy": 0.5},), {**IMAGES, "accuracy": 0.5}, "0123456789abcdef",
        {"torch_version": "2", "device": "cpu", "threads": 1, "seconds": 1.5},
    )  # fmt: skip
    path = checkpoint_path(root, GENOTYPE, 0).with_suffix(".json")
    path.write_text(json.dumps(asdict(content)))
    return [root]


def _read_checkpoint(path: Path) -> Checkpoint:
    return Checkpoint.from_settings(settings_of(path, GENOTYPE, 0))


def _check_checkpoint(found: Checkpoint) -> None:
    assert found.genotype == str(GENOTYPE)
    assert type(found.seed) is int
    assert 0 <= found.test["accuracy"] <= 1, "an accuracy outside [0, 1]"
    assert found.provenance["seconds"] >= 0, "negative seconds"
    assert len(found.mean) == len(found.std) == found.in_channels
    assert all(0 <= mean <= 1 for mean in found.mean), "a mean outside [0, 1]"
    assert all(0 < std < float("inf") for std in found.std), "a standard deviation out of range"
    assert isinstance(found.recipe, Recipe)
    json.dumps(asdict(found), allow_nan=False)


def _claimed(folder: Path) -> Sequence[Path]:
    root = folder / "weights"
    root.mkdir()
    (root / "recipe.json").write_text(json.dumps(FOLDER))
    return [root]


def _claim(path: Path) -> Any:
    with claim(path, FOLDER):
        return json.loads((path / "recipe.json").read_text(encoding="utf-8-sig"))


def _check_claimed(found: Any) -> None:
    assert json.dumps(found) == json.dumps(FOLDER), "a folder of other networks"


def _archs(folder: Path) -> Sequence[Path]:
    path = folder / "archs.csv"
    path.write_text(f"# mine\n11\n284,5-7\n{GENOTYPE}\n(4, 0, 3, 1, 4, 3)\n")
    return [path]


def _check_archs(chosen: list[Genotype]) -> None:
    assert chosen, "no architecture"
    assert len(set(chosen)) == len(chosen), "an architecture twice"


def _runs(folder: Path) -> Sequence[Path]:
    run = {"id": 1, "started": "2026-01-01", "provenance": {"threads": 1}}
    (folder / "a.csv").write_text("network,proxy,value\n")
    (folder / "a.runs.json").write_text(json.dumps([run, run]))
    return [folder / "a.runs.json"]


def _read_runs(path: Path) -> list[dict[str, Any]]:
    return read_runs(path.with_name("a.csv"))


def _check_runs(runs: list[dict[str, Any]]) -> None:
    assert all(isinstance(run, dict) for run in runs)


TARGETS = (
    Target("checkpoint-json", _checkpoint, _read_checkpoint, _check_checkpoint),
    Target("training-folder", _claimed, _claim, _check_claimed),
    Target("archs-file", _archs, lambda path: select(str(path)), _check_archs),
    Target("runs-json", _runs, _read_runs, _check_runs),
)
