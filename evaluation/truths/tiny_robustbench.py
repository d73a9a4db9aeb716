"""Tiny-RobustBench: adversarially trained networks of DARTS on CIFAR-10.

Feng et al., ICLR 2025, as passed on with TRNAS: JSON lists ``robust_bench_seed_*.json`` of
networks, each with ``net`` (genotype, depth, width), ``adversarial_param`` of the training, the
curves of its epochs, and ``max_test_top1_original`` and ``max_test_top1_adv`` in %: the best clean
and the best PGD accuracy of the epochs at which they were tested, on the test set.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluation.truths.darts_names import SPACE, genotype_name
from evaluation.truths.facts import Training, TruthError, TruthFacts, one_training
from evaluation.truths.networks import Networks
from evaluation.truths.table import TableTruth
from evaluation.truths.targets import CLEAN, Target
from testbed.basis.foreign_text import described, shown
from testbed.basis.ranges import PERCENT, Range
from testbed.files.strict_json import read_json

__all__ = ["is_tiny_robustbench", "open_tiny_robustbench"]

FILES = "robust_bench_seed_*.json"
BEGINNING = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*\{")  # a list of objects, as no other truth is
LOOKED_AT = 1024
MEASURES = {
    "max_test_top1_original": "test_ep_top1_original",
    "max_test_top1_adv": "test_ep_top1_adv",
}
PIXELS = Range("an ε in [0, 1], of pixels", most=1)
STEPS = Range("a number of steps, from 1", least=1, most=10_000, whole=True)


def is_tiny_robustbench(path: Path) -> bool:
    """Say whether a path is a folder of these lists, or one of them."""
    if path.is_dir():
        return next(path.glob(FILES), None) is not None
    if not path.is_file() or path.suffix != ".json":
        return False
    try:
        with path.open("rb") as file:
            return BEGINNING.match(file.read(LOOKED_AT)) is not None
    except OSError:
        return False


def open_tiny_robustbench(path: str | Path, dataset: str = "cifar10") -> TableTruth:
    """Read all lists of a folder, or one of them.

    Raises:
        TruthError: if a file is laid out otherwise, networks differ in depth, width or training,
            an accuracy is none in % or is not the best of its curve, or the data set is not
            CIFAR-10.
    """
    path = Path(path)
    if dataset != "cifar10":
        raise TruthError(
            f"no data set {shown(dataset)!r} in {path}: Tiny-RobustBench is on cifar10"
        )
    files = sorted(path.glob(FILES)) if path.is_dir() else [path]
    entries = [pair for file in files for pair in _entries(file)]
    if not entries:
        raise TruthError(f"{path}: expected networks, found none")
    training = one_training((_training(*one) for one in entries), str(path), "give one of them")
    sizes = list(dict.fromkeys(_size(*one) for one in entries))
    if len(sizes) > 1:
        raise TruthError(f"{path}: expected networks of one depth and width, found {sizes[:4]}")
    target = Target("pgd", "Linf", training.epsilon)
    found: dict[tuple[str, str], list[float]] = {}
    for entry, where in entries:
        name = genotype_name(_part(entry, "net", where).get("genotype"), where)
        for key, measure in zip((CLEAN.key, target.key), MEASURES.items(), strict=True):
            found.setdefault((name, key), []).append(_best(entry, *measure, where))
    names = {name: name for name, _ in found}
    depth, width = sizes[0]
    population = f"{len(names):,} networks of DARTS (depth {depth}, width {width})"
    facts = TruthFacts(
        "Tiny-RobustBench (Feng et al., ICLR 2025)", training, population, SPACE,
        _notes(len(entries) - len(names)), ("feng2025zerocost",),
        {"channels": width, "cells": depth},
    )  # fmt: skip
    # A genotype that was trained twice is one network: no other has such a second training.
    rows = ((*key, "", round(sum(each) / len(each), 12)) for key, each in found.items())
    return TableTruth.of(rows, path, dataset, facts, Networks(SPACE, names))


def _notes(again: int) -> tuple[str, ...]:
    twice = (f"{again:,} were trained more than once: means over the trainings.",) if again else ()
    return (
        "Each accuracy is the best of the epochs at which it was tested, on the test set. The file "
        "does not say the steps of the PGD that tested.",
        *twice,
    )


def _entries(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    content = read_json(path, TruthError, constants=True)
    if not isinstance(content, list):
        raise TruthError(f"{path}: expected a list of networks, found {described(content)}")
    for number, entry in enumerate(content, start=1):
        where = f"{path}, network {number}"
        if not isinstance(entry, dict):
            raise TruthError(f"{where}: expected an object, found {described(entry)}")
        yield entry, where


def _part(entry: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    if not isinstance(part := entry.get(name), dict):
        raise TruthError(f"{where}: expected an object {name!r}, found {described(part)}")
    return part


def _training(entry: dict[str, Any], where: str) -> Training:
    facts = _part(entry, "adversarial_param", where)
    if (attack := facts.get("adv_loss")) != "pgd":
        raise TruthError(f"{where}: expected a training with pgd as adv_loss, found "
                         f"{described(attack)}")  # fmt: skip
    epsilon, size = (_number(facts, name, PIXELS, where) for name in ("epsilon", "step_size"))
    details = f"{_number(facts, 'num_steps', STEPS, where):g} steps of {255 * size:g}"
    return Training(True, "PGD", round(255 * epsilon, 6), "Linf", details)


def _number(facts: dict[str, Any], name: str, kind: Range, where: str) -> float:
    value: Any = facts.get(name)
    if not kind.holds(value):
        raise TruthError(f"{where}: expected {kind.words} as {name}, found {described(value)}")
    return value


def _size(entry: dict[str, Any], where: str) -> tuple[int, int]:
    net = _part(entry, "net", where)
    depth, width = net.get("depth"), net.get("width")
    if type(depth) is not int or type(width) is not int or depth < 1 or width < 1:
        raise TruthError(f"{where}: expected whole depth and width of net, found "
                         f"{described(depth)} and {described(width)}")  # fmt: skip
    return depth, width


def _best(entry: dict[str, Any], name: str, curve: str, where: str) -> float:
    value, values = _number(entry, name, PERCENT, where), entry.get(curve)
    if isinstance(values, list) and values:
        if not all(map(PERCENT.holds, values)):
            raise TruthError(f"{where}: expected accuracies in % in {curve}, found "
                             f"{described(values)}")  # fmt: skip
        if max(values) != value:
            raise TruthError(f"{where}: {name} is {value:g}, and the best of {curve} is "
                             f"{max(values):g}; expected the same")  # fmt: skip
    return round(value / 100, 10)
