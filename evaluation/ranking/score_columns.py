"""From a table of scores to columns that can be ranked: one number for each network.

A score column is one distinct (proxy, init, images, settings). Its seeds are averaged,
and only where a network has all of them: a mean of three and a mean of one are not
equally noisy, so they are not comparable.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from evaluation.ranking.coverage import together
from evaluation.ranking.labels import IDENTITY, Identity, labels, printable, row_labels
from evaluation.ranking.roster import SIZES, Roster
from testbed.basis.errors import ToolkitError, did_you_mean
from testbed.catalogue import registry

__all__ = [
    "BASELINES",
    "IDENTITY",
    "SIZES",
    "STRUCTURE",
    "Identity",
    "RankingError",
    "ScoreColumn",
    "baseline_columns",
    "labels",
    "other_images",
    "row_labels",
    "score_columns",
]

REQUIRED = ("network", *IDENTITY, "seed", "value")
# Size, and the structure of the cell, which is the stronger one where attacks are strong.
STRUCTURE = "paths_pool_min"
BASELINES = (*SIZES, STRUCTURE)


class RankingError(ToolkitError):
    """Scores and a truth that do not allow the ranking that was asked for."""


@dataclass(frozen=True)
class ScoreColumn:
    """The scores of one (proxy, init, images, settings), averaged over its seeds.

    Attributes:
        identity: proxy, init, images and settings (canonical JSON); "" where not applicable.
        seeds: the number of seeds that are averaged; 0 for a proxy that draws nothing.
        values: the scores by published id, or by name, as the truth has it; NaN where the score
            of a seed is missing or undefined.
        reasons: the number of undefined scores by their reason.
        unconverged: the ids of networks with a score whose iteration did not converge.
        sparse_seeds: the seeds that are not averaged, since they were computed for too few
            networks, each with the number of these.
    """

    identity: Identity
    seeds: int
    values: pd.Series
    reasons: dict[str, int]
    unconverged: frozenset[Any]
    sparse_seeds: dict[int, int] = field(default_factory=dict)


def score_columns(
    scores: pd.DataFrame,
    proxies: Sequence[str] | None = None,
    seeds: Collection[int] | None = None,
    roster: Roster | None = None,
) -> tuple[list[ScoreColumn], list[str]]:
    """Return the score columns of the chosen proxies, and the networks of another space.

    Args:
        scores: a table of one row for each score, as :func:`testbed.store.read_scores` returns.
        proxies: the chosen proxies, or groups of them, in this order; None takes all, in the order
            of their names.
            A baseline may be named that the scores do not have.
        seeds: the chosen seeds. None takes all but those of too few networks, see
            :func:`~evaluation.ranking.coverage.together`. Scores that have no seed are always kept.
        roster: whose networks are meant; None for NAS-Bench-201's.

    Raises:
        RankingError: if a column of the table is missing, a proxy or seed is unknown, or one
            score is given twice with different values.
    """
    if missing := [name for name in REQUIRED if name not in scores]:
        raise RankingError(
            f"the scores lack the columns {', '.join(missing)}; they have {', '.join(scores)}"
        )
    optional = {name: pd.NA for name in ("reason", "converged") if name not in scores}
    roster = roster or Roster.default()
    scores = scores.assign(**optional, id=roster.labels(scores["network"].astype(str)))
    scores = _without_infinities(scores)
    foreign = sorted(set(scores.loc[scores["id"].isna(), "network"].astype(str)))
    if foreign and scores["id"].isna().all():
        title = "" if roster.space is None else f" of {roster.space.title}"
        raise RankingError(
            f"none of the {len(foreign):,} scored networks is an architecture{title} "
            f"({printable(foreign[0])!r}): expected {roster.expected()}"
        )
    known = sorted(set(scores["proxy"]))
    proxies = known if proxies is None else _members(proxies, known)
    _refuse_unknown("proxies", proxies, known, also=BASELINES)
    scores = scores.loc[scores["proxy"].isin(proxies) & scores["id"].notna()]
    if seeds is not None:
        _refuse_unknown("seeds", seeds, sorted(set(scores["seed"].dropna())))
        scores = scores.loc[scores["seed"].isin(list(seeds)) | scores["seed"].isna()]
    scores = scores.astype({"id": "int64" if roster.by_number else "object"})
    for name in IDENTITY:
        scores[name] = scores[name].astype("string").fillna("")
    scores["settings"] = scores["settings"].map(_common_settings)
    groups = scores.sort_values(["id", "seed"]).groupby(list(IDENTITY), sort=True)
    columns = [_column(identity, rows, every=seeds is not None) for identity, rows in groups]
    return sorted(columns, key=lambda column: proxies.index(column.identity[0])), foreign


def _members(asked: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the names that names and groups stand for, each once, of a group those there are."""
    names: dict[str, None] = {}
    for word in asked:
        if word in known or word not in registry.words():
            names[word] = None
            continue
        there = [name for name in registry.chosen([word]) if name in (*known, *BASELINES)]
        if not there:
            raise RankingError(
                f"no score is of the group {word}; the scores have "
                f"{', '.join(map(printable, map(str, known))) or 'none'}"
            )
        names |= dict.fromkeys(there)
    return list(names)


