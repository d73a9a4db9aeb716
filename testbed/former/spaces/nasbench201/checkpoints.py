"""Moved to `testbed.train.checkpoints`."""

from testbed.train.checkpoints import *  # noqa: F403
