"""Whose networks a ranking is of, and how tables name them.

A truth of NAS-Bench-201 goes by published ids; of any other space, or of none, by names. What is
known of the networks beyond their scores, the record of their space says.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pandas as pd

from testbed.basis.errors import ToolkitError
from testbed.basis.foreign_text import shown
from testbed.spaces import registry
from testbed.spaces.space import SearchSpace

__all__ = ["SIZES", "Roster", "RosterError"]

SIZES = ("params", "flops")
Label = Any  # a published id, or a name


class RosterError(ToolkitError):
    """Networks that are not of the search space that was asked for."""


@dataclass(frozen=True)
class Roster:
    """The networks of a ranking.

    Attributes:
        space: their search space; None if it is none that is known.
        sizes: of their networks, where they are not those of the publication.
    """

    space: SearchSpace[Any] | None
    sizes: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def default() -> "Roster":
        """Return the roster of NAS-Bench-201."""
        return Roster(registry.get(registry.DEFAULT))

    @staticmethod
    def of(truth: Any, targets: pd.DataFrame | None = None) -> "Roster":
        """Return the roster of a truth: of the networks that index its targets.

        Args:
            truth: an open truth.
            targets: what it returns as such, where that is at hand: it may take a while to read.
        """
        index = (truth.targets() if targets is None else targets).index
        if index.dtype.kind in "iu":
            return Roster.default()
        facts = getattr(truth, "facts", None)
        known = {registry.space_of(str(name)) for name in index}
        sizes = getattr(facts, "sizes", None) or {}
        return Roster(known.pop() if len(known) == 1 else None, dict(sizes))

    def refuse_other(self, space: SearchSpace[Any] | None) -> None:
        """Raise RosterError if a space was asked for that the networks are not of."""
        if space is not None and space is not self.space:
            there = "no known search space" if self.space is None else self.space.title
            raise RosterError(
                f"--space {space.key}: the networks of the truth are of {there}, not of "
                f"{space.title}"
            )

    @property
    def by_number(self) -> bool:
        """Say whether networks go by published numbers."""
        return self.space is not None and self.space.by_number

    def labels(self, names: pd.Series) -> pd.Series:
        """Return how the truth calls networks, by their names or numbers in a table of scores.

        One that is no network of the space is missing.
        """
        if self.space is None:
            return names.astype("object")
        if self.by_number:
            return names.map(_numbers(self.space))
        return names.map({name: self._canonical(name) for name in names.unique()})

    def _canonical(self, name: str) -> str | None:
        assert self.space is not None
        found = registry.parsed(name)
        if found is None or found[0] is not self.space:
            return None
        return self.space.name(found[1])

    def genotype(self, label: Label) -> Any:
        """Return the genotype of a network of the space."""
        assert self.space is not None
        return self.space.numbered(label) if self.by_number else self.space.parse(label)

    def name(self, label: Label) -> str:
        """Return the name of a network."""
        if self.space is None or not self.by_number:
            return str(label)
        return self.space.name(self.space.numbered(label))

    def short(self, label: Label) -> str:
        """Return how a network is called in few letters: its number if it has one."""
        return str(label) if self.space is None else registry.short_name(self.name(label))

    @property
    def structure(self) -> str | None:
        """Return the name of the structural baseline; None if there is none."""
        return None if self.space is None else self.space.baseline

    def baselines(self, labels: Collection[Label]) -> dict[str, Callable[[Label], float]]:
        """Return the baselines that need no network's weights, by name.

        Args:
            labels: the networks that they are wanted of: where the multiply-accumulates of one
                are not published, those of none are.
        """
        if self.space is None or not labels:
            return {}
        space, sizes = self.space, {**self.space.sizes, **self.sizes}
        found: dict[str, Callable[[Label], float]] = {
            "params": lambda label: float(space.parameters(self.genotype(label), **sizes))
        }
        if space.flops(self.genotype(next(iter(labels))), **sizes) is not None:
            found["flops"] = lambda label: float(space.flops(self.genotype(label), **sizes) or 0)
        if space.baseline is not None:
            statistic = space.structure[space.baseline]
            found[space.baseline] = lambda label: float(statistic(self.genotype(label)))
        return found

    def settings(self, baseline: str) -> dict[str, int]:
        """Return the settings of a baseline's scores."""
        if self.space is None or baseline not in SIZES:
            return {}
        return {**self.space.sizes, **self.sizes}

    def twins(self, labels: Sequence[Label]) -> list[list[int]]:
        """Return the places of networks that are the same function, trained separately."""
        if self.space is None:
            return []
        places = {self.genotype(label): place for place, label in enumerate(labels)}
        return [[places[one] for one in group] for group in self.space.twins(list(places))]

    def strangers(self, count: int, example: str) -> str:
        """Return a sentence on scored networks that are none of the space."""
        title = "network" if self.space is None else f"{self.space.title} architecture"
        return f"{count:,} are no {title} ({example!r})"

    def expected(self) -> str:
        """Return which names are expected, as a message ends."""
        if self.space is None:
            return "the names of the truth's networks"
        if self.by_number:
            first, last = self.space.name(self.space.numbered(0)), self.space.size - 1
            return f"its strings, such as {first}, or its published ids, 0 to {last}"
        return f"its names, such as {shown(self.space.example)}"

    def unknown(self, labels: Iterable[Label]) -> str:
        """Return a sentence on networks that the truth does not have."""
        labels = list(labels)
        said = f"{len(labels):,} are not in the truth"
        if self.space is None or not self.space.listed:
            return said
        members = sum(not self._stands_for_itself(label) for label in labels)
        if not self.by_number and not members:
            return said
        return (
            f"{said} ({members:,} of them are isomorphic to another, whose accuracies are "
            "published instead)"
        )

    def population(self, sample: Sequence[Label], condition: str = "") -> str:
        """Return a description of networks in words.

        Args:
            sample: the networks.
            condition: what chose them, such as ``clean > 0.9``; "" if nothing did.
        """
        those = f", those of {condition}" if condition else ""
        if self.space is None:
            return f"{len(sample):,} networks{those}"
        title = "" if self.by_number else f" of {self.space.title}"
        if not self.space.listed:
            return f"{len(sample):,} networks{title}{those}"
        if all(map(self._stands_for_itself, sample)):
            return (
                f"{len(sample):,} of the {len(self.space.unique):,} unique networks{title}{those}"
            )
        everything = f"{self.space.size:,} architectures{title}"
        return f"{len(sample):,} of the {everything}, isomorphic ones too{those}"

    def _stands_for_itself(self, label: Label) -> bool:
        assert self.space is not None
        genotype = self.genotype(label)
        return self.space.representative(genotype) == genotype


@cache
def _numbers(space: SearchSpace[Any]) -> dict[str, int]:
    """Return the published numbers by the names of the networks, and by themselves as text."""
    names = {space.name(genotype): place for place, genotype in enumerate(space.genotypes)}
    return names | {str(number): number for number in names.values()}
