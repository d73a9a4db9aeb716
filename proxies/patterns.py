"""Which units are on: the binary patterns of a forward pass.

A unit is an entry of the input of a non-linearity as it is executed, so that a module that is
used twice counts twice and a function counts like a module; only what reaches the logits counts.
A unit is on where its input is positive, for a ReLU where it lets through. Mellor et al. define
this for ReLUs; for smooth units (GELU, SiLU, …) the sign of the input is the natural extension.
"""

import torch
from torch import Tensor

from proxies.conditions import UndefinedError
from proxies.probe import Probe, Score

__all__ = ["agreement", "nwot"]


def nwot(probe: Probe) -> Score:
    """Return log |det K|, K_ij the number of units in which samples i and j are in one state.

    Mellor et al., "Neural Architecture Search without Training", ICML 2021, equation 2, on the
    batch in hand (the paper's is of 128 images).

    Raises:
        UndefinedError: if two samples have one pattern (K is singular), or there are no units.
    """
    kernel = agreement(probe)
    sign, value = torch.linalg.slogdet(kernel)
    if len({tuple(row) for row in kernel.tolist()}) < len(kernel) or float(sign) <= 0:
        raise UndefinedError(
            "samples cannot be told apart by their patterns: the matrix of agreements is singular"
        )
    return Score(float(value), details={"units": int(kernel[0, 0])})


def agreement(probe: Probe) -> Tensor:
    """Return K, (B, B) in float64: how many units two samples have in one state."""
    return probe.shared("agreement of patterns", lambda: _agreement(probe))


def _agreement(probe: Probe) -> Tensor:
    count = len(probe.images)
    total = torch.zeros((count, count), dtype=torch.float64)
    for bend in probe.tape.bends:
        if len(bend.input) != count:
            raise UndefinedError(
                f"a non-linearity sees {len(bend.input)} rows for {count} images: its units belong "
                "to no single image"
            )
        # ±1 and not 0/1: one product counts agreements in both states. Exact: integers < 2²⁴ a
        # block in float32, added up in float64.
        for block in bend.input.flatten(1).split(2**22, 1):
            signs = torch.where(block > 0, 1.0, -1.0).float()
            total += ((signs @ signs.mT).double() + signs.shape[1]).cpu() / 2
    if not probe.tape.bends:
        raise UndefinedError("no elementwise non-linearity reaches the logits: there are no units")
    return total
