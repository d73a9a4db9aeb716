"""Power iteration and Lanczos on matrices whose spectra are known."""

import pytest
import torch

from proxies.estimators import BLOCK, lanczos, power_iteration

ESTIMATORS = [lanczos, power_iteration]


def stack(*spectra, dtype=torch.float64):
    """Return symmetric matrices with these spectra, one a row, and a start."""
    source = torch.Generator().manual_seed(0)
    size = len(spectra[0])
    matrices = []
    for spectrum in spectra:
        basis, _ = torch.linalg.qr(torch.randn(size, size, generator=source, dtype=torch.float64))
        matrices.append(basis @ torch.diag(torch.tensor(spectrum, dtype=torch.float64)) @ basis.T)
    start = torch.randn(len(spectra), size, generator=source, dtype=torch.float64)
    return torch.stack(matrices).to(dtype), start.to(dtype)


def operator(*spectra, dtype=torch.float64):
    """Return (matvec, start) of the matrices of `stack`."""
    matrices, start = stack(*spectra, dtype=dtype)
    return lambda vectors: torch.einsum("nij,nj->ni", matrices, vectors), start


def row_by_row(matrices):
    """Return the product whose rows have the same bits whatever the other rows are."""
    return lambda vectors: torch.stack([m @ v for m, v in zip(matrices, vectors, strict=True)])


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_rows_are_independent_and_signed(estimate):
    spectra = ([5.0, 1, 0, -3, 0.5], [-7.0, 4, 0, 1, 2], [-4.0, -1, -2, -3, -0.5])
    matvec, start = operator(*spectra)
    magnitude = estimate(matvec, start, "magnitude", 1e-8, 2000)
    positive = estimate(matvec, start, "positive", 1e-8, 2000)
    torch.testing.assert_close(magnitude.values, torch.tensor([5.0, -7, -4]).double())
    torch.testing.assert_close(positive.values, torch.tensor([5.0, 4, -0.5]).double())
    assert magnitude.converged.all()
    assert positive.converged.all()


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_the_reported_residual_is_that_of_an_eigenpair(estimate):
    matvec, start = operator([5.0, 4.9, 4.8, 1, 0, -4.7])
    found = estimate(matvec, start, "magnitude", 1e-2, 1000)
    true = torch.tensor([5.0, 4.9, 4.8, 1, 0, -4.7])
    nearest = (true - found.values).abs().min() / found.values.abs()
    assert found.converged.all()
    assert nearest <= found.residuals[0] + 1e-12 <= 1e-2


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_a_run_that_did_not_converge_says_so(estimate):
    matvec, start = operator([5.0, 4.99, 4.98, -4.97, 1, 2], [5.0, 0, 0, 0, 0, 0])
    found = estimate(matvec, start, "magnitude", 1e-12, 3)
    assert found.iterations == 3
    assert found.converged.tolist() == [False, True]
    assert found.residuals[0] > 1e-12


@pytest.mark.parametrize("estimate", ESTIMATORS)
@pytest.mark.parametrize("which", ["magnitude", "positive"])
def test_the_zero_operator(estimate, which):
    start = torch.randn(2, 6, dtype=torch.float64)
    found = estimate(torch.zeros_like, start, which)
    assert found.values.tolist() == [0, 0]
    assert found.residuals.tolist() == [0, 0]
    assert found.converged.all()
    assert found.iterations == 1


def test_lanczos_is_exact_once_its_space_is_exhausted():
    # Rank one beside full rank: the first row is done after two steps and has to wait.
    matvec, start = operator([-3.0, 0, 0, 0, 0, 0], [6.0, -5, 4, -3, 2, -1])
    found = lanczos(matvec, start, "positive", 1e-12, 100)
    assert found.iterations <= 6
    torch.testing.assert_close(found.values, torch.tensor([0.0, 6.0]).double(), atol=1e-12, rtol=0)


def test_lanczos_needs_far_fewer_products_than_power_iteration():
    spectrum = [*torch.linspace(0, 1, 60).tolist(), 1.05]
    matvec, start = operator(spectrum)
    few = lanczos(matvec, start, tolerance=1e-3)
    many = power_iteration(matvec, start, tolerance=1e-3, max_iterations=2000)
    assert few.converged.all()
    assert many.converged.all()
    assert 3 * few.iterations < many.iterations


