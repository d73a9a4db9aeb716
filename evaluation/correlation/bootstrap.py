"""The nonparametric bootstrap of τ-b over networks, exact and fast enough for whole tables.

A resample is a vector w of counts: how often each network was drawn. Of the resample,
the numerator of τ-b is the quadratic form Σᵢⱼ wᵢ wⱼ sign(xᵢ − xⱼ) sign(yᵢ − yⱼ), and
the pairs untied in x are n² − Σ (counts of a value of x)². With the networks in the order
of x, cut into blocks: pairs inside a block take a small matrix product, and pairs across
blocks need only how many of each value of y came before. All of it is done for all resamples
at once, in whole numbers that the floating type holds exactly.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.correlation.tau_b import checked, dense_ranks

__all__ = ["Bootstrap"]

BLOCK = 256
EXACT = 2**24


class Bootstrap:
    """Resamples of n networks, the same for every pair of variables.

    Differences of two τ-b are therefore differences of their arrays, resample by resample.

    Args:
        n: the number of networks.
        resamples: how often n of them are drawn with replacement.
        seed: of the draws.

    Attributes:
        counts: (n, resamples), how often a network is in a resample.

    Raises:
        ValueError: if n or resamples is not positive.
    """

    def __init__(self, n: int, resamples: int = 1000, seed: int = 0) -> None:
        if n < 1 or resamples < 1:
            raise ValueError(f"expected a positive n and resamples; got {n} and {resamples}")
        self.n = n
        draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), resamples)
        self.counts = np.ascontiguousarray(draws.T, dtype=np.float32)

    def taus(self, x: ArrayLike, ys: Iterable[ArrayLike]) -> NDArray[np.float64]:
        """Return τ-b of x with each of the ys in each resample, (resamples, len(ys)).

        NaN where a resample leaves x or y constant.

        Raises:
            ValueError: if a variable is not one-dimensional of length n, or holds NaN.
        """
        variables = checked(x, *ys, np.zeros(self.n))[:-1]
        ranks = [dense_ranks(variable) for variable in variables]
        order = np.argsort(ranks[0], kind="stable")
        sorted_x, weights = ranks[0][order], self.counts[order]
        blocks = _blocks(sorted_x)
        starts = np.arange(0, self.n, BLOCK)
        heaviest = 2 * float(np.add.reduceat(weights, starts, axis=0).max())
        # Two such parts cover any part of a block; float32 is exact below 2²⁴.
        if 2 * self.n * heaviest >= EXACT:
            weights = weights.astype(np.float64)
        untied_x = self._untied(sorted_x, weights)
        result = np.empty((weights.shape[1], len(ranks) - 1))
        for column, y in enumerate(ranks[1:]):
            sorted_y = y[order]
            agreement = self._agreement(sorted_x, sorted_y, weights, blocks)
            product = untied_x * self._untied(sorted_y, weights)
            undefined = product == 0
            result[:, column] = agreement / np.sqrt(np.where(undefined, np.nan, product))
        return result

    def _untied(self, ranks: NDArray[np.int64], weights: np.ndarray) -> NDArray[np.float64]:
        """Return how many ordered pairs each resample has of different values."""
        totals = _sums_by_rank(ranks, weights)[1].astype(np.float64)
        return float(self.n) ** 2 - np.einsum("lr,lr->r", totals, totals)

    def _agreement(
        self, x: NDArray[np.int64], y: NDArray[np.int64], weights: np.ndarray, blocks: list[slice]
    ) -> NDArray[np.float64]:
        """Return, of each resample, concordant minus discordant ordered pairs; x ascends."""
        resamples = weights.shape[1]
        before = np.zeros((int(y.max(initial=0)) + 1, resamples), dtype=weights.dtype)
        total = np.zeros(resamples)
        for block in blocks:
            below = np.cumsum(before, axis=0)
            # Of those before the block: how many have a smaller y, minus a larger one.
            balance = 2 * below - before - below[-1]
            tied = x[block.start] == x[block.stop - 1]
            for start in range(block.start, block.stop, BLOCK):
                part = slice(start, min(start + BLOCK, block.stop))
                own, across = weights[part], 2 * balance[y[part]]
                if not tied:
                    a, b = x[part], y[part]
                    signs = np.sign(a[:, None] - a) * np.sign(b[:, None] - b)
                    across += signs.astype(own.dtype) @ own
                total += np.einsum("nr,nr->r", own, across)
            levels, sums = _sums_by_rank(y[block], weights[block])
            before[levels] += sums
        return total


def _blocks(ranks: NDArray[np.int64]) -> list[slice]:
    """Cut ascending ranks so that no value is in two blocks.

    A block has at most ``BLOCK`` samples, or all samples of one value.
    """
    ends = np.append(np.flatnonzero(np.diff(ranks)) + 1, len(ranks)).tolist()
    blocks, start, previous = [], 0, 0
    for end in ends:
        if end - start > BLOCK and previous > start:
            blocks.append(slice(start, previous))
            start = previous
        previous = end
    return [*blocks, slice(start, previous)]


def _sums_by_rank(
    ranks: NDArray[np.int64], weights: np.ndarray
) -> tuple[NDArray[np.int64], np.ndarray]:
    """Return the distinct ranks, and the sums of the rows of weights that have each."""
    order = np.argsort(ranks, kind="stable")
    levels, starts = np.unique(ranks[order], return_index=True)
    return levels, np.add.reduceat(weights[order], starts, axis=0)
