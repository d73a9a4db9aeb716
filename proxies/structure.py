"""Scores of the cell alone: what lies on its paths, and which operations are alive.

A structural score needs no network and no image. It is the baseline that a proxy of robustness
must beat where attacks are strong: the fewest average poolings on any path rank APGD at ε = 1 with
τ = .41 over NAS-Bench-201, where the number of parameters has .00.
"""

from collections.abc import Callable
from functools import partial

from proxies.conditions import UndefinedError
from proxies.probe import Probe, Score
from testbed.networks.copying import unwrapped
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.network import Network
from testbed.spaces.nasbench201.paths import PATH_STATISTICS

__all__ = ["OPERATION_COUNTS", "cell_of"]

# Proxy → the operation that it counts on live edges.
OPERATION_COUNTS = {
    "live_conv3": "nor_conv_3x3", "live_conv1": "nor_conv_1x1", "live_pool": "avg_pool_3x3",
    "live_skip": "skip_connect",
}  # fmt: skip


def cell_of(probe: Probe) -> Genotype:
    """Return the cell of a probe's network.

    Raises:
        UndefinedError: if the network is not made of one cell of NAS-Bench-201.
    """
    found = [layer for layer in unwrapped(probe.module).modules() if isinstance(layer, Network)]
    if len(found) != 1:
        raise UndefinedError("the network is no NAS-Bench-201 network: it has no cell to read")
    return found[0].genotype


def _of_paths(probe: Probe, *, statistic: str) -> Score:
    return Score(PATH_STATISTICS[statistic](cell_of(probe)))


def _of_operations(probe: Probe, *, operation: str) -> Score:
    cell = cell_of(probe)
    return Score(float(sum(cell.operations[edge] == operation for edge in cell.live_edges())))


def __getattr__(name: str) -> Callable[[Probe], Score]:
    """Return the proxy of a name: a statistic of the paths, or a count of live operations."""
    if name in PATH_STATISTICS:
        return partial(_of_paths, statistic=name)
    if name in OPERATION_COUNTS:
        return partial(_of_operations, operation=OPERATION_COUNTS[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
