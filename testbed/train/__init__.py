"""Training networks, resumably: ``python -m testbed.train``."""
