"""What the networks of a truth are called, and which search space they are of."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evaluation.truths.facts import TruthError
from testbed.basis.foreign_text import quoted
from testbed.spaces.errors import GenotypeError
from testbed.spaces.nasbench201.isomorphism import representatives, unique_ids
from testbed.spaces.registry import get, space_of
from testbed.spaces.space import SearchSpace

__all__ = ["NASBENCH201", "OWN", "Networks", "by_name", "population", "recognised"]

NASBENCH201 = "nasbench201"
OWN = "own"  # names that are taken as they are


@dataclass(frozen=True)
class Networks:
    """The networks of a truth.

    Attributes:
        space: the key of their search space; None if it is no known one.
        names: each name as it was read → its canonical one.
    """

    space: str | None
    names: Mapping[str, str]

    @property
    def population(self) -> str:
        """The networks in words."""
        return population(self.space, self._ids if self.space == NASBENCH201 else self._distinct)

    def index(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a table by canonical name, by published id if they are of NAS-Bench-201."""
        if self.space != NASBENCH201:
            return frame.rename_axis("network")
        ids = dict(zip(self._distinct, self._ids, strict=True))
        numbers = pd.Index([ids[str(name)] for name in frame.index], name="id", dtype="int64")
        return frame.set_axis(numbers).sort_index()

    @property
    def _distinct(self) -> list[str]:
        return list(dict.fromkeys(self.names.values()))

    @property
    def _ids(self) -> list[int]:
        space = get(NASBENCH201)
        return [int(space.number(space.parse(name)) or 0) for name in self._distinct]


def recognised(names: Iterable[str], where: str, space: str | None = None) -> Networks:
    """Return the networks that names are of, all of one search space or all of none.

    Args:
        names: as they stand in a file; published ids of NAS-Bench-201 among them, as text.
        where: what they are read from, as messages begin.
        space: the key of their space; ``own`` takes them as they are; None finds out.

    Raises:
        SpaceError: if there is no such space.
        TruthError: if only some of them are architectures of the space.
    """
    names = list(dict.fromkeys(names))
    known = {} if space in (None, OWN) else {get(str(space)).key: get(str(space))}
    if space is None:
        # Whole numbers alone are published ids, as in tables of scores.
        found = (get(NASBENCH201) if _is_id(name) else space_of(name) for name in names)
        known = {one.key: one for one in found if one is not None}
    if not known:
        return Networks(None, {name: name for name in names})
    if len(known) > 1:
        raise TruthError(
            f"{where}: expected networks of one search space, found some of "
            f"{', '.join(one.title for one in known.values())}: put them into files of their own"
        )
    ((key, of),) = known.items()
    canonical = {name: _canonical(of, name) for name in names}
    strangers = [name for name, called in canonical.items() if called is None]
    if strangers:
        raise TruthError(
            f"{where}: {len(strangers):,} of {len(names):,} networks are no architecture of "
            f"{of.title}, the first is {quoted(strangers[0])}; expected all of one space: put the "
            "others into a file of their own"
        )
    return Networks(key, {name: str(called) for name, called in canonical.items()})


def by_name(truth: Any) -> pd.DataFrame:
    """Return the targets of a truth by the canonical names of its networks."""
    table = truth.targets()
    if truth.facts.space != NASBENCH201:
        return table
    space = get(NASBENCH201)
    names = [space.name(space.numbered(int(number))) for number in table.index]
    return table.set_axis(pd.Index(names, name="network"))


def population(space: str | None, networks: Collection[Any]) -> str:
    """Return the networks of a truth in words.

    Args:
        space: the key of their search space, or None.
        networks: their canonical names; of NAS-Bench-201 their published ids.
    """
    count = f"{len(networks):,} network{'s' if len(networks) != 1 else ''}"
    if space is None:
        return count
    if space != NASBENCH201:
        return f"{count} of {get(space).title}"
    if all(representatives()[int(number)] == number for number in networks):
        whole = len(set(networks)) == len(unique_ids())
        some = "all" if whole else f"{len(networks):,} of the"
        return f"{some} {len(unique_ids()):,} unique networks of NAS-Bench-201"
    return f"{len(networks):,} of the {len(representatives()):,} architectures of NAS-Bench-201"


def _canonical(space: SearchSpace[Any], name: str) -> str | None:
    try:
        if space.listed and name.isascii() and name.isdecimal():
            return space.name(space.numbered(int(name))) if str(int(name)) == name else None
        return space.name(space.parse(name))
    except GenotypeError:
        return None


def _is_id(name: str) -> bool:
    return (
        name.isascii() and name.isdecimal() and len(name) < 6 and int(name) < len(representatives())
    )
