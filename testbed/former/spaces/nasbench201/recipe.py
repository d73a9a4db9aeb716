"""Moved to `testbed.train.recipe`."""

from testbed.train.recipe import *  # noqa: F403
