"""Agreement with the original AutoAttack, with FGSM in three lines, with the papers' schedules."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from evaluation.attacks import evaluate, make
from evaluation.attacks.apgd_run import Run, checkpoints, intervals
from evaluation.attacks.norms import ball
from evaluation.attacks.square import share_of_pixels
from tests.attack_networks import digits, digits_network
from tests.thorough import thorough

COUNT = 200
EPSILONS = {"Linf": [12.0, 24.0, 40.0], "L2": [60.0, 120.0, 200.0]}


def accuracies(result):
    return [float(level.robust.double().mean()) for level in result.levels]


def test_fgsm_is_one_signed_step_to_the_last_image():
    network, (images, labels) = digits_network(), digits(COUNT)
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(cross_entropy(network(leaf), labels), leaf)
    right = network(images).argmax(1) == labels
    result = evaluate(network, images, labels, make("fgsm"), EPSILONS["Linf"])
    for epsilon, level in zip(EPSILONS["Linf"], result.levels, strict=True):
        moved = (images + epsilon / 255 * gradient.sign()).clamp(0, 1)
        expected = right & (network(moved).argmax(1) == labels)
        assert torch.equal(level.robust, expected)
        assert torch.allclose(level.images, moved, atol=1e-6) or (gradient == 0).any()


@pytest.mark.parametrize(
    ("name", "settings", "points", "norm"),
    [
        ("apgd-ce", {}, 0.015, "Linf"),
        pytest.param("apgd-ce", {}, 0.015, "L2", marks=thorough),
        # Over four seeds each, both leave 42 to 47 of 200 at the larger ε.
        pytest.param("apgd-dlr", {}, 0.03, "Linf", marks=thorough),
        pytest.param("apgd-dlr", {}, 0.03, "L2", marks=thorough),
        pytest.param("apgd-t", {"target_classes": 9}, 0.025, "Linf", marks=thorough),
        pytest.param("apgd-t", {"target_classes": 9}, 0.025, "L2", marks=thorough),
        ("square", {"queries": 300}, 0.05, "Linf"),
        pytest.param("square", {"queries": 300}, 0.05, "L2", marks=thorough),
    ],
)
def test_the_original_leaves_as_many_images_right(name, settings, points, norm, monkeypatch):
    reference = pytest.importorskip("pyautoattack.square").SquareAttack
    # The package never places a square at the last row or column: u·(h − s) rounded down. On
    # 8 × 8 pixels that matters (by 13 points), on 32 × 32 it does not; the paper allows them.
    inclusive = reference.random_int
    monkeypatch.setattr(
        reference, "random_int", lambda self, low, high: inclusive(self, low, high + 1)
    )
    network, (images, labels) = digits_network(), digits(COUNT)
    network.requires_grad_(False)
    count, levels = (40, 1) if name == "apgd-t" else (COUNT, 2)  # nine attacks in one
    images, labels, epsilons = images[:count], labels[:count], EPSILONS[norm][:levels]
    ours = accuracies(evaluate(network, images, labels, make(name, norm, **settings), epsilons))
    queries = {"queries": settings["queries"]} if name == "square" else {}
    original = make(name, norm, backend="original", **queries)
    theirs = accuracies(evaluate(network, images, labels, original, epsilons, checks=False))
    assert any(0.1 < value < 0.9 for value in theirs), theirs
    for mine, other in zip(ours, theirs, strict=True):
        assert abs(mine - other) <= points + 1e-9, (ours, theirs)


def test_the_original_leaves_the_global_random_state():
    pytest.importorskip("pyautoattack")
    network, (images, labels) = digits_network(), digits(8)
    before = torch.get_rng_state()
    evaluate(network, images, labels, make("apgd-ce", backend="original"), [8.0])
    assert torch.equal(torch.get_rng_state(), before)


def test_the_original_says_what_it_cannot_do():
    with pytest.raises(ValueError, match="AutoAttack has no fgsm"):
        make("fgsm", backend="original")
    with pytest.raises(ValueError, match="no setting 'target_classes'"):
        make("apgd-t", backend="original", target_classes=3)


def test_checkpoints_are_those_of_the_authors():
    assert list(checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert list(checkpoints(100).values()) == [22, 19, 16, 13, 10, 7, 6, 6]
    # Of few steps, each interval is rounded by itself: at least one step.
    assert list(checkpoints(20)) == [4, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    assert list(checkpoints(5)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("steps", [100, 200, 1000])
def test_checkpoints_are_those_of_the_paper(steps):
    shares = [0, 22]  # p_0, p_1 in %; p_(j+1) = p_j + max(p_j − p_(j−1) − 3 %, 6 %)
    while shares[-1] <= 100:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 3, 6))
    # Where the shares are whole steps, as here, the paper's rounding up of the sum and the
    # authors' rounding down of each interval agree.
    assert list(checkpoints(steps)) == [p * steps // 100 for p in shares[1:] if p <= 100]


def test_a_check_is_due_after_the_gradient_of_its_iteration():
    due = intervals(100)  # the first gradient is that of the start
    assert due.nonzero()[:, 0].tolist() == [mark + 1 for mark in checkpoints(100)]
    assert due[due > 0].tolist() == list(checkpoints(100).values())


def test_a_checkpoint_halves_the_steps_of_stuck_images_and_returns_them_to_their_best():
    ones = torch.ones(5, 1, 1, 1)
    # few rises | many rises | no new best, halved before | no new best, not halved | not due
    run = Run.start(ball("Linf", ones / 2, 0.1), 0.2 * ones)
    run.current, run.best = 0.1 * ones, 0.9 * ones
    run.gradient, run.best_gradient = 0.3 * ones, 0.8 * ones
    run.best_loss, run.checked_loss = torch.tensor([2.0, 2.0, 1.0, 1.0, 1.0]), torch.ones(5)
    run.step, run.improved = 0.4 * ones, torch.tensor([15.0, 16.0, 16.0, 16.0, 1.0])
    run.halved = torch.tensor([False, False, True, False, False])
    run.check(torch.tensor([20.0, 20.0, 20.0, 20.0, 0.0]))
    assert run.halved.tolist() == [True, False, False, True, False]
    assert run.step.flatten().tolist() == pytest.approx([0.2, 0.4, 0.4, 0.2, 0.4])
    assert run.current.flatten().tolist() == pytest.approx([0.9, 0.1, 0.1, 0.9, 0.1])
    assert run.gradient.flatten().tolist() == pytest.approx([0.8, 0.3, 0.3, 0.8, 0.3])
    assert run.checked_loss.tolist() == [2, 2, 1, 1, 1]
    assert run.improved.tolist() == [0, 0, 0, 0, 1]


def test_squares_shrink_at_the_paper_s_queries():
    marks = [0, 10, 11, 50, 51, 200, 201, 500, 501, 1000, 1001, 2000, 2001, 4000, 4001, 4999]
    halvings = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    assert [share_of_pixels(0.8, q) for q in marks] == [0.8 / 2**h for h in halvings]
