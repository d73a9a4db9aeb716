"""Measured robust accuracies in the layout of the published data set.

Jung, Lukasik and Keuper, "Neural Architecture Design and Robustness: A Dataset", ICLR 2023:
``meta.json`` and ``<data set>/<key>_<accuracy|confidence|cm>.json`` holding
``d[data set][key][measure][id]``: one value for clean images, one for each ε of
``meta.json`` under an attack, one for each severity of a corruption. A confidence is an
object of ``label`` (mean probability of the true class) and ``prediction`` (of the predicted
one); the published confidence files were not at hand to compare. Values are not rounded.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.truths.export_folder import META, replaced_files
from evaluation.truths.targets import Target
from evaluation.truths.training_note import TRAINING, training_of
from testbed.basis.errors import ToolkitError
from testbed.files.replacing import replacing
from testbed.files.strict_json import parse_json
from testbed.images.names import SEVERITIES
from testbed.spaces.nasbench201.genotype import Genotype, GenotypeError, enumerate_space
from testbed.spaces.nasbench201.isomorphism import representatives

__all__ = ["ExportError", "Written", "write_truth"]

MEASURES = ("accuracy", "confidence", "cm")
CHOICES = ("init", "seed")


class ExportError(ToolkitError):
    """Results that the published layout cannot hold as they are."""


Record = dict[str, Any]  # a row of the table, its settings among its columns


@dataclass
class Written:
    """What an export wrote.

    Attributes:
        files: all of them.
        left_out: what the layout has no place for, and why, one sentence each.
    """

    files: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def write_truth(table: pd.DataFrame, folder: str | Path, images: str, **choose: object) -> Written:
    """Write the results on one image set into a folder, each file replaced as a whole.

    Args:
        table: as `testbed.store.read_robustness` returns it.
        folder: created if it is not there.
        images: the name of the image set, and of the data set in the layout.
        choose: columns of the table or of its settings, and the value that is meant, where
            results differ in it: ``seed=0``, ``mode="record"``. Results that have no such
            setting, clean ones for instance, stay.

    Raises:
        ExportError: if there is nothing to write, or several results for one place.
        TruthError: if the networks were not all trained in one way.
        InputError: if a name would lead out of the folder, or the folder holds files that this
            export would not replace and that would contradict it.
    """
    written, records = Written(), []
    for row in table.to_dict("records"):
        settings = parse_json(row["settings"], "settings", ExportError)
        record: Record = {**settings, **{str(k): v for k, v in row.items()}}
        if record["images"] == images and all(
            record.get(name, value) == value for name, value in choose.items()
        ):
            records.append(record)
    records = _with_ids(records, written)
    if not records:
        raise ExportError(f"no result of a NAS-Bench-201 network on {images} to be written")
    # Before the first file is written: one folder is of one training.
    training = training_of(records, str(folder))
    places = _by_place(records)
    epsilons: dict[str, list[float]] = {}
    for measure, _, level in places:
        if Target.of_measure(measure).is_attack and level not in epsilons.setdefault(measure, []):
            epsilons[measure].append(level)
    epsilons = {key: sorted(epsilons[key]) for key in sorted(epsilons)}
    root = Path(folder)
    contents = {
        f"{key}_{measure}.json": {images: {key: {measure: content}}}
        for key in sorted({measure for measure, _, _ in places})
        for measure, content in _contents(key, places, epsilons, written).items()
    }
    with replaced_files(root, images, contents, epsilons) as all_epsilons:
        written.files.append(_write(root / META, _meta(all_epsilons)))
        for name, content in contents.items():
            written.files.append(_write(root / images / name, content))
        written.files.append(_write(root / images / TRAINING, asdict(training)))
    return written


def _with_ids(records: list[Record], written: Written) -> list[Record]:
    ids: dict[str, int] = {}
    for network in dict.fromkeys(record["network"] for record in records):
        try:
            ids[network] = Genotype.parse(network).index
        except GenotypeError:
            written.left_out.append(f"{network} is no architecture of NAS-Bench-201")
    return [
        record | {"id": ids[record["network"]]} for record in records if record["network"] in ids
    ]


def _by_place(records: list[Record]) -> dict[tuple[str, int, float], Record]:
    """Return the records by (measure, id, level); clean images have level 0."""
    places: dict[tuple[str, int, float], Record] = {}
    for record in records:
        level = 0.0 if pd.isna(record["level"]) else float(record["level"])
        place = (record["measure"], record["id"], level)
        if place in places:
            other = places[place]
            names = [n for n in sorted(record.keys() & other.keys()) if n in CHOICES or n in
                     parse_json(record["settings"], "settings", ExportError)]  # fmt: skip
            differing = [
                f"{name} ({other[name]} or {record[name]})"
                for name in names
                if repr(record[name]) != repr(other[name])
            ]
            raise ExportError(
                f"two results compete for {place[0]} at {level:g} of network {place[1]}; they "
                f"differ in {', '.join(differing)}: choose one"
            )
        places[place] = record
    return places


def _contents(
    key: str, places: Mapping[tuple[str, int, float], Record],
    epsilons: Mapping[str, list[float]], written: Written,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    levels = [0.0] if key == "clean" else epsilons.get(key, list(map(float, SEVERITIES)))
    found: dict[str, dict[str, Any]] = {measure: {} for measure in MEASURES}
    for number in sorted({number for measure, number, _ in places if measure == key}):
        mine = [places[key, number, level] for level in levels if (key, number, level) in places]
        if len(mine) < len(levels):
            has = ", ".join(f"{float(record['level']):g}" for record in mine)
            written.left_out.append(
                f"{key} of network {number}: it has {has} of {', '.join(f'{v:g}' for v in levels)}"
            )
            continue
        found["accuracy"][str(number)] = _one_or_all(key, [r["accuracy"] for r in mine])
        if any(pd.isna(record["confusion"]) for record in mine):
            continue
        found["cm"][str(number)] = _one_or_all(key, [_matrix(r) for r in mine])
        found["confidence"][str(number)] = {
            # A mean of probabilities may exceed 1 by rounding.
            name: _one_or_all(key, [min(1.0, record[f"confidence_{name}"]) for record in mine])
            for name in ("label", "prediction")
        }
    return {measure: content for measure, content in found.items() if content}


def _matrix(record: Record) -> Any:
    return parse_json(record["confusion"], "confusion", ExportError)


def _one_or_all(key: str, values: list[Any]) -> Any:
    return values[0] if key == "clean" else values


def _meta(epsilons: Mapping[str, list[float]]) -> dict[str, Any]:
    ids = {
        str(number): {
            "isomorph": str(representatives()[number]), "nb201-string": str(genotype)
        }
        for number, genotype in enumerate(enumerate_space())
    }  # fmt: skip
    return {"ids": ids, "epsilons": dict(epsilons)}


def _write(path: Path, content: Mapping[str, Any]) -> Path:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")
    return path
