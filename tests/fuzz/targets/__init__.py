"""The readers and parsers that are fed: each module here has a tuple ``TARGETS``."""
