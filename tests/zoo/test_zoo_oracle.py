"""The oracle proves itself where the answer is known in closed form."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.zoo.oracle import Oracle, OracleError, calibrate

PIXELS, HIDDEN, CLASSES = 12, 6, 4  # of images (3, 2, 2)


class Tanh(nn.Module):
    """z = W tanh(A x): its Hessian has a closed form, and both signs in its spectrum."""

    def __init__(self) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(0)
        self.A = nn.Parameter(torch.randn(HIDDEN, PIXELS, generator=source))
        self.W = nn.Parameter(0.4 * torch.randn(CLASSES, HIDDEN, generator=source))

    def forward(self, images):
        return (images.flatten(1) @ self.A.T).tanh() @ self.W.T


@pytest.fixture
def batch():
    source = torch.Generator().manual_seed(1)
    images = torch.rand(3, 3, 2, 2, generator=source)
    return images, torch.tensor([0, 3, 1])


def softmax(network, images):
    with torch.no_grad():
        return network(images).double().softmax(1).numpy()


def curvature(p):
    return np.diag(p) - np.outer(p, p)


def test_derivatives_over_the_image_in_closed_form(batch):
    network, (images, labels) = Tanh().double(), batch
    oracle = Oracle(network, *batch)
    A, W = network.A.detach().numpy(), network.W.detach().numpy()
    probabilities = softmax(network, images.double())
    norms, tops = [], []
    for i, x in enumerate(images.flatten(1).double().numpy()):
        t = np.tanh(A @ x)
        J = W @ np.diag(1 - t**2) @ A
        np.testing.assert_allclose(oracle.jacobians[i], J, rtol=1e-10)
        norms.append(np.linalg.norm(J))
        gauss_newton = J.T @ curvature(probabilities[i]) @ J
        tops.append(np.linalg.eigvalsh(gauss_newton)[-1])
        slope = W.T @ (probabilities[i] - np.eye(CLASSES)[labels[i]])
        H = gauss_newton + A.T @ np.diag(slope * -2 * t * (1 - t**2)) @ A
        spectrum = np.linalg.eigvalsh(H)
        assert spectrum[0] < -0.1 * spectrum[-1] < 0
        np.testing.assert_allclose(oracle.input_ends()[i], spectrum[[0, -1]], rtol=1e-5)
    assert oracle.jacobian_norm == pytest.approx(np.mean(norms), rel=1e-10)
    assert oracle.gauss_newton_input == pytest.approx(np.mean(tops), rel=1e-10)


def test_the_hessian_over_the_parameters_in_closed_form(batch):
    images, labels = batch
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, CLASSES)).double()
    rows = np.hstack([images.flatten(1).double().numpy(), np.ones((3, 1))])
    terms = zip(softmax(network, images.double()), rows, strict=True)
    H = np.mean([np.kron(curvature(p), np.outer(x, x)) for p, x in terms], axis=0)
    ((low, high),) = Oracle(network, images, labels).parameter_ends()
    assert high == pytest.approx(np.linalg.eigvalsh(H)[-1], rel=1e-5)
    assert abs(low) < 1e-5 * high


def test_a_kink_is_noticed():
    class Corner(nn.Module):
        def forward(self, images):
            x = images.flatten(1)
            return torch.stack([(x[:, 0] - 0.5).relu(), x[:, 1]], 1)

    images = torch.full((1, 3, 2, 2), 0.5)
    with pytest.raises(OracleError, match="kink"):
        Oracle(Corner(), images, torch.tensor([0])).input_ends()


def test_images_that_depend_on_each_other_are_noticed(batch):
    class Centred(nn.Module):
        def forward(self, images):
            return (images - images.mean(0)).flatten(1)

    with pytest.raises(OracleError, match="other images"):
        _ = Oracle(Centred(), *batch).jacobians


def test_calibration_in_closed_form(batch):
    images = batch[0].double()
    first, linear, last = nn.BatchNorm2d(3), nn.Linear(PIXELS, 4), nn.BatchNorm1d(4)
    network = nn.Sequential(first, nn.Flatten(), linear, last).double().train()
    calibrate(network, images)
    rows = images.transpose(0, 1).flatten(1).numpy()
    assert_statistics(first, rows)
    biased = (rows - rows.mean(1)[:, None]) / np.sqrt(rows.var(1)[:, None] + first.eps)
    features = torch.from_numpy(biased).view(3, 3, 2, 2).transpose(0, 1).flatten(1)
    with torch.no_grad():
        assert_statistics(last, linear(features).T.numpy())
    assert not any(layer.training for layer in network.modules())


def assert_statistics(norm, rows):
    np.testing.assert_allclose(norm.running_mean, rows.mean(1))
    np.testing.assert_allclose(norm.running_var, rows.var(1, ddof=1))
