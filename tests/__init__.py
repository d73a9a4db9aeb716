"""The tests, and their helpers: a package, so that every helper has one name."""
