"""Moved to `testbed.train.adversarial`."""

from testbed.train.adversarial import *  # noqa: F403
