"""Results in one SQLite file: scores, runs and their provenance."""

from testbed.store.database import Store
from testbed.store.errors import StoreBusy, StoreError
from testbed.store.files import WRITERS
from testbed.store.keys import ScoreKey, ScoreRow
from testbed.store.reading import read_scores

__all__ = ["EXPORTS", "ScoreKey", "ScoreRow", "Store", "StoreBusy", "StoreError", "read_scores"]

EXPORTS = tuple(WRITERS)  # the endings that `Store.export` writes
