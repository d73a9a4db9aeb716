"""How alike two rankings are, and how sure that is: pure functions on arrays."""

from evaluation.correlation.ceiling import noise_ceiling
from evaluation.correlation.intervals import Difference, confidence_interval, tau_difference
from evaluation.correlation.multiple import Winner, holm, winners
from evaluation.correlation.partial import partial_from, partial_tau_b
from evaluation.correlation.rank_measures import spearman, top_precision, weighted_tau
from evaluation.correlation.tau_b import (
    TauB,
    kendall_tau_b,
    tau_b,
    tie_fraction,
)

__all__ = [
    "Difference",
    "TauB",
    "Winner",
    "confidence_interval",
    "holm",
    "kendall_tau_b",
    "noise_ceiling",
    "partial_from",
    "partial_tau_b",
    "spearman",
    "tau_b",
    "tau_difference",
    "tie_fraction",
    "top_precision",
    "weighted_tau",
    "winners",
]
