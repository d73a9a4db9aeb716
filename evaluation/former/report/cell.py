"""Moved to `evaluation.report.figures.cell`."""

from evaluation.report.figures.cell import *  # noqa: F403
