"""Power iteration and Lanczos on matrices whose spectra are known."""

import pytest
import torch

from proxies.estimators import lanczos, power_iteration

ESTIMATORS = [lanczos, power_iteration]


def operator(*spectra, dtype=torch.float64):
    """Return (matvec, start) of symmetric matrices with these spectra, one a row."""
    source = torch.Generator().manual_seed(0)
    size = len(spectra[0])
    matrices = []
    for spectrum in spectra:
        basis, _ = torch.linalg.qr(torch.randn(size, size, generator=source, dtype=torch.float64))
        matrices.append(basis @ torch.diag(torch.tensor(spectrum, dtype=torch.float64)) @ basis.T)
    stack = torch.stack(matrices).to(dtype)
    start = torch.randn(len(spectra), size, generator=source, dtype=torch.float64).to(dtype)
    return lambda vectors: torch.einsum("nij,nj->ni", stack, vectors), start


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
