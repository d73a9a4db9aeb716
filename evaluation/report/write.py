"""A report written into a folder: figures, tables, and the page."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.report.figures.style import styled
from evaluation.report.figures.svg import DPI, standalone, with_background
from evaluation.report.gallery import Missing, Picture, gallery
from evaluation.report.page import Made, page
from evaluation.report.prose.measured import is_of
from evaluation.report.prose.methods import methods
from evaluation.report.searches import search_pictures
from evaluation.report.study import ReportNumbers
from evaluation.report.tables import write_tables
from testbed.files.replacing import replacing

__all__ = ["PAGE", "write_report"]

PAGE = "index.html"


def write_report(
    study: ReportNumbers,
    folder: str | Path,
    architectures: Sequence[Any] = (),
    measured: pd.DataFrame | None = None,
    searches: pd.DataFrame | None = None,
    watch: Callable[[Iterable], Iterable] = iter,
    made: Made | None = None,
) -> Path:
    """Write a report and return the path of its page.

    Args:
        study: the numbers of the report.
        folder: where the files go. It is created if it is not there; files of the same names
            are replaced.
        architectures: the names of the networks whose cells are drawn.
        measured: the user's own robust accuracies, see
            :func:`~evaluation.report.prose.methods.methods`. They are told of if they are those
            of the truth.
        searches: trajectories, as :func:`~evaluation.report.searches.read_searches` returns.
        watch: yields the figures that it is given one by one, for instance a progress bar.
        made: when and by which command; today, from Python, if not given.

    Raises:
        OSError: if the folder cannot be written.
    """
    folder = Path(folder)
    written = write_tables(study, folder)
    shown = []
    found = [] if searches is None else search_pictures(searches)
    for item in watch([*gallery(study, architectures), *found]):
        shown.append((item, "" if isinstance(item, Missing) else _write_figure(item, folder)))
    own = measured if measured is not None and is_of(study, measured) else None
    parts = methods(study, own)
    with replacing(folder / PAGE) as temporary:
        names = [path.name for path in written]
        text = page(study, shown, parts, names, made, own)
        temporary.write_text(text, encoding="utf-8")
    return folder / PAGE


def _write_figure(picture: Picture, folder: Path) -> str:
    """Draw a figure, write its three files, each replaced as a whole, and return its SVG."""
    with styled():
        figure = picture.draw()
        svg = standalone(figure)
        figure.set_layout_engine("none")  # it has found its places, and they are to stay
        with replacing(folder / f"{picture.name}.svg") as temporary:
            temporary.write_text(with_background(svg), encoding="utf-8")
        with replacing(folder / f"{picture.name}.pdf") as temporary:
            figure.savefig(temporary, format="pdf", dpi=DPI, metadata={"CreationDate": None})
        with replacing(folder / f"{picture.name}.png") as temporary:
            figure.savefig(temporary, format="png", dpi=DPI, facecolor="white")
    return svg
