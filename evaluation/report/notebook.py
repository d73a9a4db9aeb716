"""Figures and the published truth in a notebook."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from evaluation.report.figures.style import styled
from evaluation.report.figures.svg import standalone, with_background
from evaluation.truths.published import Truth

__all__ = ["Shown", "published_truth", "show"]

VARIABLE, FOLDER = "TESTBED_DATA", "robustness-data"


@dataclass(frozen=True)
class Shown:
    """A figure that a notebook displays, with its hover texts."""

    svg: str = field(repr=False)

    def _repr_svg_(self) -> str:
        return self.svg


def show(make: Callable[..., Figure], *arguments: Any) -> Shown:
    """Draw a figure of this package in the report's style: ``show(cell, genotype)``."""
    with styled():
        return Shown(with_background(standalone(make(*arguments))))


def published_truth(dataset: str = "cifar10") -> Truth | None:
    """Return the published truth, or print why it is not there.

    It is looked for in the folder ``robustness-data`` of the one that the environment variable
    ``TESTBED_DATA`` names.

    Raises:
        TruthError: if the folder is there and a file of it is broken.
    """
    root = os.environ.get(VARIABLE)
    if not root:
        print(f"Skipped: {VARIABLE} is not set; it names the folder that holds {FOLDER}/.")
        return None
    folder = Path(root) / FOLDER
    if not folder.is_dir():
        print(f"Skipped: the published truth is not there ({folder}).")
        return None
    return Truth.open(folder, dataset)
