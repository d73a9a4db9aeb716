"""NAS-Bench-Suite-Zero: scores of 13 proxies that others computed, as a table of scores.

Krishnakumar, White, Zela, Tu, Safari and Hutter, NeurIPS 2022 (Datasets and Benchmarks).
``zc_nasbench201.json`` holds ``d[data set][key][proxy] = {"score": …, "time": …}``, and under
``val_accuracy`` the trained accuracy, which is no score; what is no object with a number
``score`` is none either: some copies hold an index or the architecture beside them. A key such
as "(4, 0, 3, 1, 4, 3)" lists operations by number, edge by edge in an order of its own, source by
source: 0→1, 0→2, 0→3, 1→2, 1→3, 2→3.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from testbed.basis.foreign_text import described, quoted, shown
from testbed.basis.ranges import SECONDS
from testbed.files.strict_json import MOST_OF_DATA, read_json
from testbed.spaces import registry
from testbed.store import StoreError, read_scores
from testbed.store.gate import checked
from testbed.store.scores import SCORES

__all__ = ["read_any_scores", "read_suite_zero"]

KEY = re.compile(r"\(\s*[0-4](?:\s*,\s*[0-4]){5}\s*\)")
SETTINGS = '{"source":"NAS-Bench-Suite-Zero"}'
# What the authors' code stores where a proxy failed.
FAILED = -1e8
NO_NUMBER = "no number in the file"


def read_any_scores(path: str | Path, dataset: str = "cifar10") -> pd.DataFrame:
    """Return the scores of a results file, an export, or NAS-Bench-Suite-Zero's JSON.

    Args:
        path: ``.json`` for the latter, else as for :func:`testbed.store.read_scores`.
        dataset: of the JSON: the images that the scores were computed on.

    Raises:
        StoreError: if the file cannot be read, or is laid out otherwise.
    """
    path = Path(path)
    return read_suite_zero(path, dataset) if path.suffix == ".json" else read_scores(path)


def read_suite_zero(path: str | Path, dataset: str = "cifar10") -> pd.DataFrame:
    """Return the scores of one data set, in the columns of ``read_scores``.

    A score that is not finite, or is the authors' −1e8, is undefined, and says so. The seed
    is missing: each score was computed once.

    Raises:
        StoreError: if the file is missing, not JSON or laid out otherwise, or has no such
            data set.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"there is no file {path}")
    # The authors' code writes NaN where a proxy failed.
    content = read_json(path, StoreError, constants=True, most=MOST_OF_DATA)
    if not isinstance(content, dict) or dataset not in content:
        there = shown(", ".join(content)) if isinstance(content, dict) else described(content)
        raise StoreError(
            f"{path}: no data set {dataset!r} at the top level, as NAS-Bench-Suite-Zero's "
            f"zc_nasbench201.json has; there: {there or 'none'}"
        )
    table = content[dataset]
    if not isinstance(table, dict) or not table:
        said = described(table)
        raise StoreError(f"{path}: expected architectures at [{dataset!r}], found {said}")
    rows = _rows(table, f"{path}: [{dataset!r}]")
    # What is a number for no network is no proxy.
    proxies = {row["proxy"] for row in rows if row["reason"] != NO_NUMBER}
    if not proxies:
        raise StoreError(
            f"{path}: no entry of [{dataset!r}] is a score, an object with a number 'score'; "
            f"the first architecture has {described(next(iter(table.values())))}"
        )
    kept = [row | {"images": dataset} for row in rows if row["proxy"] in proxies]
    columns = {name: [row.get(name) for row in kept] for name in SCORES.types}
    try:
        return checked(SCORES.frame(columns), SCORES)
    except StoreError as error:
        raise StoreError(f"{path} cannot be read: {error}") from error


def _rows(table: dict[str, Any], where: str) -> list[dict[str, Any]]:
    rows, keys = [], {}
    for key, entry in table.items():
        place = f"{where}[{quoted(key)}]"
        network = _network(key, place)
        if (other := keys.setdefault(network, key)) != key:
            raise StoreError(f"{place} is the architecture of {quoted(other)} once more")
        if not isinstance(entry, dict):
            raise StoreError(f"{place}: expected proxies, found {described(entry)}")
        for proxy, score in entry.items():
            if proxy != "val_accuracy" and isinstance(score, dict) and "score" in score:
                said = f"{place}[{quoted(proxy)}]"
                rows.append(_row(score, said) | {"network": network, "proxy": proxy})
    return rows


def _network(key: str, where: str) -> str:
    if not KEY.fullmatch(key):
        raise StoreError(
            f"{where}: expected six operations 0 to 4, such as '(4, 0, 3, 1, 4, 3)', as key"
        )
    space = registry.get("nasbench201")
    return space.name(space.parse(key.strip()))


def _row(entry: dict[str, Any], where: str) -> dict[str, Any]:
    """Return what a score's entry says: value or reason, and seconds."""
    score, seconds = entry["score"], entry.get("time")
    number = type(score) in (int, float)
    defined = number and abs(score) < float("inf") and score != FAILED
    if type(seconds) not in (int, float) or seconds != seconds:
        seconds = None
    elif not SECONDS.holds(seconds):
        raise StoreError(f"{where}: expected {SECONDS.words} as 'time', found {described(seconds)}")
    return {
        "init": "random",
        "settings": SETTINGS,
        "value": score if defined else None,
        "reason": None if defined else f"{score:g} in the file" if number else NO_NUMBER,
        "seconds": seconds,
        "details": "{}",
    }
