"""What the networks of a truth are called, and which search space they are of."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from evaluation.truths.facts import TruthError
from testbed.basis.foreign_text import quoted
from testbed.spaces.nasbench201.genotype import Genotype, enumerate_space
from testbed.spaces.nasbench201.isomorphism import representatives, unique_ids

__all__ = ["NASBENCH201", "OWN", "Networks", "by_name", "recognised"]

NASBENCH201 = "nasbench201"
OWN = "own"  # names that are taken as they are


@dataclass(frozen=True)
class Networks:
    """The networks of a truth.

    Attributes:
        space: the name of their search space; None if it is no known one.
        names: each name as it was read → its canonical one.
    """

    space: str | None
    names: Mapping[str, str]

    @property
    def population(self) -> str:
        """The networks in words."""
        return population(self.space, list(dict.fromkeys(self.names.values())))

    def index(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a table by canonical name as rankings join it: by published id if it has one."""
        if self.space != NASBENCH201:
            return frame.rename_axis("network")
        ids = _published_ids()
        numbers = pd.Index([ids[str(name)] for name in frame.index], name="id", dtype="int64")
        return frame.set_axis(numbers).sort_index()


def recognised(names: Iterable[str], where: str, space: str | None = None) -> Networks:
    """Return the networks that names are of, all of one search space or all of none.

    Args:
        names: as they stand in a file; published ids of NAS-Bench-201 among them, as text.
        where: what they are read from, as messages begin.
        space: the name of their space; ``own`` takes them as they are; None finds out.

    Raises:
        TruthError: if only some of them are architectures of the space.
    """
    names = list(dict.fromkeys(names))
    if space != OWN:
        known = {name: canonical for name in names if (canonical := _architecture(name))}
        strangers = [name for name in names if name not in known]
        if not strangers:
            return Networks(NASBENCH201, known)
        if known or space == NASBENCH201:
            raise TruthError(
                f"{where}: {len(strangers):,} of {len(names):,} networks are no architecture of "
                f"NAS-Bench-201, the first is {quoted(strangers[0])}; expected all of one space: "
                "put the others into a file of their own"
            )
    return Networks(None, {name: name for name in names})


def by_name(truth: Any) -> pd.DataFrame:
    """Return the targets of a truth by the canonical names of its networks."""
    table = truth.targets()
    if truth.facts.space != NASBENCH201:
        return table
    names = [str(Genotype.from_index(int(number))) for number in table.index]
    return table.set_axis(pd.Index(names, name="network", dtype="object"))


def population(space: str | None, networks: Collection[Any]) -> str:
    """Return the networks of a truth in words; those of NAS-Bench-201 by name or published id."""
    count = f"{len(networks):,} network{'s' if len(networks) != 1 else ''}"
    if space is None:
        return count
    if space != NASBENCH201:
        return f"{count} of {space}"
    ids = _published_ids()
    numbers = [ids.get(str(network), -1) for network in networks]
    if all(number >= 0 and representatives()[number] == number for number in numbers):
        whole = len(set(numbers)) == len(unique_ids())
        some = "all" if whole else f"{len(networks):,} of the"
        return f"{some} {len(unique_ids()):,} unique networks of NAS-Bench-201"
    return f"{len(networks):,} of the {len(representatives()):,} architectures of NAS-Bench-201"


def _architecture(name: str) -> str | None:
    number = _published_ids().get(name)
    return None if number is None else _strings()[number]


@cache
def _strings() -> tuple[str, ...]:
    return tuple(map(str, enumerate_space()))


@cache
def _published_ids() -> dict[str, int]:
    """Return the published ids by the names of the networks, and by themselves as text."""
    names = {name: number for number, name in enumerate(_strings())}
    return names | {str(number): number for number in names.values()}