def test_float32_products_reach_a_float32_answer():
    spectra = torch.logspace(0, -8, 50).tolist()
    matvec, start = operator(spectra, dtype=torch.float32)
    found = lanczos(matvec, start, tolerance=1e-5)
    assert found.values.dtype == torch.float64
    assert float(found.values[0]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("estimate", ESTIMATORS)
@pytest.mark.parametrize("bad", [{"which": "smallest"}, {"tolerance": 0}, {"max_iterations": 0}])
def test_bad_arguments(estimate, bad):
    with pytest.raises(ValueError, match=r"expected|which is one of"):
        estimate(torch.zeros_like, torch.ones(1, 2), **bad)


@pytest.mark.parametrize("estimate", ESTIMATORS)
@pytest.mark.parametrize("which", ["magnitude", "positive"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_depends_on_no_other_row(estimate, which, dtype):
    tail = torch.linspace(-1, 1, 29).tolist()  # 32 numbers a row: all begin aligned
    spectra = ([5.0, 1, -3, *tail], [-7.0, 4, 2, *tail], [-4.0, -3.9, -3, *tail], [0.0] * 32)
    matrices, start = stack(*spectra, dtype=dtype)
    whole = estimate(row_by_row(matrices), start, which, 1e-2, 1000)
    assert whole.converged.all()
    for rows in ([0], [1], [2], [3], [0, 3], [2, 1]):
        part = estimate(row_by_row(matrices[rows]), start[rows], which, 1e-2, 1000)
        assert torch.equal(part.values, whole.values[rows])
        assert torch.equal(part.residuals, whole.residuals[rows])


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_a_row_that_is_done_keeps_the_answer_of_that_step(estimate):
    easy, hard = [5.0, *torch.linspace(-1, 1, 31)], [5.1, *torch.linspace(-5, 5, 31)]
    matvec, start = operator(easy, hard)
    alone, _ = operator(easy)
    early = estimate(alone, start[:1], tolerance=0.1)
    both = estimate(matvec, start, tolerance=0.1)
    assert early.iterations < both.iterations
    assert float(both.values[0]) == pytest.approx(float(early.values[0]), rel=1e-12)
    assert abs(float(both.values[0]) - 5) > 1e-6


@pytest.mark.parametrize("estimate", ESTIMATORS)
@pytest.mark.parametrize("which", ["magnitude", "positive"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("when", [1, 3])
def test_a_product_that_is_not_finite_spoils_its_own_row_only(estimate, which, bad, when):
    spectra = ([5.0, 3, 2, 1, -4.5], [-7.0, 4, 0, 1, 2])
    matvec, start = operator(*spectra)
    calls = []

    def broken(vectors):
        calls.append(None)
        products = matvec(vectors)
        if len(calls) >= when:
            products[0, 2] = bad
        return products

    found = estimate(broken, start, which, 1e-8, 1000)
    assert found.values[0].isnan()
    assert found.residuals[0].isnan()
    assert found.converged.tolist() == [False, True]
    assert float(found.values[1]) == pytest.approx(-7 if which == "magnitude" else 4)


def test_lanczos_keeps_only_the_vectors_it_needs():
    sizes = []

    class Counted(torch.Tensor):
        """Notes what is allocated in its image."""

        def new_empty(self, size):
            sizes.append(size)
            return self.as_subclass(torch.Tensor).new_empty(size)

    matvec, start = operator([5.0, 1, 0.5, 0.2, 0.1, *[0.05] * 40])
    found = lanczos(matvec, start.as_subclass(Counted), max_iterations=40)
    assert found.converged.all()
    assert sum(number for _, number, _ in sizes) < found.iterations + BLOCK


def test_lanczos_stays_orthogonal_over_many_blocks():
    spectrum = torch.linspace(0, 1, 3 * BLOCK + 2).tolist()
    matvec, start = operator(spectrum)
    found = lanczos(matvec, start, "magnitude", 1e-13)
    assert found.iterations == len(spectrum)
    assert float(found.values) == pytest.approx(1, abs=1e-13)


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_an_operator_without_dimensions_has_the_eigenvalue_zero(estimate):
    found = estimate(torch.zeros_like, torch.zeros(2, 0))
    assert found.values.tolist() == [0, 0]
    assert found.converged.all()


@pytest.mark.parametrize("which", ["magnitude", "positive"])
@pytest.mark.parametrize("seed", range(5))
def test_the_bound_by_the_gap_holds_and_needs_fewer_products(which, seed):
    spectrum = [10.0, 6, 4, -5, *torch.linspace(-1, 1, 60)]
    matvec, _ = operator(spectrum)
    start = torch.randn(1, 64, generator=torch.Generator().manual_seed(seed)).double()
    gap = lanczos(matvec, start, which, 1e-3, bound="gap")
    residual = lanczos(matvec, start, which, 1e-3)
    assert gap.iterations < residual.iterations
    assert abs(float(gap.values) / 10 - 1) <= float(gap.residuals) <= 1e-3


def test_a_cluster_is_where_the_gap_is_only_an_estimate():
    # One Ritz value stands for the three: the bound holds for the distance to the cluster, to
    # within its width, and the residual alone for the distance to an eigenvalue.
    matvec, start = operator([10.0, 9.999, 9.998, *torch.linspace(-1, 1, 61)])
    gap = lanczos(matvec, start, tolerance=1e-3, bound="gap")
    assert float(gap.residuals) <= 1e-3
    assert 9.998 - 0.01 <= float(gap.values) <= 10
    with pytest.raises(ValueError, match="bound is one of"):
        lanczos(matvec, start, bound="hope")
