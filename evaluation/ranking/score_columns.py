"""From a table of scores to columns that can be ranked: one number for each network.

A score column is one distinct (proxy, init, images, settings). Its seeds are averaged,
and only where a network has all of them: a mean of three and a mean of one are not
equally noisy, so they are not comparable.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from testbed.basis.errors import ToolkitError
from testbed.spaces.nasbench201.cost import flops, parameters
from testbed.spaces.nasbench201.genotype import Genotype, enumerate_space

__all__ = [
    "BASELINES",
    "IDENTITY",
    "Identity",
    "RankingError",
    "ScoreColumn",
    "baseline_column",
    "labels",
    "other_images",
    "row_labels",
    "score_columns",
]

Identity = tuple[str, str, str, str]
IDENTITY = ("proxy", "init", "images", "settings")
REQUIRED = ("network", *IDENTITY, "seed", "value")
BASELINES: dict[str, Callable[[Genotype], int]] = {"params": parameters, "flops": flops}


class RankingError(ToolkitError):
    """Scores and a truth that do not allow the ranking that was asked for."""


@dataclass(frozen=True)
class ScoreColumn:
    """The scores of one (proxy, init, images, settings), averaged over its seeds.

    Attributes:
        identity: proxy, init, images and settings (canonical JSON); "" where not applicable.
        seeds: the number of seeds that are averaged; 0 for a proxy that draws nothing.
        values: the scores by published id; NaN where the score of a seed is missing or
            undefined.
        reasons: the number of undefined scores by their reason.
        unconverged: the ids of networks with a score whose iteration did not converge.
    """

    identity: Identity
    seeds: int
    values: pd.Series
    reasons: dict[str, int]
    unconverged: frozenset[int]


def score_columns(
    scores: pd.DataFrame,
    proxies: Sequence[str] | None = None,
    seeds: Collection[int] | None = None,
) -> tuple[list[ScoreColumn], list[str]]:
    """Return the score columns of the chosen proxies, and the networks of no published id.

    Args:
        scores: a table of one row for each score, as :func:`testbed.store.read_scores` returns.
        proxies: the chosen proxies, in this order; None takes all, in the order of their names.
            A baseline may be named that the scores do not have.
        seeds: the chosen seeds; None takes all. Scores that have no seed are always kept.

    Raises:
        RankingError: if a column of the table is missing, a proxy or seed is unknown, or one
            score is given twice with different values.
    """
    if missing := [name for name in REQUIRED if name not in scores]:
        raise RankingError(
            f"the scores lack the columns {', '.join(missing)}; they have {', '.join(scores)}"
        )
    optional = {name: pd.NA for name in ("reason", "converged") if name not in scores}
    scores = scores.assign(**optional, id=scores["network"].astype(str).map(_published_ids()))
    scores = _without_infinities(scores)
    foreign = sorted(set(scores.loc[scores["id"].isna(), "network"].astype(str)))
    if foreign and scores["id"].isna().all():
        raise RankingError(
            f"none of the {len(foreign):,} scored networks is an architecture of NAS-Bench-201 "
            f"({foreign[0]!r}): expected its strings, such as {Genotype.from_index(0)}, or its "
            "published ids, 0 to 15624"
        )
    known = sorted(set(scores["proxy"]))
    proxies = known if proxies is None else list(dict.fromkeys(proxies))
    _refuse_unknown("proxies", proxies, known, also=BASELINES)
    scores = scores.loc[scores["proxy"].isin(proxies) & scores["id"].notna()]
    if seeds is not None:
        _refuse_unknown("seeds", seeds, sorted(set(scores["seed"].dropna())))
        scores = scores.loc[scores["seed"].isin(list(seeds)) | scores["seed"].isna()]
    scores = scores.astype({"id": "int64"})
    for name in IDENTITY:
        scores[name] = scores[name].astype("string").fillna("")
    scores["settings"] = scores["settings"].map(_common_settings)
    groups = scores.sort_values(["id", "seed"]).groupby(list(IDENTITY), sort=True)
    columns = [_column(identity, rows) for identity, rows in groups]
    return sorted(columns, key=lambda column: proxies.index(column.identity[0])), foreign


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
    facts = {name: value for name, value in json.loads(settings).items() if name != "weights"}
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def _column(identity: Any, rows: pd.DataFrame) -> ScoreColumn:
    rows = rows.drop_duplicates(["id", "seed", "value"])
    if len(twice := rows.loc[rows.duplicated(["id", "seed"])]):
        first = twice.iloc[0]
        raise RankingError(
            f"{identity[0]} of {first['network']} is there twice with different values "
            f"(seed {first['seed']}, {' '.join(filter(None, identity[1:]))})"
        )
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
    )


def baseline_column(name: str, ids: Iterable[int]) -> ScoreColumn:
    """Return a baseline in closed form, of the networks of the truth (C = 16, N = 5).

    Args:
        name: one of ``BASELINES``.
        ids: the published ids of the networks.
    """
    values = {number: float(BASELINES[name](Genotype.from_index(number))) for number in ids}
    identity = (name, "", "", '{"cells":5,"channels":16}')
    return ScoreColumn(identity, 0, pd.Series(values, dtype="float64"), {}, frozenset())


def other_images(columns: Collection[ScoreColumn], dataset: str) -> list[str]:
    """Return a sentence for each other data set whose images the scores were computed on.

    Args:
        columns: the score columns.
        dataset: the data set of the accuracies.
    """
    others: dict[str, list[str]] = {}
    names = labels([column.identity for column in columns])
    for name, column in zip(names, columns, strict=True):
        images = column.identity[IDENTITY.index("images")]
        if images not in ("", dataset):
            others.setdefault(images, []).append(name)
    return [
        f"The scores of {', '.join(names)} were computed on images of {images}, not of "
        f"{dataset}, whose accuracies they are ranked on here."
        for images, names in others.items()
    ]


def labels(identities: Sequence[Identity]) -> list[str]:
    """Return a name for each column: its proxy, and the facts that set it apart from others.

    Of the facts that differ, the first ones that suffice are named: ``jacobian_norm (trained)``.
    """
    return [
        _label(identity, [other for other in identities if other[0] == identity[0]])
        for identity in identities
    ]


def row_labels(table: pd.DataFrame) -> list[str]:
    """Return for each row of a table with the columns of ``IDENTITY`` the name of its column."""
    identities = [tuple(map(str, row)) for row in table[list(IDENTITY)].itertuples(index=False)]
    unique = list(dict.fromkeys(identities))
    names = dict(zip(unique, labels(unique), strict=True))  # type: ignore[arg-type]
    return [names[identity] for identity in identities]


def _label(identity: Identity, peers: list[Identity]) -> str:
    own, others = _facts(identity), [_facts(peer) for peer in peers]
    chosen: list[str] = []
    for name in dict.fromkeys(name for facts in others for name in facts):
        before = len({tuple(facts.get(n) for n in chosen) for facts in others})
        if len({tuple(facts.get(n) for n in (*chosen, name)) for facts in others}) > before:
            chosen.append(name)
    named = ", ".join(
        own[name] if name == "init" else f"{name}={own[name]}" for name in chosen if own.get(name)
    )
    return f"{identity[0]} ({named})" if named else identity[0]


def _facts(identity: Identity) -> dict[str, str]:
    """Return init, images and each setting of a column in one flat dictionary."""
    settings: Any = identity[3]
    with contextlib.suppress(json.JSONDecodeError):
        settings = json.loads(settings)
    if not isinstance(settings, dict):
        settings = {"settings": settings}
    plain = {k: v if isinstance(v, str) else json.dumps(v) for k, v in settings.items()}
    return {"init": identity[1], "images": identity[2], **plain}


def _refuse_unknown(
    what: str, chosen: Iterable[Any], known: Sequence[Any], also: Collection[Any] = ()
) -> None:
    if unknown := [str(word) for word in chosen if word not in known and word not in also]:
        there = ", ".join(map(str, known)) or "none"
        raise RankingError(f"unknown {what}: {', '.join(unknown)}; the scores have {there}")


@cache
def _published_ids() -> dict[str, int]:
    """Return the published ids by the names of the networks, and by themselves as text."""
    names = {str(genotype): index for index, genotype in enumerate(enumerate_space())}
    return names | {str(index): index for index in names.values()}
