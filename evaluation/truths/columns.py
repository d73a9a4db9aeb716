"""The columns of a table of accuracies that others wrote: what they are called, and their cells."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from evaluation.attacks.names import ATTACKS
from evaluation.truths.facts import TruthError
from evaluation.truths.targets import CLEAN, MEANS, Target
from testbed.basis.errors import InputError, did_you_mean
from testbed.basis.foreign_text import described, quoted, shown
from testbed.images.names import CORRUPTIONS, EXTRAS, SEVERITIES
from testbed.store import StoreError
from testbed.store.columns import name_fault
from testbed.store.files import csv_columns, parquet_columns

__all__ = ["CALLED", "Cells", "is_results", "name_of", "read_cells", "seed_of", "target_of"]

# What each column is called, in small letters, with _ for blanks.
CALLED: dict[str, tuple[str, ...]] = {
    "network": ("network", "architecture", "arch", "genotype", "id"),
    "target": ("target",),
    "attack": ("attack", "measure", "corruption"),
    "norm": ("norm",),
    "level": ("epsilon", "eps", "ε", "level", "severity"),
    "accuracy": ("accuracy", "acc", "robust_accuracy"),
    "percent": ("accuracy_percent", "accuracy_(%)", "accuracy_%", "accuracy_in_%"),
    "fraction": ("accuracy_fraction",),
    "seed": ("seed",),
    "dataset": ("dataset", "data_set", "images"),
    "training": ("training",),
}
OF_RESULTS = {"measure", "robust", "settings"}  # an export of this toolkit's own table
LONGEST = 100  # letters of a target, or of a seed
BITS = 300  # of a whole number; Python refuses to write one of 15,000
CLEAN_WORDS = ("", "clean", "none")


@dataclass(frozen=True)
class Cells:
    """The cells of a table by meaning, see ``CALLED``; a meaning that it lacks has no entry.

    Attributes:
        columns: the cells.
        count: the number of rows.
    """

    columns: Mapping[str, Sequence[Any]]
    count: int

    def get(self, *meanings: str) -> Iterator[tuple[Any, ...]]:
        """Yield the cells of some meanings, row by row; None where the table lacks one."""
        nothing = [None] * self.count
        return zip(*(self.columns.get(meaning, nothing) for meaning in meanings), strict=True)


def read_cells(path: Path) -> Cells:
    """Read a CSV or Parquet file.

    Raises:
        TruthError: if it cannot be read, or lacks a column or has one in two spellings.
    """
    return _meant(_raw(path), path)


def is_results(path: Path) -> bool:
    """Say whether a table is an export of robust accuracies of this toolkit."""
    return set(_raw(path, only=())) >= OF_RESULTS


def _raw(path: Path, only: Sequence[str] | None = None) -> Mapping[str, Sequence[Any]]:
    if not path.is_file():
        said = "expected a file, found something else" if path.exists() else "there is no such file"
        raise TruthError(f"{path} cannot be read: {said}")
    try:
        if path.suffix == ".csv":
            return csv_columns(path)
        return parquet_columns(path, lambda name: only is None and bool(_meaning(name)))
    except (StoreError, OSError, csv.Error) as error:
        raise TruthError(f"{path} cannot be read: {error}") from error


def _meaning(header: str) -> str | None:
    word = "_".join(header.strip().lower().replace("[%]", "(%)").split())
    return next((meaning for meaning, words in CALLED.items() if word in words), None)


def _meant(raw: Mapping[str, Sequence[Any]], path: Path) -> Cells:
    headers: dict[str, str] = {}
    for header in raw:
        if (meaning := _meaning(header)) is None:
            continue
        if (other := headers.setdefault(meaning, header)) != header:
            raise TruthError(
                f"{path}: the columns {quoted(other)} and {quoted(header)} both say the {meaning}; "
                "expected one of them"
            )
    has = headers.keys()
    values = [name for name in ("accuracy", "percent", "fraction") if name in has]
    right = "network" in has and len(values) == 1 and len({"target", "attack"} & has) == 1
    if not right or ("target" in has and {"norm", "level"} & has):
        raise TruthError(
            f"{path}: expected the columns network, accuracy, and either target (FGSM@1, fog@3, "
            "clean) or attack with epsilon and perhaps norm, and if you have them seed, dataset "
            f"and training; found {shown(', '.join(map(str, raw))) or 'none'}"
        )
    columns = {meaning: list(raw[header]) for meaning, header in headers.items()}
    return Cells(columns, len(columns["network"]))


def name_of(cell: Any, where: str) -> str:
    """Return the name of a network: text, or a whole number.

    Raises:
        TruthError: if it is none.
    """
    whole = type(cell) is int and cell.bit_length() < BITS
    text = str(cell) if whole else cell.strip() if isinstance(cell, str) else None
    if text is None or (fault := name_fault(text)) is not None:
        expected = "a name or an id" if text is None else fault
        raise TruthError(f"{where}: expected {expected} as network, found {described(cell)}")
    return text


def seed_of(cell: Any, where: str) -> str:
    """Return a seed as text, 1.0 as 1; "" where there is none.

    Raises:
        TruthError: if it is no number and no short text.
    """
    text = _text(cell)
    if isinstance(cell, bool) or not isinstance(cell, int | float | str | None):
        raise TruthError(f"{where}: expected a seed, found {described(cell)}")
    if not text.isprintable() or len(text) > LONGEST:
        raise TruthError(f"{where}: expected a seed, found {quoted(text, 60)}")
    number = _number(text)
    whole = number is not None and math.isfinite(number) and number == int(number)
    if not whole:
        return text
    # A seed of 63 bits does not survive being a float.
    return str(int(text)) if text.isdecimal() else str(int(number or 0))


@lru_cache(maxsize=4096)
def _read_target(target: str, attack: str, norm: str, level: str) -> Target:
    return Target.parse(target) if target else _of_parts(attack, norm, level)


def target_of(target: Any, attack: Any, norm: Any, level: Any, where: str) -> Target:
    """Return what an accuracy is of, from the cell ``target``, or from the three others.

    Raises:
        TruthError: if it has another form, an attack lacks its ε, or ε seems to be one of pixels.
    """
    words = [_text(cell) for cell in (target, attack, norm, level)]
    for word in words:
        if not word.isprintable() or len(word) > LONGEST:
            raise TruthError(f"{where}: expected a target such as FGSM@1, found {quoted(word)}")
    try:
        found = _read_target(*words)
    except InputError as error:
        raise TruthError(f"{where}: {error}") from error
    if found.name in MEANS or found == CLEAN:
        return found
    if found.is_attack:
        if found.level is None:
            raise TruthError(f"{where}: expected an ε of {found}, such as {found}@1, found none")
        if (meant := found.meant) is not None:
            raise TruthError(
                f"{where}: expected an ε in units of 1/255, found {found.level:g}: of pixels in "
                f"[0, 1] that would be {meant}"
            )
        if found.norm == "Linf" and found.level > 255:
            raise TruthError(f"{where}: expected an ε from 0 to 255, found {found.level:g}")
        return found
    known = (*CORRUPTIONS, *EXTRAS)
    if found.name in known and found.level not in (None, *SEVERITIES):
        raise TruthError(f"{where}: expected a severity of 1 to 5, found {found.level:g}")
    hint = "" if found.name in known else did_you_mean(found.name, (*known, *_attack_words()))
    if hint:
        raise TruthError(
            f"{where}: {quoted(found.name)} is no attack and no corruption{hint}; an attack of "
            "your own is written with its norm, such as patch@Linf@4"
        )
    return found


def _of_parts(name: str, norm: str, level: str) -> Target:
    if name.lower() in CLEAN_WORDS:
        if level and _number(level) != 0:
            raise InputError(f"expected an attack at ε = {shown(level)}, found none")
        return CLEAN
    if "@" in name:  # a key of the published files: its norm stands in it
        return Target.parse(f"{name}@{level}" if level else name)
    return Target.parse("@".join([name, *([norm] if norm else []), *([level] if level else [])]))


def _attack_words() -> list[str]:
    return [CLEAN.name, *MEANS] + [word for record in ATTACKS.values() for word in record.words]


def _text(cell: Any) -> str:
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, float) and math.isfinite(cell) and cell == int(cell):
        return str(int(cell))
    if isinstance(cell, int) and cell.bit_length() > BITS:
        return repr(float("inf"))
    return str(cell).strip()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
