"""The parameter Hessian against PyHessian, on a real architecture at full size."""

import pytest
import torch
from torch.nn.functional import cross_entropy

import proxies
from proxies.preparation import prepare
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.weights import random_network
from tests.thorough import thorough

pyhessian = pytest.importorskip("pyhessian", reason="the oracle PyHessian is not installed")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("index", [284, pytest.param(81, marks=thorough)])
def test_top_eigenvalue_is_within_one_percent(index):
    source = torch.Generator().manual_seed(0)
    images, labels = torch.rand(4, 3, 32, 32, generator=source), torch.arange(4)
    network = random_network(Genotype.from_index(index), 0)
    found = proxies.score(network, images, labels, ["hessian_params"])["hessian_params"]
    torch.manual_seed(0)
    ready = prepare(network, images, "calibrated").to(memory_format=torch.contiguous_format)
    computer = pyhessian.hessian(ready, cross_entropy, data=(images, labels), cuda=False)
    expected = computer.eigenvalues(maxIter=300, tol=1e-5)[0][0]
    assert found.converged
    assert found.value == pytest.approx(expected, rel=0.01)
