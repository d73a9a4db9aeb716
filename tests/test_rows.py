"""Logits of an image alone among others: how many there must be for the last bit."""

import pytest
import torch
from torch import nn

from testbed.networks.rows import MANY, least_rows


@pytest.mark.parametrize("inputs", [16, 64, 256, 768])
@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logits_do_not_depend_on_the_number_of_rows_from_the_least_on(inputs, classes, dtype):
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, classes)).to(dtype)
    rows = torch.randn(96, inputs, dtype=dtype)
    with torch.no_grad():
        logits = network(rows)
        for count in {least_rows(network), MANY, 40}:
            assert torch.equal(network(rows[:count]), logits[:count])


def test_a_large_weight_is_not_tried():
    assert least_rows(nn.Linear(2**11, 2**10)) == MANY
    assert least_rows(nn.Conv2d(3, 8, 3)) <= MANY
