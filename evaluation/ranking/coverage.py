"""What a common sample can bear: sparse score columns and seeds are set aside, and named.

The sample is one for all columns, so that a single stray score of another kind in a store would
shrink it to one network. One rule serves the ranking, the report and the search.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from evaluation.ranking.labels import facts_of, labels, printable

if TYPE_CHECKING:
    from evaluation.ranking.score_columns import ScoreColumn

__all__ = ["left_seeds", "set_aside", "together"]


def together(groups: Sequence[Collection[int]]) -> list[bool]:
    """Say which groups of networks can be kept so that half of the largest is common to all.

    The largest comes first, and each further one, by size, is kept if at least half of the
    largest remains common to those that are kept.
    """
    order = sorted(range(len(groups)), key=lambda place: (-len(groups[place]), place))
    kept, common = [False] * len(groups), None
    for place in order:
        rest = set(groups[place]) if common is None else common & set(groups[place])
        if 2 * len(rest) >= len(groups[order[0]]):
            kept[place], common = True, rest
    return kept


def set_aside(
    columns: Sequence["ScoreColumn"],
    known: Collection[int],
    baselines: Collection[str],
    named: bool,
) -> tuple[list["ScoreColumn"], list[str]]:
    """Return the columns without sparse ones, and a sentence for each that is set aside.

    A column counts for the networks of the truth that it has a defined score of, see
    :func:`together`. Baselines count last, for what they lack is computed in closed form: they
    make no other column sparse.

    Args:
        columns: the score columns.
        known: the ids of the networks of the truth.
        baselines: the proxies that can be computed for any network.
        named: whether the user chose the proxies. The columns of each are then compared with
            each other alone, so that none of the chosen proxies is lost.
    """
    sets = {i: set(known) & set(c.values.dropna().index) for i, c in enumerate(columns)}
    groups: dict[str, list[int]] = {}
    for place, column in enumerate(columns):
        groups.setdefault(column.identity[0] if named else "", []).append(place)
    sentences: dict[int, str] = {}
    for places in groups.values():
        first = [p for p in places if columns[p].identity[0] not in baselines] or places
        chosen = together([sets[p] for p in first])
        kept = [p for p, keep in zip(first, chosen, strict=True) if keep]
        most, common = len(sets[max(kept, key=lambda p: len(sets[p]))]), _common(kept, sets)
        for place in sorted({*places} - {*first}, key=lambda p: (-len(sets[p]), p)):
            if 2 * len(common & sets[place]) >= most:
                kept.append(place)
                common &= sets[place]
        shown = {p: (len(sets[p]), len(common & sets[p]), most) for p in {*places} - {*kept}}
        for place, counts in shown.items():
            peers = [columns[p] for p in kept]
            sentences[place] = _sentence(columns, place, counts, peers)
    rest = [column for place, column in enumerate(columns) if place not in sentences]
    return rest, [sentences[place] for place in sorted(sentences)]


def _common(places: Sequence[int], sets: dict[int, set[int]]) -> set[int]:
    return set.intersection(*(sets[place] for place in places))


def _sentence(
    columns: Sequence["ScoreColumn"],
    place: int,
    counts: tuple[int, int, int],
    kept: Sequence["ScoreColumn"],
) -> str:
    """Say why a column is set aside, and which option brings it in.

    Args:
        columns: all columns.
        place: of the one that is set aside.
        counts: its networks, those that it shares with all that are kept, and those of the
            column that has most.
        kept: the columns that it was compared with, and that are kept.
    """
    column, (own, shared, most) = columns[place], counts
    name, facts = labels([c.identity for c in columns])[place], facts_of(column.identity)
    if facts["init"] and not name.endswith(")"):
        name += f" ({printable(facts['init'])})"
    if 2 * own >= most:
        why = f"has {shared:,} of {most:,} networks in common with the other columns"
    elif column.reasons:
        reasons = "; ".join(f"{n:,} × {printable(why)}" for why, n in column.reasons.items())
        why = f"is defined for {own:,} of {most:,} networks (undefined: {reasons})"
    else:
        why = f"was computed for {own:,} of {most:,} networks"
    peers = [facts_of(c.identity) for c in kept if c.identity[0] == column.identity[0]]
    apart = [k for k, v in facts.items() if v and all(peer.get(k) != v for peer in peers)]
    option = f"--where {printable(f'{apart[0]}={facts[apart[0]]}')}" if apart else ""
    option = option if peers else "--proxies with its name"
    return (
        f"{name} {why}: it is left out, since the sample is one for all"
        f"{f'; {option} brings it in' if option else ''}."
    )


def left_seeds(columns: Sequence["ScoreColumn"]) -> list[str]:
    """Return a sentence for each seed that was computed for too few networks to be averaged."""
    names = labels([column.identity for column in columns])
    return [
        f"Of {name}, seed {seed} was computed for {count:,} networks only: it is left out of the "
        f"mean over seeds."
        for name, column in zip(names, columns, strict=True)
        for seed, count in column.sparse_seeds.items()
    ]