def _without_infinities(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores with infinities undefined, which says so: no rank is meant by them."""
    infinite = scores["value"].abs() == float("inf")
    if not infinite.any():
        return scores
    reasons = scores["reason"].astype("object").where(~infinite, "infinite in the table")
    return scores.assign(value=scores["value"].mask(infinite), reason=reasons)


def _common_settings(settings: str) -> str:
    """Return settings without the fingerprint of one network's weights: no column has it."""
    if '"weights":"' not in settings:
        return settings
    try:
        facts = json.loads(settings)
    except (ValueError, RecursionError):
        return settings
    if not isinstance(facts, dict):
        return settings
    facts.pop("weights", None)
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def _column(identity: Any, rows: pd.DataFrame, every: bool) -> ScoreColumn:
    rows = rows.drop_duplicates(["id", "seed", "value"])
    if len(twice := rows.loc[rows.duplicated(["id", "seed"])]):
        first = twice.iloc[0]
        raise RankingError(
            f"{printable(identity[0])} of {first['network']} is there twice with different values "
            f"(seed {first['seed']}, {printable(' '.join(filter(None, identity[1:])))}); expected "
            "one value for each network, proxy, init, seed, images and settings"
        )
    rows, sparse = (rows, {}) if every else _without_sparse_seeds(rows)
    seeds = rows["seed"].nunique(dropna=False)
    grouped = rows.groupby("id")["value"]
    reasons = Counter(rows.loc[rows["value"].isna(), "reason"].dropna())
    unconverged = rows["converged"].astype("boolean").eq(False).fillna(False)
    return ScoreColumn(
        identity=identity,
        seeds=rows["seed"].nunique(),
        values=pd.Series(grouped.mean()).where(grouped.count() == seeds),
        reasons=dict(reasons.most_common()),
        unconverged=frozenset(rows.loc[unconverged, "id"]),
        sparse_seeds=sparse,
    )


def _without_sparse_seeds(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[int, int]]:
    """Return the rows of one column without seeds of few networks, and the count of each."""
    networks = dict(iter(rows.loc[rows["seed"].notna()].groupby("seed")["id"]))
    if len(networks) < 2:
        return rows, {}
    keep = together([set(ids) for ids in networks.values()])
    chosen = zip(networks.items(), keep, strict=True)
    sparse = {int(str(seed)): len(ids) for (seed, ids), kept in chosen if not kept}
    return rows.loc[~rows["seed"].isin(list(sparse)).fillna(False)], sparse


def baseline_columns(
    ids: Collection[Any], roster: Roster | None = None, present: Collection[str] = ()
) -> list[ScoreColumn]:
    """Return the baselines that the space knows of the networks of the truth.

    The size is that of the publication (C = 16, N = 5 in NAS-Bench-201), or of the truth's
    networks where it says so.

    Args:
        ids: the networks, as the truth calls them.
        roster: whose networks they are; None for NAS-Bench-201's.
        present: the names of those that are not wanted.
    """
    roster = roster or Roster.default()
    columns = []
    for name, value in roster.baselines(ids).items():
        if name in present:
            continue
        values = pd.Series({label: value(label) for label in ids}, dtype="float64")
        settings = json.dumps(roster.settings(name), sort_keys=True, separators=(",", ":"))
        columns.append(ScoreColumn((name, "", "", settings), 0, values, {}, frozenset()))
    return columns


def other_images(columns: Collection[ScoreColumn], dataset: str) -> list[str]:
    """Return a sentence for each other data set whose images the scores were computed on.

    Args:
        columns: the score columns.
        dataset: the data set of the accuracies.
    """
    others: dict[str, list[str]] = {}
    names = labels([column.identity for column in columns])
    for name, column in zip(names, columns, strict=True):
        images = printable(column.identity[IDENTITY.index("images")] or dataset)
        if images not in ("", dataset):
            others.setdefault(images, []).append(name)
    return [
        f"The scores of {', '.join(names)} were computed on images of {images}, not of "
        f"{dataset}, whose accuracies they are ranked on here."
        for images, names in others.items()
    ]


def _refuse_unknown(
    what: str, chosen: Iterable[Any], known: Sequence[Any], also: Collection[Any] = ()
) -> None:
    if unknown := [str(word) for word in chosen if word not in known and word not in also]:
        there = ", ".join(map(printable, map(str, known))) or "none"
        names = ", ".join(map(printable, unknown))
        hint = did_you_mean(unknown[0], [*map(str, known), *map(str, also)])
        raise RankingError(f"unknown {what}: {names}; the scores have {there}{hint}")
