"""Every score of structure that the search for a better one tried and names, failed ones too.

Definitions are those of docs/study/protocol.md; those that were kept are proxies of the package.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from testbed.spaces import registry
from testbed.spaces.nasbench201.genotype import EDGES, Genotype
from testbed.spaces.nasbench201.paths import live_paths
from testbed.spaces.nasbench201.regimes import REGIME_SCORES

__all__ = ["CANDIDATES", "candidate_scores"]

RANDOM, POSITIVE, MEAN = 1.0, math.pi / 18, 1 / 9  # what a 3×3 kernel passes of rough energy
CELLS = 15
Energies = tuple[float, ...]


def _cell(genotype: Genotype, before: Energies, operate: Callable[[str, Energies], Energies]):
    """Return the energies at a cell's output; they add up at the nodes."""
    nodes = {0: before}
    for node in (1, 2, 3):
        arriving = [
            operate(operation, nodes[source])
            for (source, target), operation in zip(EDGES, genotype.operations, strict=True)
            if target == node and operation != "none" and nodes[source][0] > 0
        ]
        zero = (0.0,) * len(before)
        nodes[node] = tuple(map(sum, zip(*arriving, strict=True))) if arriving else zero
    return nodes[3]


def attenuation(genotype: Genotype, passed: float, power: float = 1.0) -> float:
    """Return −log of perturbation over signal behind one cell; ``power`` ½ for amplitudes."""

    def operate(operation: str, energies: Energies) -> Energies:
        signal, rough = energies
        if operation == "skip_connect":
            return energies
        if operation == "avg_pool_3x3":
            return signal, rough * MEAN**power
        return 1.0, rough / signal * (passed**power if "3x3" in operation else 1.0)

    signal, rough = _cell(genotype, (1.0, 1.0), operate)
    return -math.log(rough / signal) if signal else math.nan


def rectified(genotype: Genotype, passed: float, cells: int = CELLS) -> float:
    """Return −log of the smooth perturbation that ReLUs make of a rough one, over the signal."""

    def operate(operation: str, energies: Energies) -> Energies:
        signal, rough, smooth = energies
        if operation == "skip_connect":
            return energies
        if operation == "avg_pool_3x3":
            return signal, rough * MEAN, smooth
        factor = passed if "3x3" in operation else 1.0
        return 1.0, factor * rough / (2 * signal), (smooth + rough / 2) / signal

    energies: Energies = (1.0, 1.0, 0.0)
    for _ in range(cells):
        energies = _cell(genotype, energies, operate)
        if not energies[0]:
            return math.nan
        energies = tuple(energy / energies[0] for energy in energies)
    return -math.log(energies[2]) if energies[2] else math.inf


def worst_path(genotype: Genotype) -> float:
    """Return the least attenuation on any live path."""
    each = {"avg_pool_3x3": -math.log(MEAN), "nor_conv_3x3": -math.log(POSITIVE)}
    sums = [sum(each.get(operation, 0.0) for operation in path) for path in live_paths(genotype)]
    return min(sums, default=math.nan)


def _on_paths(genotype: Genotype, counted: tuple[str, ...], take: Callable[..., int]) -> float:
    counts = [sum(map(path.count, counted)) for path in live_paths(genotype)]
    return float(take(counts)) if counts else math.nan


CANDIDATES: dict[str, Callable[[Genotype], float]] = {
    "attenuation_random": lambda g: attenuation(g, RANDOM),
    "attenuation_positive": lambda g: attenuation(g, POSITIVE),
    "attenuation_mean": lambda g: attenuation(g, MEAN),
    "attenuation_amplitude": lambda g: attenuation(g, POSITIVE, 0.5),
    "worst_path": worst_path,
    "spatial_min": lambda g: _on_paths(g, ("nor_conv_3x3", "avg_pool_3x3"), min),
    "conv3_max": lambda g: _on_paths(g, ("nor_conv_3x3",), max),
    "rectified_random": lambda g: rectified(g, RANDOM),
    "rectified_positive": lambda g: rectified(g, POSITIVE),
    "rectified_mean": lambda g: rectified(g, MEAN),
    "rectified_positive, one cell": lambda g: rectified(g, POSITIVE, 1),
}
SUMS = (
    "params + attenuation_positive", "params + spatial_min", "params + paths_pool_min",
    "params + worst_path", "conv3_max + attenuation_positive",
    "params + conv3_max + attenuation_positive", "params + rectified_positive",
    "params + paths_pool_min + rectified_positive",
    "params + paths_pool_min + paths_nonlinear_pool_min",
)  # fmt: skip
KEPT = tuple(REGIME_SCORES)


def candidate_scores(numbers: pd.Index) -> pd.DataFrame:
    """Return the score of every candidate, by the networks' published numbers.

    A rank sum is of the ranks among these networks; an undefined score ranks last.
    """
    space = registry.get("nasbench201")
    genotypes = [space.numbered(int(number)) for number in numbers]
    columns = {"params": space.parameters, **space.structure}
    wanted = {name: columns[name] for name in ("params", "paths_pool_min", *KEPT)} | CANDIDATES
    scores = pd.DataFrame(
        {name: [float(score(g)) for g in genotypes] for name, score in wanted.items()},
        index=numbers,
    )
    return scores.assign(**dict(_sums(scores)))


def _sums(scores: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    for words in SUMS:
        parts = [scores[name].fillna(-math.inf) for name in words.split(" + ")]
        yield words, np.sum([rankdata(part) for part in parts], axis=0)
