"""Moved to `evaluation.report.prose.doubts`."""

from evaluation.report.prose.doubts import *  # noqa: F403
