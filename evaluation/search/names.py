"""The formats that a search writes; nothing here needs torch or pandas."""

__all__ = ["FIGURES", "TABLES"]

TABLES = ("parquet", "csv")
FIGURES = ("png", "svg")
