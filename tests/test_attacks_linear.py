"""On a linear classifier the optimum of every attack is known in closed form."""

import pytest
import torch

from evaluation.attacks import evaluate, make
from evaluation.attacks.losses import margin
from tests.attack_networks import Linear, inner_images

SHAPE = (3, 6, 6)
# DLR needs 3 classes, its targeted form 4; its steps are those of the margin all the same.
GRADIENT = {"fgsm": 2, "pgd": 2, "apgd-ce": 2, "apgd-dlr": 5, "apgd-t": 5}


def problem(classes):
    network, images = Linear(classes, SHAPE), inner_images(12, SHAPE)
    return network, images, network(images).argmax(1)


@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.parametrize("name", ["fgsm", "pgd", "apgd-ce"])
def test_the_margin_falls_by_epsilon_times_the_dual_norm(name, norm):
    network, images, labels = problem(2)
    epsilon = (
        8.0 if norm == "Linf" else 1.2 * 255 * float(network.radii(images, labels, norm).max())
    )
    (level,) = evaluate(network, images, labels, make(name, norm), [epsilon]).levels
    attacked = margin(network(level.images), labels)
    fallen = margin(network(images), labels) - attacked
    slope = (network.weight[0] - network.weight[1]).norm(p=1 if norm == "Linf" else 2)
    # AutoAttack's convention: what resists is returned as it was.
    moved = fallen > 0 if name.startswith("apgd") else torch.ones_like(fallen, dtype=torch.bool)
    assert moved.any()
    optimum = epsilon / 255 * slope
    assert (fallen <= optimum * (1 + 1e-5)).all()
    if not name.startswith("apgd"):
        assert (fallen >= 0.99 * optimum).all()


@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.parametrize(("name", "classes"), GRADIENT.items())
def test_one_percent_around_the_least_radius_decides(name, classes, norm):
    network, images, labels = problem(classes)
    radii = 255 * network.radii(images, labels, norm)
    for image, label, radius in zip(images, labels, radii, strict=True):
        below, above = 0.99 * float(radius), 1.01 * float(radius)
        result = evaluate(
            network, image[None], label[None], make(name, norm), [below, above], checks=False
        )
        assert bool(result.levels[0].robust), "broken below the least radius"
        # An untargeted loss is not bound to find the nearest of several classes.
        if name != "apgd-dlr":
            assert not bool(result.levels[1].robust), "not broken above the least radius"
    (level,) = evaluate(
        network, images, labels, make(name, norm), [1.5 * float(radii.max())], checks=False
    ).levels
    assert not level.robust.any()


@pytest.mark.parametrize("name", ["fgsm", "pgd", "apgd-ce"])
def test_the_box_cuts_each_pixel_on_its_own(name):
    network = Linear(2, SHAPE)
    source = torch.Generator().manual_seed(3)
    images = torch.rand(40, *SHAPE, generator=source).round()  # every pixel at 0 or 1
    labels = network(images).argmax(1)
    gap = (network.weight[labels] - network.weight[1 - labels]).detach().view_as(images)
    for epsilon in (4.0, 60.0):
        reach = epsilon / 255
        lowest = images - reach * gap.sign()
        optimum = margin(network(lowest.clamp(0, 1)), labels).detach()
        (level,) = evaluate(network, images, labels, make(name), [epsilon]).levels
        broken = optimum < -1e-4
        assert (level.robust[optimum > 1e-4]).all()
        assert not level.robust[broken].any()


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_square_comes_near_the_optimum_and_never_beyond(norm):
    network, images, labels = problem(2)
    radii = 255 * network.radii(images, labels, norm)
    order = radii.argsort()
    factor = 1.25 if norm == "Linf" else 3.0
    for place in order[::5]:
        one, label, radius = images[place, None], labels[place, None], float(radii[place])
        result = evaluate(
            network, one, label, make("square", norm, queries=1500),
            [0.99 * radius, factor * radius], checks=False,
        )  # fmt: skip
        assert bool(result.levels[0].robust)
        assert not bool(result.levels[1].robust)
