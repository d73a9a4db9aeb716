"""Scores made of others, from the table of scores alone: rank sums, weights, a forest.

``az=log_ranks(az_expressivity,az_progressivity,az_trainability,flops)`` is AZ-NAS's score: the sum
of log(rank / m) over the parts, the largest score having rank m, of m networks (Lee and Ham,
CVPR 2024). ``ranks`` is the mean of rank / m, ``values`` the sum of the scores as they are. A part
may have a weight, ``2*snip``, and a minus, which turns its ranking round.

``forest(snip,params; target=pgd@1, n=172, seed=0)`` is a random forest that predicts the accuracy
of networks it was not fitted to: the networks are parted into five at random, and each part is
predicted from n networks drawn outside it. It has seen accuracies, which no other score has.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.ranking.score_columns import RankingError
from evaluation.truths.targets import Target
from testbed.basis.errors import did_you_mean
from testbed.basis.foreign_text import quoted

__all__ = ["FOREST", "Combination", "parse_combination"]

FORM = re.compile(
    r"\s*(?P<name>\w+)\s*=\s*(?P<rule>\w+)\s*\((?P<parts>[^;]+)(;(?P<options>.*))?\)\s*"
)
PART = re.compile(
    r"(?P<sign>-?)\s*(?:(?P<weight>\d*\.?\d+(?:e[+-]?\d+)?)\s*\*)?\s*(?P<name>[^*\s].*)"
)
FOREST = "forest"
RULES = ("log_ranks", "ranks", "values", FOREST)
USAGE = (
    "--combine takes name=rule(part,part), rule being one of "
    f"{', '.join(RULES)}, such as 'az=log_ranks(zen,2*snip,-flops)' or "
    "'f=forest(zen,params; target=pgd@1, n=172, seed=0)'"
)
FOREST_TAKES = "a forest takes target=…, n=… and, if you like, seed=…, each once; got "


@dataclass(frozen=True)
class Combination:
    """What a combined score is made of.

    Attributes:
        name: of the column.
        rule: one of ``RULES``.
        parts: the weight of each part by its name, negative where its ranking is turned round.
        target: what a forest predicts; "" for other rules.
        count: the number of networks that a forest is fitted to; 0 for other rules.
        seed: of a forest and of the draws of networks.
    """

    name: str
    rule: str
    parts: Mapping[str, float]
    target: str = ""
    count: int = 0
    seed: int = 0

    def __str__(self) -> str:
        parts = ",".join(f"{_weight(weight)}{name}" for name, weight in self.parts.items())
        more = f"; target={self.target}, n={self.count}, seed={self.seed}" if self.target else ""
        return f"{self.name}={self.rule}({parts}{more})"


def parse_combination(text: str, targets: Sequence[str]) -> Combination:
    """Read a combination as the command line has it.

    Args:
        text: such as ``az=log_ranks(zen,2*snip,-flops)``.
        targets: the names of the truth's targets, of which a forest predicts one.

    Raises:
        RankingError: if it has another form, or names no such rule or target.
    """
    match = FORM.fullmatch(text)
    if match is None:
        raise RankingError(f"{USAGE}; got {quoted(text)}")
    name, rule = match["name"], match["rule"].lower()
    if rule not in RULES:
        raise RankingError(f"unknown rule {quoted(rule)}{did_you_mean(rule, RULES)}; {USAGE}")
    parts = dict(_part(word, text) for word in match["parts"].split(","))
    if len(parts) < len(match["parts"].split(",")):
        raise RankingError(f"--combine {quoted(text)} names a part twice: give it a weight")
    if rule != FOREST:
        if match["options"] is not None:
            raise RankingError(f"only a forest has options after a semicolon; got {quoted(text)}")
        return Combination(name, rule, parts)
    if any(weight != 1 for weight in parts.values()):
        raise RankingError(f"a forest finds its own weights and signs; got {quoted(text)}")
    return Combination(name, rule, parts, **_options(match["options"] or "", text, targets))


def _part(word: str, text: str) -> tuple[str, float]:
    match = PART.fullmatch(word.strip())
    weight = float(match["weight"] or 1) if match else 0.0
    if match is None or not 0 < weight < float("inf"):
        raise RankingError(f"a part is name, 2*name or -name; got {quoted(word)} in {quoted(text)}")
    return match["name"].strip(), -weight if match["sign"] else weight


def _options(given: str, text: str, targets: Sequence[str]) -> dict[str, Any]:
    pairs: dict[str, str] = {}
    for word in given.split(","):
        key, _, value = (piece.strip() for piece in word.partition("="))
        if key in pairs or key not in ("target", "n", "seed"):
            raise RankingError(FOREST_TAKES + quoted(text))
        pairs[key] = value
    if not {"target", "n"} <= set(pairs):
        raise RankingError(FOREST_TAKES + quoted(text))
    known = {Target.parse(name): name for name in targets}
    try:
        target = known[Target.parse(pairs["target"])]
    except (ValueError, KeyError):
        hint = did_you_mean(pairs["target"], targets)
        raise RankingError(f"unknown target {quoted(pairs['target'])} of a forest{hint}") from None
    numbers = {"count": pairs["n"], "seed": pairs.get("seed", "0")}
    if not all(word.isdecimal() and word.isascii() and len(word) < 10 for word in numbers.values()):
        raise RankingError(f"n and seed of a forest are whole numbers; got {quoted(text)}")
    return {"target": target, **{name: int(word) for name, word in numbers.items()}}


def _weight(weight: float) -> str:
    sign = "-" if weight < 0 else ""
    return sign if abs(weight) == 1 else f"{sign}{abs(weight):g}*"
