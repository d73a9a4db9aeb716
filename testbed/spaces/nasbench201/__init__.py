"""The NAS-Bench-201 space: genotypes, isomorphism classes, networks and their weights."""
