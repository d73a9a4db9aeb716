"""Measurements, each a ratio of medians from interleaved runs on one machine."""
