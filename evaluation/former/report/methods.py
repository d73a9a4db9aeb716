"""Moved to `evaluation.report.prose.methods`."""

from evaluation.report.prose.methods import *  # noqa: F403
