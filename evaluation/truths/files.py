"""The files of a published truth: read, checked, and refused with the reason.

The layout is that of "Neural Architecture Design and Robustness: A Dataset" (Jung,
Lukasik and Keuper, ICLR 2023): ``meta.json`` with the architectures and the ε lists,
and ``<data set>/<key>_<measure>.json`` holding ``d[data set][key][measure][id]``.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from testbed.basis.errors import ToolkitError
from testbed.spaces.nasbench201.genotype import Genotype, GenotypeError
from testbed.spaces.nasbench201.isomorphism import representatives

__all__ = [
    "TruthError",
    "brief",
    "confusion_matrices",
    "fractions",
    "read_json",
    "read_meta",
    "read_table",
]


class TruthError(ToolkitError):
    """A folder that is not the published layout, or a part that it does not have."""


def read_meta(root: Path) -> tuple[frozenset[int], dict[str, tuple[float, ...]]]:
    """Return the ids that ``meta.json`` lists, and the ε of each attack in units of 1/255.

    Raises:
        TruthError: if it is missing, is not JSON or not laid out as published, or gives an
            id another architecture or representative than the NAS-Bench-201 space does.
    """
    path = root / "meta.json"
    if not root.is_dir():
        raise TruthError(f"no folder {root}; the truth is a folder that holds meta.json")
    if not path.is_file():
        raise TruthError(f"no meta.json in {root}: is this the folder of the robustness data?")
    meta = read_json(path)
    ids = _entry(meta, "ids", path, "the top level")
    epsilons = _entry(meta, "epsilons", path, "the top level")
    if not isinstance(ids, dict) or not isinstance(epsilons, dict):
        raise TruthError(f"{path}: expected objects under 'ids' and 'epsilons'")
    for name, values in epsilons.items():
        if not isinstance(values, list) or not values or not _are_numbers(values):
            raise TruthError(f"{path}: expected a list of numbers under ['epsilons'][{name!r}]")
    for word, entry in ids.items():
        _check_identity(word, entry, path)
    return frozenset(map(int, ids)), {key: tuple(map(float, e)) for key, e in epsilons.items()}


def _check_identity(word: str, entry: Any, path: Path) -> None:
    number, where = _id(word, path), f"['ids'][{word!r}]"
    string = _entry(entry, "nb201-string", path, where)
    isomorph = _entry(entry, "isomorph", path, where)
    try:
        expected = str(Genotype.from_index(number))
    except GenotypeError as error:
        raise TruthError(f"{path}: {error}") from error
    if string != expected:
        raise TruthError(f"{path}: id {word} should be {expected}, found {string!r}")
    if isomorph != str(representatives()[number]):
        raise TruthError(
            f"{path}: the isomorph of id {word} should be '{representatives()[number]}', "
            f"found {isomorph!r}"
        )


def read_table(
    path: Path, dataset: str, key: str, measure: str, ids: frozenset[int]
) -> dict[int, Any]:
    """Return ``d[dataset][key][measure]`` with whole ids, ascending, values unchecked.

    Raises:
        TruthError: if the file is not JSON or not laid out as published, is empty, or has
            an id outside ``ids``.
    """
    table, where = read_json(path), "the top level"
    for depth, step in enumerate((dataset, key, measure)):
        table = _entry(table, step, path, where)
        where = "".join(f"[{s!r}]" for s in (dataset, key, measure)[: depth + 1])
    if not isinstance(table, dict) or not table:
        raise TruthError(f"{path}: expected an object of architecture ids at {where}")
    values = {_id(word, path): value for word, value in table.items()}
    if unknown := sorted(values.keys() - ids):
        raise TruthError(
            f"{path}: {len(unknown)} ids are not in meta.json, the first is {unknown[0]}"
        )
    return dict(sorted(values.items()))


def fractions(table: dict[int, Any], path: Path, columns: int | None) -> np.ndarray:
    """Return accuracies in [0, 1] as (n, columns); a plain number each if columns is None.

    Raises:
        TruthError: naming the first id that has another number of values, or a bad one.
    """
    rows = []
    for number, value in table.items():
        row = [value] if columns is None else value
        if not isinstance(row, list) or not _are_numbers(row):
            wanted = "a number" if columns is None else f"a list of {columns} numbers"
            raise TruthError(f"{path}: id {number}: expected {wanted}, found {brief(value)}")
        if columns is not None and len(row) != columns:
            raise TruthError(
                f"{path}: id {number}: expected {columns} values (one for each ε of meta.json, "
                f"or one for each severity of a corruption), found {len(row)}"
            )
        rows.append(row)
    values = np.array(rows, dtype=np.float64)
    # Negated, so that NaN (which Python's JSON reader accepts) is refused as well.
    bad = np.argwhere(~((values >= 0) & (values <= 1)))
    if len(bad):
        i, j = bad[0]
        raise TruthError(
            f"{path}: id {list(table)[i]}: accuracy {values[i, j]:g} is outside [0, 1]"
        )
    return values


def confusion_matrices(table: dict[int, Any], path: Path, columns: int | None) -> np.ndarray:
    """Return confusion matrices as (n, K, K), or (n, columns, K, K) if columns is given.

    Raises:
        TruthError: naming the first id whose matrices are not square counts of images, or
            differ in size or number from those of the first id.
    """
    matrices: list[np.ndarray] = []
    for number, value in table.items():
        try:
            matrix = np.asarray(value)
        except ValueError:  # ragged rows
            matrix = np.empty(0)
        wanted = () if columns is None else (columns,)
        size = matrix.shape[-1:]
        if not size or matrix.shape != (*wanted, *size, *size):
            form = "a square matrix" if columns is None else f"{columns} square matrices"
            found = matrix.shape if matrix.size else brief(value)
            raise TruthError(f"{path}: id {number}: expected {form} (K, K), found {found}")
        if matrices and matrix.shape != matrices[0].shape:
            raise TruthError(
                f"{path}: id {number}: shape {matrix.shape} differs from {matrices[0].shape} before"
            )
        whole = matrix.dtype.kind in "iu" and (matrix >= 0).all()
        if not whole or (matrix.sum(axis=(-2, -1)) == 0).any():
            raise TruthError(f"{path}: id {number}: expected counts of images, at least one")
        matrices.append(matrix)
    return np.stack(matrices)


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        TruthError: saying where, if it cannot be read or is not JSON.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise TruthError(
            f"{path} is not JSON, or cut short: {error.msg} at line {error.lineno}, column "
            f"{error.colno} (character {error.pos} of {len(error.doc)})"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise TruthError(f"{path} cannot be read: {error}") from error


def _entry(table: Any, key: str, path: Path, where: str) -> Any:
    if isinstance(table, dict) and key in table:
        return table[key]
    raise TruthError(f"{path}: expected the key {key!r} at {where}, found {brief(table)}")


def _id(word: str, path: Path) -> int:
    if not word.isdecimal() or str(int(word)) != word:
        raise TruthError(f"{path}: {word!r} is not an architecture id (a whole number)")
    return int(word)


def _are_numbers(values: list) -> bool:
    return all(type(value) in (int, float) for value in values)


def brief(value: Any) -> str:
    """Return what a message shows of a value that was not expected."""
    if isinstance(value, dict):
        shown = ", ".join(repr(key) for key in list(value)[:4])
        return f"the keys {shown}{', …' if len(value) > 4 else ''}" if value else "no keys"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
