"""Moved to `testbed.networks.normalise`."""

from testbed.networks.normalise import *  # noqa: F403
