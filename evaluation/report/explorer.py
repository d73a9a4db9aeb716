"""The data of the page's explorer: every network's scores, accuracies and cell, in base64."""

import base64
import json
from typing import Any

import numpy as np
import pandas as pd

from evaluation.ranking.families import some_of_each
from evaluation.report.figures.cell_graphs import coloured, node_places
from evaluation.report.figures.operations import COLOURS, NAMES, OPERATIONS
from evaluation.report.figures.scatter import linear_below, subtitle
from evaluation.report.figures.style import BLUE
from evaluation.report.gallery import key_targets
from evaluation.report.names import plain
from evaluation.report.statistics import shown_targets
from evaluation.report.study import ReportNumbers
from evaluation.report.words import records

__all__ = ["SCALE", "UNKNOWN", "as_script", "explorer"]

MOST_DRAWN = 1_000  # networks whose cells a page holds, some 500 bytes each
ROOM = 600_000  # bytes of scores, which a page holds as text of a third more
SCALE, UNKNOWN = 60_000, 65_535  # an accuracy is a 16-bit number of 1/60,000; or not known


def explorer(study: ReportNumbers) -> dict[str, Any]:
    """Return what the page's script needs, as JSON values.

    The networks are all of the truth. Numbers are little-endian arrays: ``targets`` in uint16, and
    ``scores`` in the upper three bytes of float32, or in float64 where they exceed it, of the
    networks at the places ``scored``, in uint32. Of many scores, the targets are those of the
    page's tables, and ``further`` says how many scores find no room. Whose networks they are is
    said by `_numbered` or `_named`; ``drawn`` is "" or says why no cell is.
    """
    ids = study.accuracies.index
    numbered = study.roster.by_number and ids.dtype.kind in "iu"
    tau: dict[str, dict[str, str]] = {}
    key, targets = key_targets(study), shown_targets(study)
    told = study.table
    if len(told):
        told = told.loc[told["target"].isin(targets)]
    for row in records(told):
        tau.setdefault(row["label"], {})[row["target"]] = subtitle(row)
    best = study.accuracies[key[-1]].idxmax()
    return {
        **(_numbered(study) if numbered else _named(study)),
        "scale": SCALE,
        "targets": {name: _accuracies(study.accuracies[name]) for name in targets},
        "names": {name: plain(name) for name in targets},
        **_scored(study),
        "linear_below": {label: linear_below(study.values[label]) for label in study.labels},
        "tau": tau,
        "first": int(str(best)) if numbered else str(best),
        "first_target": key[min(1, len(key) - 1)],
        "shown": key,
    }


def _scored(study: ReportNumbers) -> dict[str, Any]:
    """Return the scores of the sample: of as many proxies as a page has room for."""
    places = study.accuracies.index.get_indexer(study.values.index)
    count = max(1, ROOM // (3 * max(1, len(places))))
    kept = some_of_each(study.proxies, count)
    return {
        "scored": _packed(places, "<u4"),
        "scores": {label: _scores(study.values[label].to_numpy(dtype=float)) for label in kept},
        "further": len(study.labels) - len(kept),
    }


def _numbered(study: ReportNumbers) -> dict[str, Any]:
    """Return networks of one cell of six edges that go by number.

    They are ``ids`` in uint16, ``operations`` in six uint8 for each network, and ``live`` in one
    bit for each edge.
    """
    ids, space = study.accuracies.index, study.roster.space
    assert space is not None
    cells = [space.cells(space.numbered(i))[0] for i in ids.to_list()]
    operations = [OPERATIONS.index(o) for cell in cells for _, _, o in cell.edges]
    return {
        "ids": _packed(ids.to_numpy(), "<u2"),
        "operations": _packed(operations, "u1"),
        "live": _packed([sum(on << edge for edge, on in enumerate(c.live)) for c in cells], "u1"),
        "edges": [edge[:2] for edge in cells[0].edges],
        "operation_list": [
            {"id": o, "name": NAMES[o], "colour": _themed(COLOURS[o])} for o in OPERATIONS
        ],
        "drawn": "",
    }


def _named(study: ReportNumbers) -> dict[str, Any]:
    """Return networks that go by names, ``labels``, and their cells if their space draws some.

    ``graphs`` has for each network its cells, each a title, the places of the nodes and the edges:
    source, target, place in ``operation_list``, and 1 if a signal passes.
    """
    labels, space = list(map(str, study.accuracies.index)), study.roster.space
    found: dict[str, Any] = {"labels": labels, "drawn": "", "operation_list": [], "graphs": []}
    if space is None:
        return found | {"drawn": "these networks are of no known space"}
    if not space.cells(space.parse(labels[0])):
        why = "which does not say how its networks are drawn"
        return found | {"drawn": f"these networks are of {space.title}, {why}"}
    if len(labels) > MOST_DRAWN:
        return found | {"drawn": f"a page holds the cells of at most {MOST_DRAWN:,} networks"}
    cells = [space.cells(space.parse(label)) for label in labels]
    operations = dict.fromkeys(o for some in cells for cell in some for _, _, o in cell.edges)
    colours, places = coloured(operations), {o: place for place, o in enumerate(operations)}
    found["operation_list"] = [
        {"id": o, "name": NAMES.get(o, o), "colour": _themed(colours[o])} for o in operations
    ]
    found["graphs"] = [
        [
            {
                "title": cell.title,
                "nodes": [
                    [*at, name] for at, name in zip(node_places(cell), cell.nodes, strict=True)
                ],
                "edges": [
                    [source, target, places[operation], int(live)]
                    for (source, target, operation), live in zip(cell.edges, cell.live, strict=True)
                ],
            }
            for cell in some
        ]
        for some in cells
    ]  # fmt: skip
    return found


def as_script(data: dict[str, Any]) -> str:
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
