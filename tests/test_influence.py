"""How far images that influence each other change logits, in words."""

import math

import pytest
import torch
from torch import nn

import proxies
from evaluation.attacks.subject import subject
from proxies.testing import batch
from testbed.networks.errors import NetworkError
from testbed.networks.independence import by_how_much, relative_change

IMAGES, LABELS = batch(4)


class Centred(nn.Module):
    """Logits less a share of their mean over the batch: of one image alone they may all be 0."""

    def __init__(self, share):
        super().__init__()
        torch.manual_seed(0)
        self.head, self.share = nn.Linear(192, 3), share

    def forward(self, x):
        logits = self.head(x.flatten(1))
        return logits - self.share * logits.mean(0)


@pytest.mark.parametrize(("share", "words"), [(1, "change altogether"), (0.5, r"change by 0?\.\d")])
def test_logits_that_are_zero_alone_change_altogether(share, words):
    network = Centred(share).eval()
    found = proxies.score(network, IMAGES, LABELS, "jacobian_norm")["jacobian_norm"]
    assert math.isnan(found.value)
    with pytest.raises(NetworkError, match=words), subject(network, IMAGES, LABELS):
        pass
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(found.reason)


def test_a_change_from_zeros_or_to_nan_is_infinite_and_none_is_none():
    one, zero = torch.ones(3), torch.zeros(3)
    assert relative_change(one, zero) == relative_change(one, one / zero * zero) == math.inf
    assert relative_change(zero, zero) == 0
    assert relative_change(2 * one, one) == 1
    assert "e+" not in by_how_much(relative_change(1e-3 * one, zero))
