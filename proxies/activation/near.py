"""NEAR: the effective ranks of what enters and leaves the non-linearities.

Husistein, Reiher and Eckhoff, "NEAR: A Training-Free Pre-Estimator of Machine Learning Model
Performance", ICLR 2025, arXiv:2408.08776.
"""

import torch
from torch import Tensor

from proxies.activation.blocks import channels_last_rows
from proxies.conditions import UndefinedError
from proxies.probe import Probe, Score

__all__ = ["effective_rank", "near"]


def near(probe: Probe) -> Score:
    """Return the sum over the non-linearities of the effective ranks of input and output.

    A matrix has as many rows as channels, drawn from all positions of all images; its effective
    rank is exp H(σ/Σσ), σ its singular values (Roy and Vetterli 2007). The authors' code takes
    every module with a weight, batch norms too, and one contiguous block of rows. Where there
    are less positions than channels the matrix has as many rows as there are positions.
    """
    bends = probe.tape.bends
    if not bends:
        raise UndefinedError("no elementwise non-linearity reaches the logits: there are no layers")
    total = 0.0
    for number, bend in enumerate(bends):
        before, after = channels_last_rows(bend.input), channels_last_rows(bend.output)
        source = probe.generator("near", number)
        chosen = torch.randperm(len(before), generator=source)[: before.shape[1]]
        chosen = chosen.to(before.device)
        total += effective_rank(before[chosen]) + effective_rank(after[chosen])
    return Score(total, details={"layers": len(bends)})


def effective_rank(matrix: Tensor) -> float:
    """Return exp H(σ/Σσ) of a matrix's singular values σ; 0 for a matrix of zeros."""
    if not bool(matrix.isfinite().all()):
        raise UndefinedError("the activations are not finite numbers")
    values = torch.linalg.svdvals(matrix.double())
    if not float(values.sum()) > 0:
        return 0.0
    return float(torch.special.entr(values / values.sum()).sum().exp())
