"""Moved to `testbed.spaces.nasbench201.recipe`."""

from testbed.spaces.nasbench201.recipe import *  # noqa: F403
