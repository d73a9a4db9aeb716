"""Moved to `testbed.spaces.nasbench201.genotype`."""

from testbed.spaces.nasbench201.genotype import *  # noqa: F403
