"""How the networks of an export in the published layout were trained, noted beside its files."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.truths.facts import NORMAL, UNKNOWN, Training, TruthError, one_training
from testbed.basis.foreign_text import described
from testbed.basis.ranges import EPSILON
from testbed.files.strict_json import parse_json, read_json

__all__ = ["TRAINING", "noted_training", "rows_of_training", "training_of", "training_of_result"]

TRAINING = "training.json"
KINDS = {
    "adversarial": (bool, type(None)), "attack": (str,), "epsilon": (int, float, type(None)),
    "norm": (str,), "details": (str,),
}  # fmt: skip


def training_of_result(init: str, settings: Mapping[str, Any]) -> Training:
    """Return the training of the network of a result.

    Args:
        init: where its weights come from.
        settings: of the result's key; a network of ``testbed.train`` has its recipe there.
    """
    if init == "trained" and "recipe" in settings:
        return Training.of_recipe(settings["recipe"])
    return NORMAL if init == "pretrained" else UNKNOWN


def training_of(records: Iterable[Mapping[str, Any]], where: str) -> Training:
    """Return the one training of the networks of results, their settings among their entries.

    Raises:
        TruthError: if there are several.
    """
    found = (training_of_result(str(record["init"]), record) for record in records)
    return one_training(found, where, "choose them by init, or measure them into two files")


def rows_of_training(table: pd.DataFrame, training: Training) -> pd.DataFrame:
    """Return the results of networks that were trained in one way, or nobody knows how.

    Args:
        table: as `testbed.store.read_robustness` returns it, or empty.
        training: that way.
    """
    if table.empty:
        return table
    settings = (parse_json(text, "settings", TruthError) for text in table["settings"])
    had = [
        training_of_result(str(init), facts)
        for init, facts in zip(table["init"], settings, strict=True)
    ]
    unknown = training.adversarial is None
    return table.loc[[unknown or one.adversarial is None or one == training for one in had]]


def noted_training(folder: Path) -> Training | None:
    """Return the training that an export noted; None if it noted none.

    Raises:
        TruthError: if the note is laid out otherwise.
    """
    path = folder / TRAINING
    if not path.is_file():
        return None
    facts = read_json(path, TruthError)
    right = isinstance(facts, dict) and facts.keys() == KINDS.keys()
    if not right or not all(type(facts[name]) in kinds for name, kinds in KINDS.items()):
        raise TruthError(f"{path}: expected {', '.join(KINDS)}, found {described(facts)}")
    texts = (facts["attack"], facts["norm"], facts["details"])
    if facts["epsilon"] is not None and not EPSILON.holds(facts["epsilon"]):
        raise TruthError(f"{path}: expected {EPSILON.words}, found {described(facts['epsilon'])}")
    if not all(text.isprintable() and len(text) < 100 for text in texts):
        raise TruthError(f"{path}: expected short printable texts, found {described(facts)}")
    return Training(**facts)
