"""Which networks a ranking is of: all, or those on one side of a target's threshold.

Two regimes are mixed in a τ over all networks: weak ones resist by smoothing, accurate ones by
what they compute. So a second population, chosen by an accuracy, stands beside the whole one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from evaluation.ranking.score_columns import RankingError
from evaluation.truths.targets import Target
from testbed.basis.errors import did_you_mean
from testbed.basis.foreign_text import quoted
from testbed.basis.ranges import FRACTION

__all__ = [
    "ACCURATE",
    "Condition",
    "Population",
    "parse_population",
    "refuse_few",
    "selected",
]

FORM = re.compile(r"(?P<target>[^<>=]+?)\s*(?P<sign>>=|<=|>|<|≥|≤)\s*(?P<number>[^<>=]+)")
NUMBER = r"[\d.]+(?:e[+-]?\d+)?\s*%?"
BETWEEN = re.compile(
    rf"(?P<low>{NUMBER})\s*(?P<sign>>=|<=|>|<|≥|≤)\s*(?P<target>[^<>=≥≤\s][^<>=≥≤]*?)\s*"
    r"(?P<rest>(?:>=|<=|>|<|≥|≤).*)?"
)
SIGNS = {"≥": ">=", "≤": "<="}
TURNED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
WORDS = {">": "above", ">=": "at least", "<": "below", "<=": "at most"}
ACCURATE = "clean > .9"  # what stands beside all networks where nobody says otherwise
EVERY = "all"


@dataclass(frozen=True)
class Condition:
    """One side of a threshold: ``clean > .9``.

    Attributes:
        target: the name of the target, as the truth's columns have it.
        sign: ``>``, ``>=``, ``<`` or ``<=``.
        threshold: an accuracy in [0, 1].
    """

    target: str
    sign: str
    threshold: float

    def holds(self, accuracies: pd.Series) -> pd.Series:
        """Return for each accuracy whether it is on this side; NaN is on neither."""
        compare = {">": "gt", ">=": "ge", "<": "lt", "<=": "le"}[self.sign]
        return getattr(accuracies, compare)(self.threshold)

    def __str__(self) -> str:
        return f"{Target.parse(self.target)} {self.sign} {_digits(self.threshold)}"


@dataclass(frozen=True)
class Population:
    """The networks that satisfy all conditions."""

    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.conditions))

    @property
    def words(self) -> str:
        """The conditions as a sentence says them: ``clean accuracy above .9``."""
        return " and ".join(
            f"{_accuracy(c.target)} {WORDS[c.sign]} {_digits(c.threshold)}" for c in self.conditions
        )


def _digits(threshold: float) -> str:
    """Return a threshold in as few digits as tell it from every other one."""
    few = f"{threshold:g}"
    return few if float(few) == threshold else repr(threshold)


def _accuracy(target: str) -> str:
    return "clean accuracy" if target == "clean" else f"accuracy {Target.parse(target)}"


def parse_population(text: str | None, known: Iterable[str]) -> Population | None:
    """Read ``clean > .9``, ``.3 < clean < .9``, or several such that all hold, between commas.

    Args:
        text: the conditions; None or ``all`` stands for every network.
        known: the names of the truth's targets.

    Raises:
        RankingError: if a condition has another form, its target is not in the truth, or its
            threshold is no accuracy in [0, 1].
    """
    if text is None or text.strip().lower() == EVERY:
        return None
    known = list(known)
    words = [part for word in text.split(",") for part in _parts(word.strip())]
    return Population(tuple(_condition(word, known) for word in words))


def _parts(word: str) -> list[str]:
    """Return ``.3 < clean < .9`` as two conditions, and ``.3 < clean`` the other way round."""
    match = BETWEEN.fullmatch(word)
    if match is None:
        return [word]
    sign = SIGNS.get(match["sign"], match["sign"])
    first = f"{match['target']} {TURNED[sign]} {match['low']}"
    return [first, f"{match['target']} {match['rest']}"] if match["rest"] else [first]


def _condition(text: str, known: Sequence[str]) -> Condition:
    match = FORM.fullmatch(text.strip())
    if match is None:
        raise RankingError(
            "--population takes a target's threshold, such as 'clean > .9' or '.3 < clean < .9' "
            f"(>, >=, <, <=; several separated by commas), or all; got {quoted(text.strip())}"
        )
    name = _target(match["target"].strip(), known)
    sign = SIGNS.get(match["sign"], match["sign"])
    return Condition(name, sign, _threshold(match["number"].strip(), text.strip()))


def _target(word: str, known: Sequence[str]) -> str:
    try:
        wanted = Target.parse(word)
    except ValueError:
        wanted = None
    for name in known:
        if Target.parse(name) == wanted:
            return name
    hint = did_you_mean(word, [*known, *(str(Target.parse(name)) for name in known)])
    raise RankingError(
        f"unknown target {quoted(word)} in --population{hint}; the truth has "
        f"{', '.join(known[:8])}{', …' if len(known) > 8 else ''}"
    )


def _threshold(word: str, condition: str) -> float:
    cent = word.endswith("%")
    try:
        number = float(word.removesuffix("%"))
    except ValueError:
        number = float("nan")
    if cent or not FRACTION.holds(number):
        likely = 0 <= number <= 100 if cent else 1 < number <= 100
        share = f"; for {number:g} % write {number / 100:g}" if likely else ""
        raise RankingError(
            f"--population {quoted(condition)}: the threshold is {FRACTION.words}; got "
            f"{quoted(word)}{share}"
        )
    return number


def selected(
    population: Population, sample: Sequence[int], targets: pd.DataFrame
) -> tuple[list[int], list[str]]:
    """Return the networks of a sample that satisfy all conditions, and what is to be said of it.

    Args:
        population: the conditions.
        sample: the published ids of the whole population.
        targets: all accuracies of the truth, by id.

    """
    rows = targets.loc[list(sample)]
    chosen, notes = pd.Series(True, rows.index), []
    for condition in population.conditions:
        values = rows[condition.target]
        if unknown := int(values.isna().sum()):
            notes.append(
                f"{unknown:,} of the networks have no {condition.target} in the truth, so that "
                f"they are not among those of {population}"
            )
        chosen &= condition.holds(values)
    if chosen.all():
        notes.append(f"all of them satisfy {population}: both populations are the same")
    return [number for number, kept in zip(sample, chosen.tolist(), strict=True) if kept], notes


def refuse_few(
    population: Population, chosen: Sequence[int], sample: Sequence[int], targets: pd.DataFrame
) -> None:
    """Raise RankingError, with the range of the accuracies, if the chosen are fewer than two."""
    if len(chosen) >= 2:
        return
    rows = targets.loc[list(sample)]
    spans = " and ".join(
        f"{c.target} goes from {rows[c.target].min():.3f} to {rows[c.target].max():.3f}"
        for c in population.conditions
    )
    raise RankingError(
        f"--population {str(population)!r}: {len(chosen)} of {len(sample):,} networks satisfy it, "
        f"and a ranking takes two; {spans}"
    )
