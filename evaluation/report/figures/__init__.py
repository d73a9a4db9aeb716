"""The figures, one in each file: a function from tables to a matplotlib Figure."""
