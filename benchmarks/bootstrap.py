"""The bootstrap of τ-b over a table of the published size, against one scipy call a resample.

Bounds, for n networks, R resamples and T targets of one score: a matrix product of blocks of B
networks costs n·B·R multiply-accumulates a target, and the counts before each block another
(n / B)·L·R for L values of the target; 4·n·R bytes of counts are read once a target.
"""

import time

import numpy as np
from scipy import stats

from benchmarks.harness import CONSOLE
from evaluation.correlation import Bootstrap

NETWORKS, RESAMPLES, TARGETS = 6466, 1000, 108
MEASURED, CALLS = 8, 20  # targets and scipy calls that are timed; the rest is multiplied


def main() -> None:
    """Print the CPU seconds of a whole table."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=NETWORKS)
    ys = [generator.normal(size=NETWORKS).round(3) for _ in range(MEASURED)]
    bootstrap = Bootstrap(NETWORKS, RESAMPLES)
    bootstrap.taus(x, ys[:1])
    start = time.process_time()
    bootstrap.taus(x, ys)
    ours = (time.process_time() - start) * TARGETS / MEASURED
    start = time.process_time()
    for _ in range(CALLS):
        drawn = generator.integers(NETWORKS, size=NETWORKS)
        stats.kendalltau(x[drawn], ys[0][drawn])
    scipys = (time.process_time() - start) * TARGETS * RESAMPLES / CALLS
    CONSOLE.print(
        f"bootstrap of one score, {TARGETS} targets, {RESAMPLES:,} resamples of {NETWORKS:,}: "
        f"{ours:.0f} CPU s; scipy.stats.kendalltau: {scipys:.0f} CPU s, {scipys / ours:.1f} times"
    )


if __name__ == "__main__":
    main()
