"""The NAS-Bench-201 space: genotypes, isomorphism classes, networks and their weights."""

from pathlib import Path

# What trains networks of any space has moved, and is found under its former names for one release.
__path__.append(str(Path(__file__).parents[2] / "former" / "spaces" / "nasbench201"))
