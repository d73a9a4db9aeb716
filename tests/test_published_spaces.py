"""The records of DARTS and of the size space: what every record promises, and its own numbers."""

import random

import pytest
import torch
from typer.testing import CliRunner

from proxies.compute import app
from testbed.spaces import GenotypeError, get, space_of
from testbed.spaces.weights import random_network
from testbed.store import read_scores

SMALL = {"size": {}, "darts": {"channels": 4, "cells": 3}}
USUAL = (
    "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('max_pool_3x3', 0), "
    "('sep_conv_5x5', 1), ('skip_connect', 2), ('dil_conv_3x3', 0), ('dil_conv_5x5', 4), "
    "('skip_connect', 0)], normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 1)], reduce_concat=range(2, 6))"
)


@pytest.fixture(params=SMALL)
def space(request):
    return get(request.param)


def some(space, count=8):
    source = random.Random(0)
    return [space.draw(source) for _ in range(count)]


def test_names_say_their_space_and_are_read(space):
    for genotype in (*some(space), space.parse(space.example)):
        name = space.name(genotype)
        assert space_of(name) is space
        assert space.parse(name) == genotype
        assert "," not in name
        assert hash(space.parse(name)) == hash(genotype)
        assert space.representative(genotype) == genotype


def test_choices_compose_what_they_are_of(space):
    for genotype in some(space):
        own = space.options(genotype)
        assert all(own[choice] in options for choice, options in space.choices.items())
        assert space.compose(own) == genotype


def test_neighbours_are_others_and_mutual(space):
    genotype = some(space)[0]
    found = space.neighbours(genotype)
    assert len(set(found)) == len(found) == {"size": 35, "darts": 120}[space.key]
    assert genotype not in found
    assert all(genotype in space.neighbours(other) for other in found[::17])


def test_encodings_tell_genotypes_apart(space):
    found = some(space, 20)
    rows = space.encode(found)
    assert rows.shape == (20, {"size": 40, "darts": 224}[space.key])
    assert len({row.tobytes() for row in rows}) == len(set(found))


def test_counts_in_closed_form_are_those_of_the_network(space):
    for genotype in some(space, 3):
        network = random_network(space, genotype, 0, classes=7, in_channels=1, **SMALL[space.key])
        counted = sum(p.numel() for p in network.parameters())
        sizes = {"classes": 7, "in_channels": 1, **SMALL[space.key]}
        assert space.parameters(genotype, **sizes) == counted
        assert network.eval()(torch.rand(2, 1, 8, 8)).shape == (2, 7)
        assert space.flops(genotype, resolution=10, **sizes) is None
        again = random_network(space, genotype, 0, classes=7, in_channels=1, **SMALL[space.key])
        assert all(map(torch.equal, network.state_dict().values(), again.state_dict().values()))


def test_numbers_are_published_ones_or_none():
    size, darts = get("size"), get("darts")
    assert size.name(size.numbered(0)) == "8:8:8:8:8"
    assert size.number(size.parse("8:8:8:8:16")) == 1
    assert size.name(size.genotypes[32767]) == "64:64:64:64:64"
    with pytest.raises(GenotypeError, match="0 to 32767"):
        size.numbered(32768)
    assert darts.number(some(darts)[0]) is None
    with pytest.raises(GenotypeError, match="no numbers"):
        darts.numbered(3)


def test_forms_of_others_are_one_network():
    darts = get("darts")
    genotype = darts.parse(USUAL)
    swapped = USUAL.replace(
        "('sep_conv_3x3', 1), ('skip_connect', 0)", "('skip_connect', 0), ('sep_conv_3x3', 1)", 1
    )
    assert darts.name(darts.parse(swapped)) == darts.name(genotype)
    normal, reduction = darts.cells(genotype)
    assert (normal.title, reduction.title) == ("normal", "reduction")
    assert len(normal.edges) == 12
    assert all(normal.live)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--space", "darts", "--archs", "0"], "cannot read"),
        (["--space", "dart", "--archs", "sample:1"], "did you mean 'darts'"),
        (["--space", "size", "--archs", "8:16:24:32:41"], "expected width 5"),
        (["--space", "size", "--archs", "sample:1", "--channels", "4"], "no channels to choose"),
    ],
)
def test_mistakes_are_one_line(words, said):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "words", [["8:16:24:32:40"], ["darts_", "--channels", "4", "--cells", "3"]]
)
def test_they_are_scored_by_name(words, tmp_path):
    first, *rest = words
    archs = get("darts").example if first == "darts_" else first
    common = ["--batch-size", "8", "--workers", "1", "--store", str(tmp_path / "s.sqlite")]
    proxies = ["--proxies", "params,flops,snip,jacobian_norm,paths_pool_min"]
    result = CliRunner().invoke(app, ["--archs", archs, *rest, *common, *proxies])
    assert result.exit_code == 0, result.output
    found = read_scores(tmp_path / "s.sqlite").set_index("proxy")
    assert set(found["network"]) == {archs}
    assert found.loc[["params", "flops", "snip", "jacobian_norm"], "value"].gt(0).all()
    assert "names none" in found.loc["paths_pool_min", "reason"]
