"""What a command that was killed has kept, and whether what it made in the end is the same."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from testbed.store import Store

__all__ = ["faults_of_end", "faults_of_stores", "kept", "made"]

# Times, and what is drawn of them; all else of two runs is the same, figures included.
OF_TIME = {"seconds", "started", "finished", "run"}
NO_RESULTS = (".lock", ".progress", ".log", "-journal", "-seconds.png")
MADE_ON = re.compile(r"\d{4}-\d\d-\d\d, robustness-proxies")
TABLES = ("scores", "robustness")


def made(folder: Path) -> dict[str, str]:
    """Return what stands in a folder of results: the digest of each file or row, times aside."""
    found = {}
    for path in _results(folder):
        name = str(path.relative_to(folder))
        if path.suffix == ".sqlite":
            found |= {f"{name}: {row}": value for row, value in _rows(path)}
        else:
            found[name] = _content(path)
    return found


def _results(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith(NO_RESULTS):
            yield path


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    with Store(path, "r") as store:
        tables = {"scores": store.scores(), "robustness": store.robustness()}
        failures = len(store.failures())
    for name, rows in tables.items():
        # By position, so that a row that stands twice is another table.
        for number, row in enumerate(rows.drop(columns=[*OF_TIME & {*rows}]).to_dict("records")):
            yield f"{name} {number}", repr(sorted(row.items()))
    yield "failures", str(failures)


def _content(path: Path) -> str:
    if path.suffix == ".json":
        return json.dumps(_without_times(json.loads(path.read_text())), sort_keys=True)
    if path.suffix in (".parquet", ".csv"):
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        return table.drop(columns=[*OF_TIME & {*table}]).to_csv()
    content = path.read_bytes()
    if path.suffix == ".html":
        content = MADE_ON.sub("", content.decode()).encode()
    return hashlib.sha256(content).hexdigest()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(one) for name, one in value.items() if name not in OF_TIME}
    return value


def faults_of_stores(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the files of results, as ``store check`` says it."""
    for path in folder.rglob("*.sqlite"):
        with Store(path, "r") as store:
            yield from (f"{path.name}: {fault}" for fault in store.faults())


def kept(folder: Path) -> dict[str, str]:
    """Return the finished rows and files that must be there, and the same, in the end.

    Of a row its run and its seconds are a part: one that is computed anew has others.
    """
    found = {}
    for path in folder.rglob("*.sqlite"):
        with Store(path, "r") as store:
            for name in TABLES:
                for row in getattr(store, name)().to_dict("records"):
                    facts = {column: row.pop(column) for column in ("run", "seconds")}
                    found[f"{path.name} {name} {sorted(row.items())!r}"] = repr(facts)
    for path in folder.rglob("*.safetensors"):
        if path.with_suffix(".json").exists():
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def faults_of_end(
    folder: Path, expected: Mapping[str, str], before: Mapping[str, str]
) -> Iterator[str]:
    """Yield what is wrong with what stands in a folder when the last run has ended.

    Args:
        folder: of the runs.
        expected: of an undisturbed run, see `made`.
        before: what had been finished when runs were killed, see `kept`.
    """
    yield from faults_of_stores(folder)
    found, now = made(folder), kept(folder)
    for name in sorted({*expected} | {*found}):
        if found.get(name) != expected.get(name):
            got = (found.get(name) or "nothing")[:300]
            yield f"{name}: {got}, and not {(expected.get(name) or 'nothing')[:300]}"
    lost = [name for name, facts in before.items() if now.get(name) != facts]
    if lost:
        yield f"{len(lost)} finished results were lost or made again: {lost[0][:300]}"
    stray = [path.name for path in folder.rglob(".*.tmp")]
    if stray:
        yield f"leaves {stray}"
