"""What attacks on the same images say of each other."""

import numpy as np

from evaluation.robustness.cross_checks import cross_warnings
from evaluation.truths.targets import Target

at = Target.of_measure


def stood(*rows, size=400):
    """Which of ``size`` images resist: those with the given numbers."""
    found = np.zeros(size, dtype=bool)
    found[list(rows)] = True
    return found


FEW, MANY = stood(*range(40)), stood(*range(80))


def test_stronger_attacks_that_leave_fewer_images_raise_no_warning():
    robust = {at("fgsm@Linf", 1.0): MANY, at("pgd@Linf", 1.0): FEW, at("aa_apgd-ce@Linf", 1.0): FEW}
    assert cross_warnings(robust) == {}


def test_an_attack_weaker_than_a_simpler_one_is_named_with_both_accuracies():
    found = cross_warnings({at("fgsm@Linf", 1.0): FEW, at("pgd@Linf", 1.0): MANY})
    assert list(found) == [at("pgd@Linf", 1.0)]
    (text,) = found[at("pgd@Linf", 1.0)]
    assert "weaker than fgsm@Linf" in text
    assert "20.0%" in text
    assert "10.0%" in text


def test_half_a_point_is_left_to_the_random_starts():
    almost = stood(*range(42))
    assert cross_warnings({at("pgd@Linf", 1.0): FEW, at("aa_apgd-ce@Linf", 1.0): almost}) == {}
    more = stood(*range(43))
    assert cross_warnings({at("pgd@Linf", 1.0): FEW, at("aa_apgd-ce@Linf", 1.0): more})


def test_only_the_same_budget_and_norm_are_compared():
    robust = {at("fgsm@Linf", 1.0): FEW, at("pgd@Linf", 0.5): MANY, at("pgd@L2", 1.0): MANY}
    assert cross_warnings(robust) == {}


def test_an_image_that_square_breaks_and_apgd_does_not_is_reported_at_apgd():
    apgd, square = stood(1, 2, 3), stood(2, 3, *range(10, 60))
    found = cross_warnings({at("aa_apgd-ce@Linf", 2.0): apgd, at("aa_square@Linf", 2.0): square})
    (text,) = found[at("aa_apgd-ce@Linf", 2.0)]
    assert text.startswith("1 of 400 images")
