"""One figure a file: a function from tables to a matplotlib Figure."""
