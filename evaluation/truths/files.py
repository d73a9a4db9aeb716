"""The files of a published truth: read, checked, and refused with the reason.

The layout is that of "Neural Architecture Design and Robustness: A Dataset" (Jung,
Lukasik and Keuper, ICLR 2023): ``meta.json`` with the architectures and the ε lists,
and ``<data set>/<key>_<measure>.json`` holding ``d[data set][key][measure][id]``.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.truths.facts import TruthError
from testbed.basis.foreign_text import described, quoted
from testbed.basis.ranges import EPSILON, FRACTION, first_twice
from testbed.files.strict_json import MOST_OF_DATA, read_json
from testbed.spaces.nasbench201.genotype import Genotype, GenotypeError
from testbed.spaces.nasbench201.isomorphism import representatives

__all__ = [
    "TruthError",
    "confidences",
    "confusion_matrices",
    "fractions",
    "published_id",
    "read_meta",
    "read_table",
]


MOST_IMAGES = 2**40  # of one class: their sum fits into 64 bits


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
    meta = read_json(path, TruthError, constants=True)
    ids = _entry(meta, "ids", path, "the top level")
    epsilons = _entry(meta, "epsilons", path, "the top level")
    if not isinstance(ids, dict) or not isinstance(epsilons, dict):
        raise TruthError(f"{path}: expected objects under 'ids' and 'epsilons'")
    for name, values in epsilons.items():
        _check_epsilons(values, name, f"{path}: ['epsilons'][{quoted(name)}]")
    for word, entry in ids.items():
        _check_identity(word, entry, path)
    return frozenset(map(int, ids)), {key: tuple(map(float, e)) for key, e in epsilons.items()}


def _check_epsilons(values: Any, name: str, where: str) -> None:
    if not isinstance(values, list) or not values:
        raise TruthError(f"{where}: expected a list of numbers, found {described(values)}")
    most = 255.0 if name.endswith("@Linf") else math.inf  # in ℓ∞, the range of a pixel
    for value in values:
        if not EPSILON.holds(value) or value > most:
            upper = f" to {most:g}" if most < math.inf else ""
            raise TruthError(f"{where}: expected {EPSILON.words}{upper}, found {described(value)}")
    if (twice := first_twice(values)) is not None:
        raise TruthError(f"{where}: expected each ε once, found {twice:g} twice")


def _check_identity(word: str, entry: Any, path: Path) -> None:
    number, where = published_id(word, path), f"['ids'][{quoted(word)}]"
    string = _entry(entry, "nb201-string", path, where)
    isomorph = _entry(entry, "isomorph", path, where)
    try:
        expected = str(Genotype.from_index(number))
    except GenotypeError as error:
        raise TruthError(f"{path}: {error}") from error
    if string != expected:
        raise TruthError(f"{path}: id {word} should be {expected}, found {described(string, 200)}")
    if isomorph != str(representatives()[number]):
        raise TruthError(
            f"{path}: the isomorph of id {word} should be '{representatives()[number]}', "
            f"found {described(isomorph)}"
        )


def read_table(
    path: Path, dataset: str, key: str, measure: str, ids: frozenset[int]
) -> dict[int, Any]:
    """Return ``d[dataset][key][measure]`` with whole ids, ascending, values unchecked.

    Raises:
        TruthError: if the file is not JSON or not laid out as published, is empty, or has
            an id outside ``ids``.
    """
    table = read_json(path, TruthError, constants=True, most=MOST_OF_DATA)
    where = "the top level"
    for depth, step in enumerate((dataset, key, measure)):
        table = _entry(table, step, path, where)
        where = "".join(f"[{s!r}]" for s in (dataset, key, measure)[: depth + 1])
    if not isinstance(table, dict) or not table:
        raise TruthError(f"{path}: expected an object of architecture ids at {where}")
    values = {published_id(word, path): value for word, value in table.items()}
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
            raise TruthError(f"{path}: id {number}: expected {wanted}, found {described(value)}")
        if columns is not None and len(row) != columns:
            raise TruthError(
                f"{path}: id {number}: expected {columns} values (one for each ε of meta.json, "
                f"or one for each severity of a corruption), found {len(row)}"
            )
        rows.append(row)
    values = np.array(rows, dtype=np.float64)
    # Negated, so that NaN is refused as well.
    bad = np.argwhere(~((values >= FRACTION.least) & (values <= FRACTION.most)))
    if len(bad):
        i, j = bad[0]
        raise TruthError(
            f"{path}: id {list(table)[i]}: accuracy {values[i, j]:g} is outside [0, 1]"
        )
    return values


def confidences(table: dict[int, Any], part: str, path: Path) -> dict[int, Any]:
    """Return the confidences of one part, ``label`` or ``prediction``, values unchecked.

    Raises:
        TruthError: naming the first id that has not both.
    """
    for number, entry in table.items():
        if not isinstance(entry, dict) or part not in entry:
            raise TruthError(
                f"{path}: id {number}: expected an object with label and prediction, found "
                f"{described(entry)}"
            )
    return {number: entry[part] for number, entry in table.items()}


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
        except (ValueError, OverflowError):  # ragged rows, or numbers of many bits
            matrix = np.empty(0)
        wanted = () if columns is None else (columns,)
        size = matrix.shape[-1:]
        if not size or matrix.shape != (*wanted, *size, *size):
            form = "a square matrix" if columns is None else f"{columns} square matrices"
            found = matrix.shape if matrix.size else described(value)
            raise TruthError(f"{path}: id {number}: expected {form} (K, K), found {found}")
        if matrices and matrix.shape != matrices[0].shape:
            raise TruthError(
                f"{path}: id {number}: shape {matrix.shape} differs from {matrices[0].shape} before"
            )
        whole = matrix.dtype.kind in "iu" and (matrix >= 0).all() and (matrix < MOST_IMAGES).all()
        # NumPy counts True as 1.
        whole = whole and set(map(type, np.asarray(value, dtype=object).flat)) == {int}
        if not whole or (matrix.sum(axis=(-2, -1)) == 0).any():
            raise TruthError(f"{path}: id {number}: expected counts of images, at least one")
        matrices.append(matrix)
    return np.stack(matrices)


def _entry(table: Any, key: str, path: Path, where: str) -> Any:
    if isinstance(table, dict) and key in table:
        return table[key]
    raise TruthError(f"{path}: expected the key {key!r} at {where}, found {described(table)}")


def published_id(word: str, path: Path, where: str = "") -> int:
    """Return the published id that a key of a file is, in its one spelling, 0 to 15624.

    Raises:
        TruthError: of any other, "05", "+5" and digits of other scripts among them: the same
            network could stand in the file twice.
    """
    known = len(representatives())
    if word.isascii() and word.isdecimal() and len(word) <= len(str(known)):
        number = int(word)
        if str(number) == word and number < known:
            return number
    place = f" at {where}" if where else ""
    raise TruthError(
        f"{path}: {quoted(word, 60)}{place} is not an architecture id: expected 0 to {known - 1}"
    )


def _are_numbers(values: list) -> bool:
    return all(type(value) in (int, float) for value in values)
