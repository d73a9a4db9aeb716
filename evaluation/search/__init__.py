"""Searches for robust architectures: an algorithm asks for scores, within a budget of queries."""

from typing import TYPE_CHECKING

from testbed.basis.lazy import attributes

if TYPE_CHECKING:
    from evaluation.search.base import Answer, BudgetSpent, Queries, Query, search
    from evaluation.search.space import Space

__all__ = [
    "Answer",
    "BudgetSpent",
    "Queries",
    "Query",
    "Space",
    "search",
]

__getattr__ = attributes(
    __name__,
    {
        "Answer": "evaluation.search.base",
        "BudgetSpent": "evaluation.search.base",
        "Queries": "evaluation.search.base",
        "Query": "evaluation.search.base",
        "search": "evaluation.search.base",
        "Space": "evaluation.search.space",
    },
)
