"""How robust networks are, measured: ``python -m evaluation.robustness``."""
