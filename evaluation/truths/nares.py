"""NARes: adversarially trained WideResNets of three depths and three widths, on CIFAR-10.

Zheng, Cheng, Huang, Lu and Boddeti, "A Neural Architecture Dataset for Adversarial Robustness",
2025. ``cifar10.jsonl`` of the authors' release has an object a line. Read as their own class does:
``arch`` with D1, W1, D2, W2, D3, W3; one entry in ``test_best``, of the epoch that was best on
CIFAR-10.1: ``test_clean_acc``, ``Linf_fgsm_acc``, ``Linf_pgd_acc`` (20 steps), ``Linf_cw_acc`` (PGD
on the margin loss, 40 steps) and ``Linf_aa_acc`` (APGD-CE and APGD-T, not the whole AutoAttack),
all at ε = 8/255, and ``corruptions``, by name and severity. Accuracies are in %, as their tables.
No file was at hand to compare; what is laid out otherwise is refused.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluation.truths.facts import Training, TruthError, TruthFacts
from evaluation.truths.networks import recognised
from evaluation.truths.table import TableTruth
from evaluation.truths.targets import CLEAN, Target
from testbed.basis.foreign_text import described, shown
from testbed.basis.ranges import PERCENT
from testbed.files.strict_json import parse_json
from testbed.images.names import CORRUPTIONS, EXTRAS, SEVERITIES
from testbed.spaces.nares.genotype import CHOICES, Genotype

__all__ = ["open_nares"]

SIZE = 15_625
LONGEST_LINE = 2**24
NARES = "nares"
EPSILON = 8.0
METRICS = {
    "test_clean_acc": CLEAN,
    "Linf_fgsm_acc": Target("fgsm", "Linf", EPSILON),
    "Linf_pgd_acc": Target("pgd", "Linf", EPSILON),
    "Linf_cw_acc": Target("pgd-cw", "Linf", EPSILON),
    "Linf_aa_acc": Target("apgd-ce and apgd-t", "Linf", EPSILON),
}
TRAINING = Training(True, "PGD", EPSILON, "Linf", "7 steps of 2")
NOTES = (
    "PGD-CW is PGD on the margin loss; of AutoAttack only APGD-CE and APGD-T were run.",
)  # fmt: skip


def open_nares(path: str | Path, dataset: str = "cifar10") -> TableTruth:
    """Read the file of NARes, a network a line.

    Raises:
        TruthError: if a line is laid out otherwise, a network is outside the space or there twice,
            an accuracy is none in %, or the data set is not CIFAR-10.
    """
    path = Path(path)
    if dataset != "cifar10":
        raise TruthError(f"no data set {shown(dataset)!r} in {path}: NARes is on cifar10")
    rows: list[tuple[str, str, str, float]] = []
    for number, line in _lines(path):
        rows += _network(line, f"{path}, line {number}")
    _refuse_fractions(rows, path)
    names = recognised(dict.fromkeys(row[0] for row in rows), str(path), NARES)
    population = f"{len(names.names):,} of the {SIZE:,} WideResNets of NARes"
    facts = TruthFacts("NARes (Zheng et al., 2025)", TRAINING, population, NARES, NOTES,
                       ("zheng2025nares",))  # fmt: skip
    return TableTruth.of(rows, path, dataset, facts, names)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        if not path.is_file():
            raise TruthError(f"there is no file {path}")
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            for number in range(1, 10 * SIZE):
                line = file.readline(LONGEST_LINE)
                if not line:
                    return
                if len(line) == LONGEST_LINE:
                    raise TruthError(f"{path}, line {number}: expected an object, found a line of "
                                     f"{LONGEST_LINE:,} characters and more")  # fmt: skip
                if line.strip():
                    yield number, line
    except (OSError, UnicodeDecodeError) as error:
        raise TruthError(f"{path} cannot be read: {shown(str(error))}") from error
    raise TruthError(f"{path} has more lines than NARes has networks ({SIZE:,})")


def _network(line: str, where: str) -> Iterator[tuple[str, str, str, float]]:
    """Yield network, target, seed and accuracy of one line."""
    # Losses stand in it too, which may be NaN; what is taken is checked.
    entry = parse_json(line, where, TruthError, constants=True)
    if not isinstance(entry, dict) or not {"arch", "test_best"} <= entry.keys():
        raise TruthError(f"{where}: expected an object with arch and test_best, found "
                         f"{described(entry)}")  # fmt: skip
    name, tests = _name(entry["arch"], where), entry["test_best"]
    if not isinstance(tests, list) or len(tests) != 1 or not isinstance(tests[0], dict):
        raise TruthError(f"{where}: expected one test under test_best, found {described(tests)}")
    test = tests[0]
    if test.get("test_clean_acc") is None:
        raise TruthError(f"{where}: expected test_clean_acc in test_best, found {described(test)}")
    for metric, target in METRICS.items():
        if (value := test.get(metric)) is not None:
            yield name, target.key, "", _fraction(value, f"{where}: {metric}")
    for corruption, target, value, place in _corruptions(test.get("corruptions") or {}, where):
        if corruption not in EXTRAS:  # the four are no part of the benchmark's mean
            yield name, target.key, "", _fraction(value, place)


def _corruptions(found: Any, where: str) -> Iterator[tuple[str, Target, Any, str]]:
    if not isinstance(found, dict):
        raise TruthError(f"{where}: expected corruptions by name, found {described(found)}")
    for name, levels in found.items():
        place = f"{where}: corruptions of {shown(name)}"
        if name not in (*CORRUPTIONS, *EXTRAS):
            raise TruthError(f"{place}: expected a corruption of CIFAR-10-C, such as fog")
        for severity in SEVERITIES:
            entry = levels.get(str(severity)) if isinstance(levels, dict) else None
            if not isinstance(entry, dict) or "acc" not in entry:
                raise TruthError(f"{place}: expected acc at severity {severity}, found "
                                 f"{described(levels)}")  # fmt: skip
            yield name, Target(name, None, severity), entry["acc"], f"{place}, {severity}"


def _name(arch: Any, where: str) -> str:
    """Return the network as the authors' class prints it."""
    if not isinstance(arch, dict) or not arch.keys() >= CHOICES.keys():
        raise TruthError(f"{where}: expected arch with {', '.join(CHOICES)}, found "
                         f"{described(arch)}")  # fmt: skip
    for choice, allowed in CHOICES.items():
        if type(arch[choice]) is not int or arch[choice] not in allowed:
            raise TruthError(f"{where}: expected {choice} of {', '.join(map(str, allowed))}, found "
                             f"{described(arch[choice])}")  # fmt: skip
    return Genotype.of(arch).name


def _fraction(value: Any, where: str) -> float:
    if not PERCENT.holds(value):
        raise TruthError(f"{where}: expected {PERCENT.words}, found {described(value)}")
    return round(value / 100, 10)


def _refuse_fractions(rows: list[tuple[str, str, str, float]], path: Path) -> None:
    clean = [row[3] for row in rows if row[1] == CLEAN.key]
    if clean and max(clean) <= 0.01:
        raise TruthError(f"{path}: expected accuracies in %, found none above 1 on clean images: "
                         "are they fractions?")  # fmt: skip
