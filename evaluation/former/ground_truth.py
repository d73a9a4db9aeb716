"""Moved to `evaluation.truths.published`."""

from evaluation.truths.published import *  # noqa: F403
