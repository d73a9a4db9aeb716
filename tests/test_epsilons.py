"""ε in units of 1/255: what is taken, what is doubted, what is refused."""

import pytest
import torch
from torch import nn

from evaluation.attacks import evaluate, make
from evaluation.robustness.measures import attack_measures, parse_epsilons
from evaluation.search.live import live_measures
from testbed.basis.errors import InputError
from testbed.basis.units import in_pixels


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("1,8", (1.0, 8.0)), ("8/255", (8.0,)), ("0.5, 4/255,2 / 255", (0.5, 2.0, 4.0)),
        ("paper", None), ("0", (0.0,)),
    ],
)  # fmt: skip
def test_an_option_is_read(option, expected):
    assert parse_epsilons(option) == expected


@pytest.mark.parametrize("option", ["8/256", "8/", "/255", "", "eight", "-1", "inf", "1/255/255"])
def test_what_is_no_epsilon_is_refused(option):
    with pytest.raises(InputError, match="8/255"):
        parse_epsilons(option)


@pytest.mark.parametrize("option", ["8,8/255", "1,1.0"])
def test_an_epsilon_stands_once(option):
    with pytest.raises(InputError, match="twice"):
        parse_epsilons(option)


def attacked(epsilons, norm="Linf"):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval()
    images = torch.rand(6, 1, 8, 8)
    labels = network(images).argmax(1)
    return evaluate(network, images, labels, make("fgsm", norm), epsilons)


def test_an_epsilon_of_pixels_gets_a_note():
    (note,) = (text for text in attacked([8 / 255]).warnings if "units of 1/255" in text)
    assert "0.0314" in note
    assert "if 8/255 was meant, give 8" in note


@pytest.mark.parametrize(
    ("epsilon", "meant"),
    [(0.031, "8"), (0.0157, "4"), (1 / 255, "1"), (0.02, "5.1"), (0.1, None), (0.0, None)],
)
def test_what_an_epsilon_of_pixels_may_have_meant(epsilon, meant):
    assert in_pixels(epsilon) == meant


@pytest.mark.parametrize("epsilons", [[0.1, 8], [0.0, 255.0]])
def test_published_epsilons_get_none(epsilons):
    assert not any("units of 1/255" in text for text in attacked(epsilons).warnings)


def test_more_than_the_range_of_pixels_is_refused_but_in_l2():
    with pytest.raises(InputError, match="at most 255; got 256"):
        attacked([256.0])
    attacked([512.0], "L2")


def test_commands_refuse_it_before_they_begin():
    with pytest.raises(InputError, match="at most 255; got 256"):
        attack_measures(["fgsm"], "Linf", (8.0, 256.0), {})
    with pytest.raises(InputError, match="at most 255; got 300"):
        live_measures(["fgsm@300"], {})
    attack_measures(["fgsm"], "L2", (512.0,), {})
