"""Figures, tables and one HTML page of how well proxies rank robust accuracies."""

from pathlib import Path

# Modules that moved are found under their former names for one release.
__path__.append(str(Path(__file__).parents[1] / "former" / "report"))
