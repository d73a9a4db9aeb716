import itertools

import pytest
import torch

from testbed.spaces.nasbench201.functional_twins import functional_form, functional_twins
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.isomorphism import representatives, unique_ids
from testbed.spaces.nasbench201.network import Network
from tests.thorough import some

N, S, ONE, THREE, POOL = "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"


def network(genotype):
    """Return a small network in float64 whose every parameter and statistic is random."""
    generator = torch.Generator().manual_seed(genotype.index)
    result = Network(genotype, channels=4, cells=1, classes=3).double().eval()
    with torch.no_grad():
        for name, value in result.state_dict().items():
            if value.is_floating_point():
                drawn = torch.randn(value.shape, generator=generator, dtype=value.dtype)
                value.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
    return result


def copy_weights(source, target):
    """Give the target the source's weights, each convolution those of its twin."""
    forms = [functional_form(net.genotype) for net in (source, target)]
    names = dict(zip(forms[1].convolutions, forms[0].convolutions, strict=True))
    state = source.state_dict()
    for name, value in target.state_dict().items():
        head, _, rest = name.partition(".layers.")
        if not rest:
            value.copy_(state[name])
            continue
        edge, _, part = rest.partition(".")
        if int(edge) not in names or (int(edge) in forms[1].constant and part == "op.1.weight"):
            continue  # dead, or the kernel of a convolution that reads zeros
        value.copy_(state[f"{head}.layers.{names[int(edge)]}.{part}"])


def equal(first, second, training=False):
    """Say whether two networks are equal on random images once one has the other's weights."""
    one, other = network(first), network(second)
    copy_weights(one, other)
    images = torch.rand(3, 3, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        logits = [net.train(training)(images) for net in (one, other)]
    return torch.allclose(*logits, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("training", [False, True])
def test_twins_are_the_same_function_of_the_same_weights(training):
    # Neighbours in a group; some of the groups, and each size.
    groups = functional_twins(unique_ids())
    by_size = {len(group): group for group in groups}
    for group in [*some(groups, 25), *by_size.values()]:
        for first, second in itertools.pairwise(group[:4]):
            pair = Genotype.from_index(first), Genotype.from_index(second)
            assert equal(*pair, training=training), pair


def test_there_are_781_groups_among_the_unique_networks():
    groups = functional_twins(unique_ids())
    assert (len(groups), sum(map(len, groups))) == (781, 2370)
    assert all(list(group) == sorted(group) for group in groups)
    assert len(set().union(*groups)) == 2370
    assert functional_twins([groups[0][0], groups[1][0]]) == []


def test_of_523_published_classes_the_members_are_not_one_function():
    forms = {}
    for number, lowest in enumerate(representatives()):
        forms.setdefault(lowest, set()).add(functional_form(Genotype.from_index(number)).form)
    assert sum(len(members) > 1 for members in forms.values()) == 523


TWINS = {
    "a dead edge": [(N, S, N, N, N, ONE), (THREE, S, N, N, N, ONE)],
    "a sum's order through a skip": [(ONE, THREE, S, N, N, S), (THREE, ONE, S, N, N, S)],
    "a kernel that reads zeros": [(N, N, N, S, ONE, N), (N, N, N, S, THREE, N)],
    "a pooled sum": [(ONE, S, S, N, N, POOL), (ONE, N, N, POOL, POOL, N)],
}
DIFFERENT = {
    "one convolution read twice, and two": [(ONE, N, S, N, S, S), (ONE, ONE, N, N, S, S)],
    "two parallel convolutions, and one": [(S, N, N, ONE, ONE, N), (N, N, N, ONE, N, N)],
    "the bias of a convolution of zeros": [(N, N, N, S, ONE, N), (N, N, N, S, N, N)],
    "kernels": [(N, N, N, ONE, N, N), (N, N, N, THREE, N, N)],
    "a skip twice": [(S, N, N, S, S, N), (N, N, N, S, N, N)],
    "pooled before and after": [(POOL, N, N, N, ONE, N), (ONE, N, N, N, POOL, N)],
}


@pytest.mark.parametrize("case", TWINS)
def test_identities_by_hand(case):
    one, other = (Genotype(operations) for operations in TWINS[case])
    assert functional_form(one).form == functional_form(other).form
    assert equal(one, other)
    assert equal(one, other, training=True)


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_is_another_function_has_another_form(case):
    one, other = (Genotype(operations) for operations in DIFFERENT[case])
    assert functional_form(one).form != functional_form(other).form
