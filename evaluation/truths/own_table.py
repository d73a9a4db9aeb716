"""Anybody's accuracies, from a CSV or Parquet file, as a truth.

Columns are named as `evaluation.truths.columns` says. Accuracies are percent or fractions, the
same for the whole file: percent where its largest is above 1. Where one target never exceeds 1 and
another does, or a clean accuracy of at most 1 % stands among others in percent, it could be both,
and the file is refused; a column called ``accuracy_percent`` or ``accuracy_fraction`` says which.
"""

import math
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from evaluation.truths.choosing import conditions
from evaluation.truths.columns import Cells, is_results, name_of, read_cells, seed_of, target_of
from evaluation.truths.facts import UNKNOWN, Training, TruthError, TruthFacts, one_training
from evaluation.truths.networks import recognised
from evaluation.truths.results import open_results
from evaluation.truths.table import TableTruth
from evaluation.truths.targets import CLEAN, Target
from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described, quoted, shown
from testbed.basis.ranges import FRACTION, PERCENT

__all__ = ["open_table"]

CHOOSE = "choose by --truth-where training=normal for instance, or give each a file of its own"
Row = tuple[str, Target, str, float, Training]


def open_table(
    path: str | Path, dataset: str, where: Sequence[str] = (), space: str | None = None
) -> TableTruth:
    """Read a table of accuracies, or an export of this toolkit's own.

    Args:
        path: ending in ``.csv`` or ``.parquet``.
        dataset: of the accuracies; rows of other ones are left out where the table names them.
        where: ``training=…`` or ``seed=…``; of an export see
            :func:`~evaluation.truths.results.open_results`.
        space: see :func:`~evaluation.truths.networks.recognised`.

    Raises:
        TruthError: if a column or a cell is not what it should be, networks are of two spaces or
            trainings, or an accuracy is there twice.
    """
    path = Path(path)
    if is_results(path):
        return open_results(path, dataset, where, space)
    cells = read_cells(path)
    kept, named = _of_dataset(cells, dataset, path)
    rows = _chosen(_rows(cells, kept, path), where, path)
    unit, said = _unit(cells, rows, path)
    training = one_training((row[4] for row in rows), str(path), CHOOSE)
    networks = recognised([row[0] for row in rows], str(path), space)
    entries = [(networks.names[n], t.key, s, _fraction(a, unit)) for n, t, s, a, _ in rows]
    missing = sum(math.isnan(entry[3]) for entry in entries)
    taken = f"The table does not name its data set: {shown(dataset)} is taken."
    notes = [said, "" if named else taken]
    if missing:
        notes.append(f"{missing:,} of its accuracies are missing or not finite, and are undefined.")
    facts = TruthFacts(
        f"the table {path.name}", training, networks.population, networks.space,
        tuple(filter(None, notes)),
    )  # fmt: skip
    return TableTruth.of(entries, path, dataset, facts, networks)


def _of_dataset(cells: Cells, dataset: str, path: Path) -> tuple[set[int], bool]:
    """Return the rows of a data set, and whether the table names it."""
    if "dataset" not in cells.columns:
        return set(range(cells.count)), False
    names = ["" if cell is None else str(cell).strip() for (cell,) in cells.get("dataset")]
    rows = {i for i, name in enumerate(names) if _plain(name) == _plain(dataset)}
    if not rows:
        there = ", ".join(dict.fromkeys(names)) or "no row"
        raise TruthError(f"no data set {quoted(dataset)} in {path}; there: {shown(there)}")
    return rows, True


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _rows(cells: Cells, kept: set[int], path: Path) -> list[Row]:
    (value,) = {"accuracy", "percent", "fraction"} & cells.columns.keys()
    meanings = ("network", "target", "attack", "norm", "level", "seed", value, "training")
    rows = []
    for i, row in enumerate(cells.get(*meanings)):
        if i in kept:
            network, target, attack, norm, level, seed, accuracy, training = row
            where = f"{path}, row {i + 1}"
            name, of = name_of(network, where), target_of(target, attack, norm, level, where)
            number, trained = _number(accuracy, where), _training(training, where)
            rows.append((name, of, seed_of(seed, where), number, trained))
    return rows


def _training(cell: Any, where: str) -> Training:
    if cell is None or cell != cell or not str(cell).strip():
        return UNKNOWN
    try:
        return Training.parse(str(cell))
    except InputError as error:
        raise TruthError(f"{where}: {error}") from error


def _number(cell: Any, where: str) -> float:
    """Return an accuracy as it stands there; NaN where it is missing or not finite."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return math.nan
    plain = not isinstance(cell, str) or (cell.isascii() and "_" not in cell)
    try:
        if isinstance(cell, bool) or not isinstance(cell, int | float | str) or not plain:
            raise ValueError
        number = float(cell)
    except (ValueError, OverflowError):
        raise TruthError(f"{where}: expected an accuracy, found {described(cell)}") from None
    return number if math.isfinite(number) else math.nan


def _chosen(rows: list[Row], where: Sequence[str], path: Path) -> list[Row]:
    for key, values in conditions(where).items():
        if key not in ("seed", "training"):
            raise TruthError(
                f"{path}: unknown key {quoted(key)} in --truth-where; of a table expected seed or "
                "training"
            )
        if key == "seed":
            wanted = {seed_of(value, "--truth-where") for value in values}
            rows = [row for row in rows if row[2] in wanted]
        else:
            trainings = {_training(value, "--truth-where") for value in values}
            rows = [
                row for row in rows
                if row[4] in trainings or (row[4].adversarial and Training(True) in trainings)
            ]  # fmt: skip
        if not rows:
            raise TruthError(f"{path}: no accuracy has {key}={shown(','.join(values))}")
    return rows


def _unit(cells: Cells, rows: list[Row], path: Path) -> tuple[str, str]:
    """Return ``percent`` or ``fraction``, and a sentence where it was found out."""
    number = itemgetter(3)
    finite = [row for row in rows if not math.isnan(row[3])]
    if not finite:
        raise TruthError(f"{path}: expected accuracies, found none that is finite")
    largest, smallest = max(finite, key=number), min(finite, key=number)
    said, unit = "", next((u for u in ("percent", "fraction") if u in cells.columns), "")
    if not unit:
        unit = "fraction" if largest[3] <= 1 else "percent"
        if unit == "percent":
            _refuse_mixture(finite, largest, path)
            said = f"Its accuracies are read as percent: the largest is {largest[3]:g}."
            small = sum(0 < row[3] <= 1 for row in finite)
            if small:
                said = f"{said[:-1]}, and {small} of {len(finite)} are at most 1 %."
    allowed = FRACTION if unit == "fraction" else PERCENT
    for row in (largest, smallest):
        if not allowed.holds(row[3]):
            raise TruthError(
                f"{path}: expected {allowed.words}, found {row[3]:g} of {row[1]} of {shown(row[0])}"
            )
    return unit, said


def _refuse_mixture(rows: list[Row], largest: Row, path: Path) -> None:
    found: dict[Target, list[float]] = {}
    for _, target, _, value, _ in rows:
        found.setdefault(target, []).append(value)
    for target, values in found.items():
        small = [value for value in values if 0 < value <= 1]
        if small and (target == CLEAN or max(values) <= 1):
            raise TruthError(
                f"{path}: {target} has {small[0]:g} and {largest[1]} has {largest[3]:g}: are they "
                "percent or fractions? Give all in one unit, in a column called accuracy_percent "
                "or accuracy_fraction"
            )


def _fraction(value: float, unit: str) -> float:
    # Ties stay ties: the same decimal gives the same number.
    return value if unit == "fraction" else round(value / 100, 12)
