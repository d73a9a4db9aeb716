"""Paths of a cell: by hand, against matrix products over all cells, and the published τ."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from evaluation.truths.published import Truth
from testbed.spaces.nasbench201.genotype import EDGES, NODES, OPERATIONS, Genotype, enumerate_space
from testbed.spaces.nasbench201.paths import PATH_STATISTICS, live_paths
from tests.truth_folder import published_truth

SHORT = {
    "pool": ("avg_pool_3x3",), "conv3": ("nor_conv_3x3",), "conv1": ("nor_conv_1x1",),
    "skip": ("skip_connect",), "conv3_pool": ("nor_conv_3x3", "avg_pool_3x3"),
}  # fmt: skip


def polynomial(genotype, counted):
    """Return how many paths have 0, 1, 2, … counted operations.

    It is the coefficients of an entry of Σ Aᵏ, A the adjacency matrix whose entries are 1, or x
    where the operation counts: evaluated at the roots of unity and transformed back.
    """
    points = np.exp(2j * np.pi * np.arange(4) / 4)
    values = []
    for x in points:
        matrix = np.zeros((NODES, NODES), complex)
        for (source, target), operation in zip(EDGES, genotype.operations, strict=True):
            if operation != "none":
                matrix[source, target] = x if operation in counted else 1.0
        values.append(np.linalg.inv(np.eye(NODES) - matrix)[0, NODES - 1])
    return np.rint(np.fft.fft(values).real / 4).astype(int)


def test_paths_of_a_cell_by_hand():
    genotype = Genotype(
        ("avg_pool_3x3", "nor_conv_1x1", "skip_connect", "none", "nor_conv_3x3", "avg_pool_3x3")
    )
    assert sorted(live_paths(genotype)) == [
        ("avg_pool_3x3", "nor_conv_3x3"),
        ("avg_pool_3x3", "skip_connect", "avg_pool_3x3"),
        ("nor_conv_1x1", "avg_pool_3x3"),
    ]
    found = {name: of(genotype) for name, of in PATH_STATISTICS.items()}
    assert found == pytest.approx({
        "paths_count": 3, "paths_pool_min": 1, "paths_pool_mean": 4 / 3, "paths_conv3_min": 0,
        "paths_conv3_mean": 1 / 3, "paths_conv1_min": 0, "paths_conv1_mean": 1 / 3,
        "paths_skip_min": 0, "paths_skip_mean": 1 / 3, "paths_conv3_pool_mean": 5 / 3,
    })  # fmt: skip


def test_a_cell_without_a_path_has_zeros():
    dead = Genotype(("nor_conv_3x3", "none", "none", "none", "none", "avg_pool_3x3"))
    assert live_paths(dead) == []
    assert {of(dead) for of in PATH_STATISTICS.values()} == {0.0}


def test_all_cells_against_matrix_products():
    for genotype in enumerate_space()[::25]:
        for name, counted in SHORT.items():
            counts = polynomial(genotype, counted)
            assert PATH_STATISTICS["paths_count"](genotype) == counts.sum()
            least, mean = 0.0, 0.0
            if counts.sum():
                least = float(np.flatnonzero(counts)[0])
                mean = float(counts @ np.arange(4)) / counts.sum()
            if f"paths_{name}_min" in PATH_STATISTICS:
                assert PATH_STATISTICS[f"paths_{name}_min"](genotype) == least
            assert PATH_STATISTICS[f"paths_{name}_mean"](genotype) == pytest.approx(mean)
    assert set(OPERATIONS) == {"none"}.union(*SHORT.values())


@pytest.mark.parametrize(
    ("name", "taus"),
    [
        ("paths_pool_min", (0.411, 0.347, -0.374)),
        ("paths_conv3_pool_mean", (0.318, 0.337, -0.034)),
    ],
)
def test_published_tau_of_structure(name, taus):
    targets = Truth.open(published_truth()).targets()
    assert len(targets) == 6466
    values = [PATH_STATISTICS[name](Genotype.from_index(i)) for i in targets.index]
    found = [kendalltau(values, targets[t])[0] for t in ("apgd@1", "pgd@1", "clean")]
    np.testing.assert_allclose(found, taus, rtol=0, atol=6e-4)
