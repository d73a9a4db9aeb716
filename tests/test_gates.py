"""A ReLU that is written by hand has the units of a ReLU."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import proxies
from proxies.tape import record
from proxies.testing import batch

IMAGES, LABELS = batch(6)
NAMES = ["nwot", "near", "lswag", "flipped_relus"]


def assigned(x):
    y = x.clone()
    y[y < 0] = 0
    return y


def multiplied(x):
    y = x * 1
    y *= y > 0
    return y


RELUS = {
    "a mask": lambda x: x * (x > 0),
    "a mask of numbers": lambda x: x * (x >= 0).to(x.dtype),
    "the rest of a mask": lambda x: x * (1 - (x <= 0).float()),
    "a mask of zeros": lambda x: x * (x > torch.zeros_like(x)),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "where, turned round": lambda x: torch.where(x < 0, torch.zeros_like(x), x),
    "a fill": lambda x: x.masked_fill(~(x > 0), 0),
    "an assignment": assigned,
    "in place": multiplied,
    "a minimum": lambda x: -torch.minimum(-x, torch.zeros(())),
    "cut from above": lambda x: -(-x).clamp(max=0),
}


class Network(nn.Module):
    def __init__(self, act, channels=5):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = (nn.Conv2d(inputs, channels, 3, padding=1) for inputs in (3, 5))
        self.head, self.act = nn.Linear(5, 3), act

    def forward(self, x):
        return self.head(self.act(self.second(self.act(self.first(x)))).mean((2, 3)))


def values(act):
    found = proxies.score(Network(act), IMAGES, LABELS, NAMES)
    return [found[name].value for name in NAMES]


def test_units_do_not_depend_on_how_a_relu_is_written():
    expected = values(functional.relu)
    for form, act in RELUS.items():
        assert values(act) == pytest.approx(expected, rel=1e-6), form


def test_a_leaky_unit_and_one_with_another_threshold_are_told_by_their_states():
    def shifted(x):
        return torch.where(x > 0.1, x, 0.1 * x)

    tape = record(Network(shifted), IMAGES)
    by_hand = [bend.active for bend in tape.bends]
    features = [product.output for product in tape.products[:2]]
    assert len(by_hand) == 2
    assert all(torch.equal(on, x > 0.1) for on, x in zip(by_hand, features, strict=True))


def test_a_gated_linear_unit_is_on_where_its_gate_is():
    tape = record(Network(lambda x: functional.glu(x, 1), channels=10), IMAGES)
    for bend, product in zip(tape.bends, tape.products, strict=False):
        assert torch.equal(bend.active, product.output[:, 5:] > 0)
    assert len(tape.bends) == 2


def test_what_compares_two_features_or_leads_nowhere_is_no_unit():
    def chosen(x):
        (x.detach() * (x > 0)).sum()
        return torch.where(x > x.flip(1), x, x.flip(1))

    assert not record(Network(chosen), IMAGES).bends
    found = proxies.score(Network(chosen), IMAGES, None, "nwot")["nwot"]
    assert found.value != found.value
    assert "no elementwise non-linearity" in str(found.reason)
