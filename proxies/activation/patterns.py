"""Which units are on: the binary patterns of a forward pass.

A unit is an entry of the input of a non-linearity as it is executed, so that a module that is
used twice counts twice and a function counts like a module; only what reaches the logits counts.
A unit is on where its input is positive, for a ReLU where it lets through. Mellor et al. define
this for ReLUs; for smooth units (GELU, SiLU, …) the sign of the input is the natural extension.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from proxies.axes import sample_first
from proxies.conditions import OptionError, UndefinedError
from proxies.cost import params
from proxies.operations import Bend
from proxies.probe import Probe, Score

__all__ = ["agreement", "count_distinct", "distinct_units", "nwot", "swap", "swap_reg"]


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


def swap(probe: Probe) -> Score:
    """Return the number of distinct units, a unit told by its states over the samples.

    Peng et al., "SWAP-NAS: Sample-Wise Activation Patterns for Ultra-fast NAS", ICLR 2024,
    definition 3.2: the number of distinct rows of the (units × B) matrix of states, which is
    at most 2^B. The authors count ReLUs with spatial positions only, and take the mean over 32
    batches of 16 images.
    """
    return Score(float(count_distinct(_units(probe, _active))))


def swap_reg(probe: Probe, *, mu: float = 0.9, sigma: float = 0.9) -> Score:
    """Return swap · exp(−(P − μ)² / σ), P the number of parameters in millions.

    μ and σ say which size is wanted: they are the user's, not found by the proxy.
    """
    if not sigma > 0:
        raise OptionError(f"sigma is a positive number; got {sigma}")
    size = params(probe).value / 1e6
    distance = size - mu
    share = math.exp(-distance * distance / sigma)
    if share == 0:
        raise UndefinedError(
            f"with {size:g} million parameters the factor exp(−(P − μ)² / σ) is 0 in float64 for "
            f"μ = {mu:g} and σ = {sigma:g}: give the size that is wanted, in millions"
        )
    return Score(swap(probe).value * share)


def distinct_units(probe: Probe) -> list[int]:
    """Return the number of distinct units of each non-linearity, in the order of execution."""
    return probe.shared(
        "distinct units",
        lambda: [count_distinct([states]) for states in _units(probe, _active)],
    )


def count_distinct(states: list[Tensor]) -> int:
    """Return how many columns differ among matrices of states with as many rows each."""
    words = []
    for active in states:
        bits = active.mT.cpu()  # a row a unit
        padded = torch.nn.functional.pad(bits, (0, -bits.shape[1] % 32)).unflatten(1, (-1, 32))
        powers = 2 ** torch.arange(32, dtype=torch.int64)
        words.append(_distinct_rows((padded.long() * powers).sum(2)))
    return len(_distinct_rows(torch.cat(words)))


def _distinct_rows(words: Tensor) -> Tensor:
    if words.shape[1] == 1:  # sorting numbers is faster than sorting rows
        return words.flatten().unique()[:, None]
    return words.unique(dim=0)


def agreement(probe: Probe) -> Tensor:
    """Return K, (B, B) in float64: how many units two samples have in one state."""
    return probe.shared("agreement of patterns", lambda: _agreement(probe))


def _agreement(probe: Probe) -> Tensor:
    count = len(probe.images)
    total = torch.zeros((count, count), dtype=torch.float64)
    for units in _units(probe, _input):
        # ±1 and not 0/1: one product counts agreements in both states. Exact: integers < 2²⁴ a
        # block in float32, added up in float64.
        for block in units.split(2**22, 1):
            signs = torch.where(block > 0, 1.0, -1.0).float()
            total += ((signs @ signs.mT).double() + signs.shape[1]).cpu() / 2
    return total


def _units(probe: Probe, value: Callable[[Bend], Tensor]) -> list[Tensor]:
    """Return a value of each non-linearity's units, (B, units), that belong to single images."""
    bends = probe.tape.bends
    if not bends:
        raise UndefinedError("no elementwise non-linearity reaches the logits: there are no units")
    return [by_sample(bend, value(bend), len(probe.images)) for bend in bends]


def by_sample(bend: Bend, values: Tensor, count: int, what: str = "image") -> Tensor:
    """Return what a non-linearity's units have, (count, units), each unit's of single samples.

    Raises:
        UndefinedError: if its units belong to no single sample.
    """
    units = sample_first(values, bend.axes, count)
    if units is None:
        raise UndefinedError(
            f"a non-linearity sees {len(bend.input)} rows for {count} {what}s: its units belong "
            f"to no single {what}"
        )
    return units


def _active(bend: Bend) -> Tensor:
    return bend.active


def _input(bend: Bend) -> Tensor:
    return bend.input
