"""How well columns of scores rank a truth: from tables to a table."""
