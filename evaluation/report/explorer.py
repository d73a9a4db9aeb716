"""The data of the page's explorer: every network's scores, accuracies and cell, in base64."""

import base64
import json
from typing import Any

import numpy as np
import pandas as pd

from evaluation.report.figures.operations import COLOURS, NAMES, OPERATIONS
from evaluation.report.figures.scatter import linear_below, subtitle
from evaluation.report.figures.style import BLUE
from evaluation.report.gallery import key_targets
from evaluation.report.names import plain
from evaluation.report.statistics import shown_targets
from evaluation.report.study import ReportNumbers
from evaluation.report.words import records

__all__ = ["SCALE", "UNKNOWN", "as_script", "explorer"]

SCALE, UNKNOWN = 60_000, 65_535  # an accuracy is a 16-bit number of 1/60,000; or not known


def explorer(study: ReportNumbers) -> dict[str, Any] | None:
    """Return what the page's script needs, as JSON values; None for networks it cannot draw.

    It draws the one cell of NAS-Bench-201, whose networks go by number.

    The networks are all of the truth. Numbers are little-endian arrays: ``ids`` in uint16,
    ``operations`` in six uint8 for each network, ``live`` in one bit for each edge, ``targets``
    in uint16, and ``scores`` in the upper three bytes of float32 (NaN outside the sample), or in
    float64 where they exceed it. Of many scores, the targets are those of the page's tables.
    """
    if not study.roster.by_number or study.roster.space is None:
        return None
    ids, space = study.accuracies.index, study.roster.space
    cells = [space.cells(space.numbered(i))[0] for i in ids.to_list()]
    operations = [OPERATIONS.index(o) for cell in cells for _, _, o in cell.edges]
    tau: dict[str, dict[str, str]] = {}
    key, targets = key_targets(study), shown_targets(study)
    told = study.table
    if len(told):
        told = told.loc[told["target"].isin(targets)]
    for row in records(told):
        tau.setdefault(row["label"], {})[row["target"]] = subtitle(row)
    best = study.accuracies[key[-1]].idxmax()
    return {
        "ids": _packed(ids.to_numpy(), "<u2"),
        "operations": _packed(operations, "u1"),
        "live": _packed([sum(on << edge for edge, on in enumerate(c.live)) for c in cells], "u1"),
        "edges": [edge[:2] for edge in cells[0].edges],
        "operation_list": [
            {"id": o, "name": NAMES[o], "colour": _themed(COLOURS[o])} for o in OPERATIONS
        ],
        "scale": SCALE,
        "targets": {name: _accuracies(study.accuracies[name]) for name in targets},
        "names": {name: plain(name) for name in targets},
        "scores": {
            label: _scores(study.values[label].reindex(ids).to_numpy(dtype=float))
            for label in study.labels
        },
        "linear_below": {label: linear_below(study.values[label]) for label in study.labels},
        "tau": tau,
        "first": int(str(best)),
        "first_target": key[min(1, len(key) - 1)],
        "shown": key,
    }


def as_script(data: dict[str, Any] | None) -> str:
    """Return JSON that may stand inside a ``<script>`` element."""
    return json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")


def _themed(colour: str) -> str:
    return "var(--blue)" if colour == BLUE else colour


def _accuracies(values: pd.Series) -> str:
    scaled = (values * SCALE).round().fillna(UNKNOWN)
    return _packed(scaled.to_numpy(), "<u2")


def _scores(values: np.ndarray) -> str:
    """Return scores in three bytes each: float32 without its last eight bits, or float64.

    The error is 1.5e-5 at most, and a page of sixty proxies loses half a megabyte.
    """
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    single = np.finfo(np.float32)
    if len(sizes) and not (single.tiny <= sizes.min() and sizes.max() < single.max / 2):
        return _packed(values, "<f8")
    known = values[~np.isnan(values)]
    if (known == np.rint(known)).all():  # counts are shown to the last digit
        return _packed(values, "<f4")
    bits = np.asarray(values).astype("<f4").view("<u4")
    # Rounded, not cut; NaN has a bit among the first 24 that this leaves.
    rounded = np.where(np.isnan(values), bits, bits + 0x80)
    return _packed(rounded.astype("<u4").view("u1").reshape(-1, 4)[:, 1:], "u1")


def _packed(numbers: Any, kind: str) -> str:
    return base64.b64encode(np.asarray(numbers).astype(kind).tobytes()).decode("ascii")
