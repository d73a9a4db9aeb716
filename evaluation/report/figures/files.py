"""Figures written as PNG, PDF and SVG."""

from pathlib import Path

from evaluation.report.figures.style import styled
from evaluation.report.figures.svg import DPI, standalone, with_background
from evaluation.report.gallery import Picture
from testbed.files.replacing import replacing

__all__ = ["write_figure"]


def write_figure(picture: Picture, folder: Path) -> str:
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
