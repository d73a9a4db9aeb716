"""What a process does once, before a proxy's clock runs, so that its seconds are its own.

The first dispatch mode of a process imports ``torch._dynamo``, the first product with a vector
sympy, the first call of a proxy its own module, the first kernel on a device a library: two
seconds in all, a hundred times the cost of a score of a small network. So a proxy is tried
first on a network of a few hundred weights, once for each process, device and way to compute.
"""

import torch
from torch import nn

from proxies.probe import Probe
from testbed.basis.seeding import global_draws
from testbed.catalogue.spec import ProxySpec
from testbed.networks.modes import own_modes

__all__ = ["first_probe", "small_probe"]

IMAGES, CHANNELS, SIDE, CLASSES = 4, 3, 8, 4
_DONE: set[tuple[object, ...]] = set()


def first_probe(spec: ProxySpec, probe: Probe, smooth: bool = False) -> Probe | None:
    """Return the small probe that a proxy should be tried on first; None after the first time.

    Args:
        spec: the proxy.
        probe: what it is about to score: the small probe has its device, dtype and mode.
        smooth: whether that network is not piecewise linear, for which some proxies have
            another method, with other needs.
    """
    kind = (spec.name, probe.images.device, probe.images.dtype, probe.batch_norm, smooth)
    if kind in _DONE:
        return None
    _DONE.add(kind)
    return small_probe(probe.images.device, probe.images.dtype, probe.batch_norm, smooth)


def small_probe(
    device: torch.device | str, dtype: torch.dtype, batch_norm: str, smooth: bool = False
) -> Probe:
    """Return the probe of a small network, trained or not, whichever the mode needs."""
    with own_modes(device), global_draws("warm up", device=device):
        images = torch.rand(IMAGES, CHANNELS, SIDE, SIDE).to(device, dtype)
        labels = torch.arange(IMAGES, device=device) % CLASSES
        network = _network(smooth).to(device)
        return Probe(network, images, labels, batch_norm=batch_norm, key=("warm up",))


def _network(smooth: bool) -> nn.Module:
    norm = nn.BatchNorm2d(CHANNELS)
    nn.init.ones_(norm.running_mean)  # type: ignore[arg-type] - of a trained one, for `running`
    bend, pool = nn.GELU() if smooth else nn.ReLU(), nn.AvgPool2d(3, 1, 1)
    head = nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(CHANNELS * 4, CLASSES)
    return nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), norm, bend, pool, *head)
