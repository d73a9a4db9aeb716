"""What is averaged in front of the classifier, however the average is written."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import proxies
from proxies.testing import batch
from tests.thorough import thorough

IMAGES, _ = batch(4)
NAMES = ["zen", "positive_receptive_field", "positive_leak"]
SIDE = 8


def tokens(x):
    return x.flatten(2).transpose(1, 2)


USUAL = {
    "all at once": lambda x: x.mean((2, 3)),
    "one after the other": lambda x: x.mean(-1).mean(-1),
    "kept": lambda x: x.mean(2, keepdim=True).mean(3, keepdim=True).flatten(1),
    "positions in a row": lambda x: x.flatten(2).mean(2),
    "channels last": lambda x: x.permute(0, 2, 3, 1).mean((1, 2)),
    "channels last, laid out so": lambda x: x.permute(0, 2, 3, 1).contiguous().mean((1, 2)),
    "tokens": lambda x: tokens(x).mean(1),
    "tokens before samples": lambda x: tokens(x).transpose(0, 1).contiguous().mean(0),
    "a sum": lambda x: x.sum((2, 3)) / SIDE**2,
    "a maximum": lambda x: x.flatten(2).max(2)[0],
    "a window": lambda x: functional.avg_pool2d(x, SIDE).flatten(1),
    "a window of a row": lambda x: functional.avg_pool1d(x.flatten(2), SIDE**2).flatten(1),
    "adaptive, of a row": lambda x: functional.adaptive_avg_pool1d(x.flatten(2), 1).flatten(1),
    "adaptive, of a volume": lambda x: functional.adaptive_avg_pool3d(x[:, :, None], 1).flatten(1),
}


class Network(nn.Module):
    def __init__(self, pool, channels):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5)
        self.second, self.head = nn.Conv2d(5, channels, 3, padding=1), nn.Linear(channels, 3)
        self.pool = pool

    def forward(self, x):
        features = functional.relu(self.second(functional.relu(self.norm(self.first(x)))))
        return self.head(self.pool(features))


def scores(pool, channels):
    found = proxies.score(Network(pool, channels), IMAGES, None, NAMES)
    return [found[name].value for name in NAMES], [found[name].reason for name in NAMES]


@pytest.mark.parametrize("channels", [SIDE, pytest.param(12, marks=thorough)])  # as many as rows
def test_scores_do_not_depend_on_how_an_average_is_written(channels):
    expected, _ = scores(lambda x: functional.adaptive_avg_pool2d(x, 1).flatten(1), channels)
    for form, pool in list(USUAL.items())[:: 1 if channels == 12 else 2]:
        found, reasons = scores(pool, channels)
        assert found == pytest.approx(expected, rel=1e-5), (form, reasons)


def test_positions_that_are_no_rows_and_columns_have_no_centre():
    def pool(x):
        rows = x.flatten(2)
        return torch.cat([rows, rows[:, :, :1]], 2).mean(2)  # a token beside the positions

    (zen, *field), reasons = scores(pool, 12)
    assert zen == zen
    assert all(value != value for value in field)
    assert "the 65 positions that are averaged are no rows and columns" in str(reasons[1])
