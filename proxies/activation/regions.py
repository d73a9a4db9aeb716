"""How many linear regions random points fall into.

Chen, Gong and Wang, "Neural Architecture Search on ImageNet in Four GPU Hours (TE-NAS)",
ICLR 2021; Xiong et al., ICML 2020.
"""

import torch

from proxies.activation.patterns import by_sample, count_distinct
from proxies.conditions import OptionError, UndefinedError
from proxies.probe import Probe, Score
from proxies.tape import record
from testbed.networks.outcome import explained

__all__ = ["linear_regions"]


def linear_regions(probe: Probe, *, samples: int = 512, size: int = 4) -> Score:
    """Return the number of distinct patterns of all units over points of N(0, 1).

    Points are images of ``size`` pixels a side: in so small a space random points share regions of
    a narrow network, where a batch of ordinary images never does. The authors count 1,000 points
    of 3 × 3 pixels and one channel, and narrow the network to a few channels; a wide one gives
    each point a region of its own, which is said.

    Raises:
        UndefinedError: if the network does not take an image of that size, or has no units.
    """
    if samples < 2 or size < 1:
        raise OptionError(f"expected samples ≥ 2 and size ≥ 1; got {samples} and {size}")
    shape = (samples, probe.images.shape[1], size, size)
    points = torch.randn(shape, generator=probe.generator("regions", size)).to(probe.images)
    try:
        tape = record(probe.network, probe.fast.arrange(points))
    except UndefinedError:
        raise
    except Exception as error:
        raise UndefinedError(
            f"the network fails on images of {size} × {size} (the option size): {explained(error)}"
        ) from error
    if not tape.bends:
        raise UndefinedError("no elementwise non-linearity reaches the logits: there are no units")
    # A point is a column: its states are those of all units.
    states = [by_sample(bend, bend.active, samples, "point").mT for bend in tape.bends]
    count = count_distinct([torch.cat(states)])
    full = f"all {samples} points fall into regions of their own: there are at least as many"
    return Score(float(count), full if count == samples else None)
