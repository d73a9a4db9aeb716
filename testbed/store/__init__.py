"""Results in one SQLite file: scores, robust accuracies, failures, runs and their provenance."""

from testbed.store.database import Store
from testbed.store.errors import StoreBusy, StoreError
from testbed.store.failures import FailureKey, FailureRow
from testbed.store.files import WRITERS
from testbed.store.reading import read_robustness, read_scores
from testbed.store.robustness import RobustnessKey, RobustnessRow, unpack_robust
from testbed.store.scores import ScoreKey, ScoreRow

__all__ = [
    "EXPORTS", "FailureKey", "FailureRow", "RobustnessKey", "RobustnessRow", "ScoreKey", "ScoreRow",
    "Store", "StoreBusy", "StoreError", "read_robustness", "read_scores", "unpack_robust",
]  # fmt: skip

EXPORTS = tuple(WRITERS)  # the endings that `Store.export` writes
