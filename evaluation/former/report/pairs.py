"""Moved to `evaluation.report.figures.pairs`."""

from evaluation.report.figures.pairs import *  # noqa: F403
