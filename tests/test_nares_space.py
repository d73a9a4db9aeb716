"""NARes' space: names, networks and counts. The smallest of its networks has 23 million weights."""

import random

import numpy as np
import pytest
import torch
from torch.nn import functional
from typer.testing import CliRunner

import proxies
from evaluation.ranking.table import rank
from evaluation.truths import open_truth
from proxies.compute import app
from testbed.spaces import GenotypeError, get, space_of
from testbed.store import read_scores
from testbed.tables import RANDOM_CIFAR10
from tests.test_nares import entry, write

NARES = get("nares")
NAME, AUTHORS = "nares_4x8-5x10-7x16", "Arch(D1=4, W1=8, D2=5, W2=10, D3=7, W3=16)"


def on_meta(genotype, **options):
    with torch.device("meta"):
        return NARES.build(genotype, **options)


def test_both_forms_of_a_name_are_one_network():
    genotype = NARES.parse(AUTHORS)
    assert NARES.parse(NAME) == genotype == NARES.parse(AUTHORS.replace(" ", ""))
    assert NARES.name(genotype) == NAME
    assert space_of(AUTHORS) is space_of(NAME) is NARES
    assert list(NARES.options(genotype)) == ["D1", "W1", "D2", "W2", "D3", "W3"]
    assert NARES.compose(NARES.options(genotype)) == genotype
    assert genotype.channels == (128, 320, 1024)
    assert NARES.size == len(NARES.genotypes) == 15_625
    assert len({NARES.name(one) for one in NARES.genotypes}) == 15_625
    assert len(NARES.neighbours(genotype)) == 6 * 4
    assert NARES.number(genotype) is None
    assert NARES.encode([genotype]).sum() == 6


@pytest.mark.parametrize(
    "text",
    ["nares_4x8-5x10", "nares_4x8-5x10-7x17", "nares_3x8-5x10-7x16", AUTHORS.replace("D2", "D1"),
     "Arch(D1=4)", "nares_4x8-5x10-7x16-4x8", "nares_04x8-5x10-7x16-"],
)  # fmt: skip
def test_what_is_no_network_is_refused(text):
    with pytest.raises(GenotypeError, match="NARes"):
        NARES.parse(text)


def plain(state, images, depths):
    """Evaluate weights without a module: batch norms that changed nothing yet."""

    def active(name, h):
        h = functional.batch_norm(
            h, *(state[f"{name}.{what}"] for what in ("running_mean", "running_var")),
            state[f"{name}.weight"], state[f"{name}.bias"],
        )  # fmt: skip
        return h.clamp(min=0)

    h = functional.conv2d(images, state["stem_conv.weight"], padding=1)
    for stage, depth in enumerate(depths):
        for block in range(depth):
            name, stride = f"blocks.{stage}.layer.{block}", 2 if stage and not block else 1
            a = active(f"{name}.bn1", h)
            short = state.get(f"{name}.shortcut.0.weight")
            h = h if short is None else functional.conv2d(a, short, stride=stride)
            a = functional.conv2d(a, state[f"{name}.conv1.weight"], stride=stride, padding=1)
            a = active(f"{name}.bn2", a)
            h = h + functional.conv2d(a, state[f"{name}.conv2.weight"], padding=1)
    return active("norm1", h).mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


def test_the_network_is_a_wide_residual_one_with_activation_in_front():
    genotype = NARES.parse("nares_4x8-4x8-4x8")
    torch.manual_seed(0)
    network = NARES.build(genotype, classes=7).eval()
    images = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        expected = plain(network.state_dict(), images, genotype.depths)
        torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)
    counted = proxies.score(network, images, None, ["params", "flops"])
    assert counted["params"].value == NARES.parameters(genotype, classes=7)
    assert counted["flops"].value == NARES.flops(genotype, classes=7, resolution=8)


def test_counts_are_those_of_the_networks():
    source = random.Random(0)
    for genotype in [NARES.draw(source) for _ in range(10)]:
        built = on_meta(genotype, classes=5, in_channels=1)
        count = sum(parameter.numel() for parameter in built.parameters())
        assert NARES.parameters(genotype, classes=5, in_channels=1) == count
    assert NARES.flops(genotype, resolution=32) > NARES.flops(genotype, resolution=31)


def test_a_truth_of_it_has_baselines(tmp_path):
    archs = [{"D1": depth, "W3": width} for depth in (4, 5, 7) for width in (8, 16)]
    lines = [entry(a, test_clean_acc=80.0 + n) for n, a in enumerate(archs)]
    truth = open_truth(write(tmp_path, *lines))
    assert truth.facts.space == "nares"
    ranking = rank(read_scores(RANDOM_CIFAR10).iloc[:0], truth, targets=["clean"])
    assert set(ranking.table["proxy"]) == {"params", "flops"}
    assert np.isfinite(ranking.table["tau"]).all()


def test_a_number_is_no_name(tmp_path):
    words = ["--space", "nares", "--archs", "3", "--store", str(tmp_path / "a.sqlite")]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 2
    assert "have no numbers" in found.output
