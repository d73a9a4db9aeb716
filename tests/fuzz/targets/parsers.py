"""Parsers of words: architectures, targets, numbers, settings of attacks."""

import json

from evaluation.attacks.assignments import assigned
from evaluation.ranking.target_choice import choose_targets
from evaluation.truths.targets import Target as Accuracy
from testbed.command.console import split_words, whole_numbers
from testbed.spaces.darts.genotype import Genotype as DartsGenotype
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.selection import select
from testbed.spaces.size.genotype import Genotype as SizeGenotype
from tests.fuzz.target import as_text

__all__ = ["TARGETS"]

KNOWN = ("clean", "fgsm@1", "fgsm@8", "pgd@L2@20", "fog@3", "mean corruption")
ARCHITECTURE = str(Genotype.from_index(11))
DARTS = DartsGenotype(
    (("sep_conv_3x3", 1), ("skip_connect", 0)) * 4, (("max_pool_3x3", 0), ("dil_conv_5x5", 1)) * 4
)
DARTS_TEXT = (
    f"Genotype(normal={list(DARTS.normal)}, normal_concat=range(2, 6), "
    f"reduce={list(DARTS.reduce)}, reduce_concat=[2, 3, 4, 5])"
)


def _check_selection(chosen: list[Genotype]) -> None:
    assert chosen, "no architecture"
    assert len(set(chosen)) == len(chosen), "an architecture twice"


def _check_name(genotype: DartsGenotype | SizeGenotype) -> None:
    assert type(genotype).parse(genotype.name) == genotype, "its name is of another genotype"


def _check_accuracy(target: Accuracy) -> None:
    assert Accuracy.parse(target.key) == target, "its key is of another target"
    assert target.level is None or 0 <= target.level < float("inf"), "an ε out of range"


def _check_numbers(numbers: list[int]) -> None:
    assert numbers, "no number"
    assert len(set(numbers)) == len(numbers), "a number twice"
    assert all(0 <= number < 2**63 for number in numbers), "a number out of range"


def _check_choice(chosen: list[str]) -> None:
    assert chosen, "no target"
    assert set(chosen) <= set(KNOWN), "a target that is not there"


TARGETS = (
    as_text("genotype", [ARCHITECTURE], Genotype.parse),
    as_text(
        "genotype-of-darts", [DARTS.name, DARTS_TEXT, json.dumps(DARTS.to_mapping())],
        DartsGenotype.parse, _check_name,
    ),
    as_text("genotype-of-sizes", ["8:16:24:32:40"], SizeGenotype.parse, _check_name),
    as_text(
        "archs", ["sample:3:1", "0,11,284", "5-9", ARCHITECTURE, "(4, 0, 3, 1, 4, 3)"], select,
        _check_selection,
    ),
    as_text(
        "target", ["clean", "fgsm@1", "pgd@20 (ℓ2)", "fog@3", "mean adversarial"], Accuracy.parse,
        _check_accuracy,
    ),
    as_text("seeds", ["0,1,2", "0-9", "777"], lambda t: whole_numbers(t, "seeds"), _check_numbers),
    as_text(
        "targets", ["clean,fgsm@8", "all", "FGSM@1, fog@3"],
        lambda text: choose_targets(KNOWN, split_words(text)), _check_choice,
    ),
    as_text(
        "settings-of-attacks", ["square.queries=200", "pgd.step_divisor=30", "pgd.steps=20"],
        lambda text: assigned([text], ["pgd", "square"]),
    ),
)  # fmt: skip
