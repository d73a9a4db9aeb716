"""Moved to `testbed.spaces.nasbench201`."""
