"""Moved to `testbed.spaces.nasbench201.weights`."""

from testbed.spaces.nasbench201.weights import *  # noqa: F403
