"""Figures, tables and one HTML page of how well proxies rank robust accuracies."""
