"""NAS-RobBench-201 as its project page publishes it: one table for the page's own script.

``acc={…}``, JavaScript that is JSON but for its beginning. Under the empty key it lists the names
of the columns, ``cifar10#val_acc`` for instance (data set, metric); under each of the 15,625 ids
either as many accuracies, means over three seeds (of AutoAttack at ε = 8, one), or the id of the
network of its class that was trained.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluation.truths.files import TruthError, published_id
from evaluation.truths.targets import CLEAN, Target
from testbed.basis.foreign_text import described, quoted
from testbed.basis.ranges import FRACTION, first_twice
from testbed.files.strict_json import MOST_OF_DATA, parse_json, read_text
from testbed.spaces.nasbench201.isomorphism import representatives

__all__ = ["PAGE_COLUMNS", "metric_target", "page_datasets", "page_rows", "read_either"]

PAGE_COLUMNS = ""
SEED = "threeseed"
AUTOATTACK_EPSILON = 8.0
BEGINNING = re.compile(r"\s*(?:(?:var|let|const)\s+)?\w{1,30}\s*=(?=\s*\{)")
END = re.compile(r";\s*\Z")
CLEAN_METRIC = "val_acc"
ATTACK = re.compile(r"val_([a-z0-9-]+)_([0-9]{1,9}(?:\.[0-9]{1,9})?)_acc")
# Of three numbers in single precision: the noise of adding is below it, a third of one image in
# 10,000 above. So accuracies tie where the counts of images do.
DECIMALS = 6


def read_either(path: Path) -> dict[str, Any]:
    """Return the content of a file of NAS-RobBench-201, of the page's form or of the other.

    Raises:
        TruthError: if it cannot be read, or is no object.
    """
    text = read_text(path, TruthError, MOST_OF_DATA)
    if begins := BEGINNING.match(text):
        text = END.sub("", text[begins.end() :])
    # Losses, which may be NaN, stand beside the accuracies; those are checked.
    content = parse_json(text, str(path), TruthError, constants=True)
    if not isinstance(content, dict):
        raise TruthError(f"{path}: expected objects of data sets, found {described(content)}")
    return content


def metric_target(metric: str) -> str | None:
    """Return our name of a metric; None for losses and whatever else is in the files."""
    if match := ATTACK.fullmatch(metric):
        return Target(match[1], "Linf", float(match[2])).key
    known = {CLEAN_METRIC: CLEAN, "autoattack": Target("autoattack", "Linf", AUTOATTACK_EPSILON)}
    return known[metric].key if metric in known else None


def page_datasets(content: dict[str, Any], path: Path) -> tuple[str, ...]:
    """Return the data sets of the page's columns.

    Raises:
        TruthError: if the columns are not named ``data set#metric``, or one is there twice.
    """
    return tuple(dict.fromkeys(dataset for dataset, _ in _columns(content, path)))


def page_rows(
    content: dict[str, Any], path: Path, dataset: str
) -> Iterator[tuple[int, str, str, float]]:
    """Yield id, target, seed and accuracy of the networks of one data set that were trained.

    Raises:
        TruthError: if an id, a class or an accuracy is not one, or a class was not trained.
    """
    columns = _columns(content, path)
    wanted = {j: target for j, (name, target) in enumerate(columns) if name == dataset and target}
    for word, entry in content.items():
        if word == PAGE_COLUMNS:
            continue
        number = published_id(word, path)
        if isinstance(entry, str):
            _check_class(number, entry, content, path)
            continue
        if not isinstance(entry, list) or len(entry) != len(columns):
            raise TruthError(
                f"{path}: expected {len(columns)} accuracies or the id of a class at [{word!r}], "
                f"found {described(entry)}"
            )
        for place, target in wanted.items():
            if not FRACTION.holds(entry[place]):
                raise TruthError(
                    f"{path}: expected {FRACTION.words} at [{word!r}][{place}], found "
                    f"{described(entry[place])}"
                )
            yield number, target, SEED, round(float(entry[place]), DECIMALS)


def _columns(content: dict[str, Any], path: Path) -> list[tuple[str, str | None]]:
    """Return data set and target of each column; None where that is no accuracy."""
    names = content[PAGE_COLUMNS]
    if not isinstance(names, list) or not all(isinstance(n, str) and "#" in n for n in names):
        raise TruthError(
            f"{path}: expected columns such as 'cifar10#val_acc' under the empty key, found "
            f"{described(names)}"
        )
    parts = (name.partition("#") for name in names)
    columns = [(dataset, metric_target(metric)) for dataset, _, metric in parts]
    if twice := first_twice(column for column in columns if column[1]):
        said = quoted(" of ".join(map(str, reversed(twice))))
        raise TruthError(f"{path}: expected each column once, found {said} twice")
    return columns


def _check_class(number: int, word: str, content: dict[str, Any], path: Path) -> None:
    if word != str(representatives()[number]):
        raise TruthError(
            f"{path}: the class of id {number} should be '{representatives()[number]}', found "
            f"{described(word)}"
        )
    if not isinstance(content.get(word), list):
        raise TruthError(f"{path}: id {number} is of the class {word}, which is not there")
