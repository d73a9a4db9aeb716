"""Searches for robust architectures: an algorithm asks for scores, within a budget of queries."""

from evaluation.search.base import Answer, BudgetSpent, Queries, Query, search
from evaluation.search.space import Space

__all__ = ["Answer", "BudgetSpent", "Queries", "Query", "Space", "search"]
