"""FAB-T finds the least radius; its projections against linear and quadratic programming."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize

from evaluation.attacks import evaluate, make
from evaluation.attacks.projections import to_hyperplane
from tests.attack_networks import Linear, digits, digits_network, inner_images
from tests.thorough import some, thorough

SHAPE = (3, 6, 6)


def hyperplanes(count, size, reach):
    source = torch.Generator().manual_seed(5)
    points = torch.rand(count, size, generator=source, dtype=torch.float64).mul(1.4).sub(0.2)
    points.clamp_(0, 1)  # some at the box
    normals = torch.randn(count, size, generator=source, dtype=torch.float64)
    normals[:, 0] = 0
    other = torch.rand(count, size, generator=source, dtype=torch.float64)
    target = points + reach * (other - points)
    return points, normals, (normals * target).sum(1)


@pytest.mark.parametrize("reach", [0.1, 1.0])
def test_the_move_in_linf_is_the_linear_program_s(reach):
    points, normals, offsets = hyperplanes(12, 9, reach)
    moves = to_hyperplane(points, normals, offsets, "Linf")
    for x, w, b, move in zip(points.numpy(), normals.numpy(), offsets, moves, strict=True):
        size = len(x)  # variables: the move and its largest entry
        bound = np.block(
            [[np.eye(size), -np.ones((size, 1))], [-np.eye(size), -np.ones((size, 1))]]
        )
        best = linprog(
            [*np.zeros(size), 1], A_ub=bound, b_ub=np.zeros(2 * size), A_eq=[[*w, 0]],
            b_eq=[float(b) - w @ x], bounds=[*zip(-x, 1 - x, strict=True), (0, None)],
        )  # fmt: skip
        assert best.success
        assert float(move.abs().max()) == pytest.approx(best.fun, abs=1e-9)
        assert w @ (x + move.numpy()) == pytest.approx(float(b), abs=1e-9)


@pytest.mark.parametrize("reach", [0.1, 1.0])
def test_the_move_in_l2_is_the_quadratic_program_s(reach):
    points, normals, offsets = hyperplanes(6, 7, reach)
    moves = to_hyperplane(points, normals, offsets, "L2")
    for x, w, b, move in zip(points.numpy(), normals.numpy(), offsets, moves, strict=True):
        best = minimize(
            lambda d: d @ d, np.zeros_like(x), jac=lambda d: 2 * d, method="SLSQP",
            bounds=list(zip(-x, 1 - x, strict=True)), options={"ftol": 1e-14, "maxiter": 500},
            constraints={"type": "eq", "fun": lambda d, w=w, x=x, b=b: w @ (x + d) - float(b)},
        )  # fmt: skip
        assert float(move.norm()) == pytest.approx(best.fun**0.5, abs=1e-6)
        assert w @ (x + move.numpy()) == pytest.approx(float(b), abs=1e-9)
        assert (x + move.numpy()).min() >= -1e-12


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_a_hyperplane_beyond_the_box_gives_the_nearest_corner(norm):
    points = torch.full((1, 4), 0.5, dtype=torch.float64)
    normals = torch.tensor([[1.0, -2.0, 0.0, 3.0]], dtype=torch.float64)
    move = to_hyperplane(points, normals, torch.tensor([100.0], dtype=torch.float64), norm)
    assert (points + move).tolist() == [[1.0, 0.0, 0.5, 1.0]]


@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.parametrize("mode", some(["record", "accuracy"], 1))
def test_the_least_radius_of_a_linear_classifier_is_found_within_one_percent(norm, mode):
    network, images = Linear(5, SHAPE), inner_images(4, SHAPE)
    labels = network(images).argmax(1)
    for image, label, radius in zip(
        images, labels, 255 * network.radii(images, labels, norm), strict=True
    ):
        grid = [0.99 * float(radius), 1.01 * float(radius)]
        result = evaluate(
            network, image[None], label[None], make("fab-t", norm), grid, mode=mode, checks=False
        )
        assert [bool(level.robust) for level in result.levels] == [True, False]


@pytest.mark.parametrize(("norm", "epsilons"), [("Linf", [64.0]), ("L2", [512.0])])
def test_what_is_found_is_misclassified_by_more_than_rounding(norm, epsilons):
    network, (images, labels) = digits_network(), digits(12)
    (level,) = evaluate(
        network, images, labels, make("fab-t", norm), epsilons, checks=False
    ).levels  # fmt: skip
    assert not level.robust.any()
    with torch.no_grad():
        logits = deepcopy(network).double()(level.images.double())
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1, keepdim=True)
    assert ((own - others) / logits.abs().amax(1, keepdim=True)).max() < -1e-5


@thorough  # it takes minutes
@pytest.mark.parametrize(("norm", "epsilons"), [("Linf", [12.0]), ("L2", [120.0])])
def test_the_original_leaves_as_many_images_right(norm, epsilons):
    pytest.importorskip("pyautoattack")
    network, (images, labels) = digits_network(), digits(8)
    network.requires_grad_(False)
    found = []
    for backend in ("own", "original"):
        attack = make("fab-t", norm, backend=backend)
        levels = evaluate(network, images, labels, attack, epsilons, checks=False).levels
        found.append([int(level.robust.sum()) for level in levels])
    assert any(0 < value < 8 for value in found[1]), found
    assert found[0] == pytest.approx(found[1], abs=1), found


@thorough
def test_the_ensemble_is_at_least_as_strong_as_each_member():
    network, (images, labels) = digits_network(), digits(40)
    short = {"apgd-ce": {"steps": 20}, "apgd-t": {"steps": 20}, "fab-t": {"steps": 20},
             "square": {"queries": 50}, "autoattack": {"steps": 20, "queries": 50}}  # fmt: skip
    left = {
        name: int(evaluate(network, images, labels, make(name, **settings), [16.0],
                           checks=False).levels[0].robust.sum())
        for name, settings in short.items()
    }  # fmt: skip
    # Its members draw from keys of their own, so a single image may differ.
    assert left["autoattack"] <= min(left.values()) + 1
