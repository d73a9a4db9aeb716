"""On a linear classifier the optimum of every attack is known in closed form."""

import pytest
import torch
from torch.nn.functional import softplus

from evaluation.attacks import evaluate, make
from evaluation.attacks.losses import margin
from tests.attack_networks import at_radius, balanced, duel, inner_images

SHAPE = (3, 6, 6)
gradient = pytest.mark.parametrize("name", ["fgsm", "pgd", "apgd-ce", "apgd-dlr", "apgd-t"])
norms = pytest.mark.parametrize("norm", ["Linf", "L2"])


def attacked(network, images, labels, name, epsilons, norm="Linf", **settings):
    attack = make(name, norm, **settings)
    return evaluate(network, images, labels, attack, epsilons, checks=False).levels


def problem(network, count, norm):
    """Images with their labels, each at the same least radius, and that radius."""
    images = inner_images(count, SHAPE)
    labels = network(images).argmax(1)
    assert len(labels.unique()) > 1
    radius = 0.02 if norm == "Linf" else 0.2
    return at_radius(network, images, labels, norm, radius), labels, radius


@norms
@gradient
def test_margin_and_loss_reach_epsilon_times_the_dual_norm(name, norm):
    network, images = duel(SHAPE), inner_images(12, SHAPE)
    labels = network(images).argmax(1)
    clean = margin(network(images), labels).detach()
    # All fall: what resists APGD is returned as it was, by AutoAttack's convention.
    epsilon = 1.2 * float(network.radii(images, labels, norm).max())
    (level,) = attacked(network, images, labels, name, [255 * epsilon], norm)
    assert level.images.min() > 0.01, "the box is not meant to matter here"
    assert level.images.max() < 0.99, "the box is not meant to matter here"
    gap = (network.weight[0] - network.weight[1]).detach()
    optimum = epsilon * float(gap.norm(p=1 if norm == "Linf" else 2))
    fallen = clean - margin(network(level.images), labels).detach()
    assert (fallen <= optimum * (1 + 1e-5)).all()
    assert (fallen >= optimum * (1 - 1e-5 if name == "fgsm" else 0.99)).all()
    loss, largest = -level.label_confidence.log(), softplus(optimum - clean).double()
    assert torch.allclose(loss, largest, rtol=0.01)


@norms
@gradient
def test_one_percent_around_the_least_radius_decides(name, norm):
    network = duel(SHAPE)
    images, labels, radius = problem(network, 24, norm)
    grid = [255 * 0.99 * radius, 255 * 1.01 * radius]
    below, above = attacked(network, images, labels, name, grid, norm)
    assert below.robust.all(), "broken below the least radius"
    assert not above.robust.any(), "not broken above the least radius"


@norms
@gradient
def test_the_nearest_of_several_classes_decides(name, norm):
    network = balanced(5, SHAPE)
    images, labels, radius = problem(network, 24, norm)
    grid = [255 * share * radius for share in (0.99, 1.01, 2)]
    below, above, far = attacked(network, images, labels, name, grid, norm)
    assert below.robust.all(), "broken below the least radius"
    assert not far.robust.any()
    # An untargeted loss is not bound to end at the nearest class; all targets in turn are.
    if name == "apgd-t":
        assert not above.robust.any(), "not broken above the least radius"


@gradient
def test_the_box_cuts_each_pixel_on_its_own(name):
    network = duel(SHAPE)
    source = torch.Generator().manual_seed(3)
    images = torch.rand(40, *SHAPE, generator=source).mul(2).sub(0.5).clamp(0, 1)
    labels = network(images).argmax(1)
    clean = margin(network(images), labels).detach()
    gap = (network.weight[labels] - network.weight[1 - labels]).detach().view_as(images)
    room = torch.where(gap > 0, images, 1 - images)

    def largest_fall(epsilon):
        return (gap.abs() * room.clamp_max(epsilon)).sum((1, 2, 3))

    some, everything = 0.03, 0.2
    assert 0 < int((largest_fall(some) > clean).sum()) < 40
    assert (largest_fall(everything) > clean).all()
    assert (largest_fall(everything) < 0.9 * everything * gap.abs().sum((1, 2, 3))).all()
    middle, end = attacked(network, images, labels, name, [255 * some, 255 * everything])
    share = clean / largest_fall(some)
    clear = (share - 1).abs() > 0.01
    assert torch.equal(middle.robust[clear], share[clear] > 1)
    fallen = clean - margin(network(end.images), labels).detach()
    tolerance = 1e-4 if name == "fgsm" else 0.01
    assert torch.allclose(fallen, largest_fall(everything), rtol=tolerance)


@norms
def test_square_comes_near_the_optimum_and_never_beyond(norm):
    network = duel(SHAPE)
    images, labels, radius = problem(network, 6, norm)
    factor = 1.25 if norm == "Linf" else 3.0
    grid = [255 * 0.99 * radius, 255 * factor * radius]
    below, above = attacked(network, images, labels, "square", grid, norm, queries=1000)
    assert below.robust.all()
    assert not above.robust.any()
