"""Moved to `evaluation.ranking.table`."""

from evaluation.ranking.table import *  # noqa: F403
