"""The networks of a search as candidates: what a search space's record yields.

A space that can be listed is the product of its choices, and its classes of equal networks are
one candidate each. Of a space that is too large, and of networks of no space, the candidates are
those that there are accuracies, or scores, of: any two of them are neighbours. Where networks are
trained when they are asked for, a large space is drawn from as its record says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.ranking.roster import Roster
from evaluation.search.recorded import Drawn, Recorded
from evaluation.search.space import Space
from testbed.spaces import registry
from testbed.spaces.space import SearchSpace

__all__ = [
    "Candidates", "Listed", "default_candidates", "of_index", "of_record", "of_space",
    "option_counts",
]  # fmt: skip


class Listed(Space):
    """Networks in a list: one choice, whose features are those of the networks' own space."""

    def one_hot(self, candidates: Sequence[int]) -> NDArray[np.float32]:
        """Return the features: which network it is would say nothing of another."""
        return self.encode(candidates)


@dataclass(frozen=True, eq=False)
class Candidates:
    """The candidates of a search.

    Attributes:
        space: which there are, and their neighbours.
        labels: what truths and scores call each, by candidate.
        roster: whose networks they are.
    """

    space: Space
    labels: pd.Index
    roster: Roster

    def restricted(self, members: tuple[int, ...] | None) -> Space:
        """Return the space, or the part of it that holds these candidates."""
        return self.space if members is None else self.space.restricted(members)

    def values(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table by label as one by candidate, NaN where there is none."""
        return table.reindex(self.labels).reset_index(drop=True)

    def named(self, candidates: Sequence[int]) -> pd.DataFrame:
        """Return what tables say of candidates: their published id, if they have one, and name."""
        names = [self.space.name(candidate) for candidate in candidates]
        return pd.DataFrame({**self.ids(candidates), "network": names})

    def ids(self, candidates: Sequence[int]) -> dict[str, NDArray[np.int64]]:
        """Return a column ``id`` of published numbers; none if networks go by names."""
        if not self.roster.by_number or isinstance(self.space, Drawn):
            return {}
        return {"id": self.labels.to_numpy()[np.asarray(candidates, dtype=np.int64)]}

    @cached_property
    def structure(self) -> NDArray[np.float32] | None:
        """What the genotypes alone say beside their encoding, (size, F); None if nothing more.

        The statistics of the space's record, paths and operation counts for instance.
        """
        record = self.roster.space
        if record is None or not record.structure:
            return None
        genotypes = [record.parse(self.space.name(place)) for place in range(len(self.labels))]
        columns = [[value(g) for g in genotypes] for value in record.structure.values()]
        return np.array(columns, dtype=np.float32).T

    def sentence(self, members: tuple[int, ...] | None, having: str) -> str:
        """Return what is searched, in a sentence; "" if it is all of a space.

        Args:
            members: the candidates that may be asked for; None for all.
            having: what they have and others lack, as the sentence ends.
        """
        count = len(self.space if members is None else members)
        record = self.roster.space
        if isinstance(self.space, Listed):
            of = "" if record is None else f" of {record.title} ({record.size:,} in all)"
            return (
                f"The search is among the {count:,} networks{of} that have {having}; any two of "
                "them are neighbours."
            )
        if members is None or record is None:
            return ""
        return (
            f"The search is among the {count:,} of {len(self.space):,} networks of {record.title} "
            f"that have {having}."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a space by its record: a worker makes the candidates itself."""
        if isinstance(self.space, Listed | Drawn) or self.roster.space is None:
            return Candidates, (self.space, self.labels, self.roster)
        return of_space, (self.roster.space,)


@cache
def of_space(record: SearchSpace[Any]) -> Candidates:
    """Return the candidates of a space that can be listed; their order is that of its choices."""
    counts = [len(options) for options in record.choices.values()]
    strides = [int(np.prod(counts[place + 1 :])) for place in range(len(counts))]
    places = {
        choice: {option: stride * digit for digit, option in enumerate(options)}
        for (choice, options), stride in zip(record.choices.items(), strides, strict=True)
    }
    candidate = {
        genotype: sum(places[choice][option] for choice, option in record.options(genotype).items())
        for genotype in record.genotypes
    }
    genotypes = sorted(candidate, key=candidate.__getitem__)
    alias = [candidate[record.representative(genotype)] for genotype in genotypes]
    names = list(map(record.name, genotypes))
    if record.by_number:
        labels = pd.Index([record.number(genotype) for genotype in genotypes], dtype="int64")
    else:
        labels = pd.Index(names, dtype="object")
    features = record.encode(genotypes)
    if type(record).neighbours is SearchSpace.neighbours:  # one changed choice
        space = Space(record.choices, alias, features=features, names=names)
    else:
        space = Recorded(record.choices, alias, features=features, names=names, record=record)
    return Candidates(space, labels, Roster(record))


def of_record(record: SearchSpace[Any], sizes: Mapping[str, int] | None = None) -> Candidates:
    """Return all networks of a space, listed or drawn, for a search that needs no truth.

    Args:
        record: of the space.
        sizes: of its networks, where they are not those of the publication.
    """
    if record.listed:
        known = of_space(record)
        return Candidates(known.space, known.labels, Roster(record, dict(sizes or {})))
    space = Drawn(record.choices, record=record)
    return Candidates(space, pd.Index([], dtype="object"), Roster(record, dict(sizes or {})))


def default_candidates() -> Candidates:
    """Return the 6,466 classes of NAS-Bench-201."""
    return of_space(registry.get(registry.DEFAULT))


def of_index(index: pd.Index, roster: Roster) -> Candidates:
    """Return the candidates of a truth, or of a table of scores.

    Args:
        index: what the truth calls its networks.
        roster: whose networks they are.
    """
    record = roster.space
    if record is not None and record.listed:
        known = of_space(record)
        return Candidates(known.space, known.labels, roster)
    names = list(map(str, index))
    features = np.zeros((len(names), 1), np.float32)  # nothing is known of their structure
    if record is not None:
        features = record.encode([record.parse(name) for name in names])
    space = Listed({"network": names}, features=features, names=names)
    return Candidates(space, pd.Index(names, dtype="object"), roster)


def option_counts(space: Space) -> NDArray[np.float32]:
    """Return how often each option occurs among the choices of each candidate, (size, options)."""
    options = list(dict.fromkeys(o for options in space.choices.values() for o in options))
    size = int(np.prod(space.counts))
    counts = np.zeros((size, len(options)), dtype=np.float32)
    digits = np.arange(size)[:, None] // np.array(space.strides) % np.array(space.counts)
    for column, own in zip(digits.T, space.choices.values(), strict=True):
        place = np.array([options.index(option) for option in own])[column]
        counts[np.arange(size), place] += 1
    return counts
