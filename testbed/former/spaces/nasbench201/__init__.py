"""Moved to `testbed.train`."""
