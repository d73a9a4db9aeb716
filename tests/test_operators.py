"""Parts of a batch, and the memory they are measured by."""

import gc

import pytest
import torch

from proxies.operators import chunks, jacobian
from proxies.preparation import prepare
from testbed.networks.fast import fast_copy
from testbed.networks.outcome import outcome
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.weights import random_network
from tests.small_networks import ONE_OF_EACH, batch, cell_network


def frozen(images):
    return fast_copy(prepare(cell_network(), images, "calibrated"), images).network


def test_a_measured_graph_is_not_kept_alive():
    images, _ = batch(1)
    network, alive = frozen(images), []
    for _ in range(3):
        outcome(network, images)
        gc.collect()
        alive.append(sum(issubclass(type(o), torch.Tensor) for o in gc.get_objects()))
    assert alive[0] == alive[1] == alive[2]


@pytest.mark.parametrize("copies", [1, 3])
def test_the_graph_is_measured_in_bytes_of_an_image(copies):
    convolution = torch.nn.Conv2d(3, 4, 1, bias=False).requires_grad_(False)
    network = torch.nn.Sequential(convolution, torch.nn.ReLU(), torch.nn.Flatten())
    images = torch.rand(1, 3, 8, 8).repeat(copies, 1, 1, 1)
    # The convolution keeps its input, the ReLU its output; the frozen weight is no cost.
    assert outcome(network, images).graph_bytes == (3 + 4) * 8 * 8 * 4


@pytest.mark.parametrize("size", [1, 3, 4, 8, 9, 15, 17, 33, 64])
@pytest.mark.parametrize("affordable", [0, 1, 4, 9, 20, 1000])
@pytest.mark.parametrize("smallest", [4, 16])
def test_parts_are_nearly_equal_and_never_tiny(size, affordable, smallest):
    images, _ = batch(size)
    parts = list(chunks(images, affordable, smallest))
    lengths = [len(part) for part in parts]
    assert torch.equal(torch.cat(parts), images)
    assert min(lengths) >= min(smallest, size)
    assert max(lengths) - min(lengths) <= 1
    assert max(lengths) <= affordable or len(parts) == max(1, size // smallest)


@pytest.mark.parametrize("string", [ONE_OF_EACH, 284, 11])
def test_the_jacobian_of_a_part_has_the_bits_of_the_whole(string):
    """At the real width, in float32: CPU kernels must not care how many images they see."""
    genotype = Genotype.parse(string) if isinstance(string, str) else Genotype.from_index(string)
    images = batch(17, pixels=16)[0].float()
    plain = prepare(random_network(genotype, 0, cells=1), images, "calibrated")
    network = fast_copy(plain, images).network
    images = images.contiguous(memory_format=torch.channels_last)
    whole = jacobian(network, images)[1]
    for parts in (2, 3, 4):
        split = [jacobian(network, part)[1] for part in images.tensor_split(parts)]
        assert torch.equal(torch.cat(split), whole)
