"""Moved to `evaluation.ranking.score_columns`."""

from evaluation.ranking.score_columns import *  # noqa: F403
