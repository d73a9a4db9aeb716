"""Many score columns in an order that can be read: by family, the best of each first."""

from collections.abc import Mapping, Sequence

import pandas as pd

from evaluation.ranking.score_columns import BASELINES
from evaluation.ranking.target_choice import DEFAULT_TARGETS
from testbed.catalogue.registry import PROXIES
from testbed.catalogue.spec import GROUPS

__all__ = ["MANY", "by_family", "families", "family", "some_of_each"]

MANY = 12  # score columns, from where on they are grouped
OTHER = "other"


def family(proxy: str) -> str:
    """Return the group of a proxy; ``baseline`` for what all tables show, ``other`` if unknown."""
    if proxy in BASELINES:
        return "baseline"
    spec = PROXIES.get(proxy)
    return OTHER if spec is None else spec.group


def by_family(table: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    """Return the labels in the order of tables: as they are given, or if many, by family.

    Families stand in the order of the catalogue, baselines first and in their own order. In each,
    the largest mean |τ| over the usual targets that the table has, or over all, comes first.

    Args:
        table: the table of a ranking with a column ``label``.
        labels: the names of the score columns, baselines first.
    """
    if len(labels) <= MANY:
        return list(labels)
    usual = table["target"].isin(DEFAULT_TARGETS)
    rows = table.loc[usual] if usual.any() else table
    sizes = rows["tau"].abs().groupby(rows["label"]).mean().fillna(0).to_dict()
    proxies = dict(zip(table["label"], table["proxy"], strict=True))
    order = {name: place for place, name in enumerate((*GROUPS, OTHER))}
    place = {name: number for number, name in enumerate(labels)}

    def key(label: str) -> tuple[int, float, int]:
        name = family(proxies[label])
        return order[name], 0.0 if name == "baseline" else -sizes.get(label, 0.0), place[label]

    return sorted(labels, key=key)


def families(proxies: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the labels of each family, in their order.

    Args:
        proxies: the proxy of each label.
    """
    found: dict[str, list[str]] = {}
    for label, proxy in proxies.items():
        found.setdefault(family(proxy), []).append(label)
    return found


def some_of_each(proxies: Mapping[str, str], count: int) -> list[str]:
    """Return so many labels at most, the first of every family before the second of any.

    They stand in the order of the mapping.
    """
    groups = families(proxies).values()
    ranks = {label: place for group in groups for place, label in enumerate(group)}
    kept = set(sorted(proxies, key=lambda label: ranks[label])[:count])
    return [label for label in proxies if label in kept]
