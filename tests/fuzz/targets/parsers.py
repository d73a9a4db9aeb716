"""Parsers of words: architectures, targets."""

from evaluation.truths.targets import Target as Accuracy
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.selection import select
from tests.fuzz.target import as_text

__all__ = ["TARGETS"]

ARCHITECTURE = str(Genotype.from_index(11))


def _check_selection(chosen: list[Genotype]) -> None:
    assert chosen, "no architecture"
    assert len(set(chosen)) == len(chosen), "an architecture twice"


def _check_accuracy(target: Accuracy) -> None:
    assert Accuracy.parse(target.key) == target, "its key is of another target"
    assert target.level is None or 0 <= target.level < float("inf"), "an ε out of range"


TARGETS = (
    as_text("genotype", [ARCHITECTURE], Genotype.parse),
    as_text(
        "archs", ["sample:3:1", "0,11,284", "5-9", ARCHITECTURE, "(4, 0, 3, 1, 4, 3)"], select,
        _check_selection,
    ),
    as_text(
        "target", ["clean", "fgsm@1", "pgd@20 (ℓ2)", "fog@3", "mean adversarial"], Accuracy.parse,
        _check_accuracy,
    ),
)  # fmt: skip
