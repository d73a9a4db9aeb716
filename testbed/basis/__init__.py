"""What every room stands on: errors, seeds, late imports, the version."""
