"""Moved to `testbed.train.training`."""

from testbed.train.training import *  # noqa: F403
