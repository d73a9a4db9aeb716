"""NEAR: the effective ranks of what enters and leaves the non-linearities.

Husistein, Reiher and Eckhoff, "NEAR: A Training-Free Pre-Estimator of Machine Learning Model
Performance", ICLR 2025, arXiv:2408.08776.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.modules import activation

from proxies.axes import rows_of_channels
from proxies.conditions import UndefinedError
from proxies.loss_gradients import require_weights
from proxies.probe import Probe, Score
from testbed.networks.copying import working_copy
from testbed.networks.strides import safe_strides

__all__ = ["effective_rank", "near", "near_reference"]

ACTIVATIONS = tuple(getattr(activation, name) for name in activation.__all__)


def near(probe: Probe) -> Score:
    """Return the sum over the non-linearities of the effective ranks of input and output.

    A matrix has as many rows as channels, drawn from all positions of all images; its effective
    rank is exp H(σ/Σσ), σ its singular values (Roy and Vetterli 2007). Where there are less
    positions than channels the matrix has as many rows as there are positions. The authors' code
    takes other layers and neighbouring rows: `near_reference`.
    """
    bends = probe.tape.bends
    if not bends:
        raise UndefinedError("no elementwise non-linearity reaches the logits: there are no layers")
    total = 0.0
    for number, bend in enumerate(bends):
        before, after = (
            rows_of_channels(bend.input, bend.axes),
            rows_of_channels(bend.output, bend.axes),
        )
        source = probe.generator("near", number)
        chosen = torch.randperm(len(before), generator=source)[: before.shape[1]]
        chosen = chosen.to(before.device)
        total += effective_rank(before[chosen]) + effective_rank(after[chosen])
    return Score(total, details={"layers": len(bends)})


def near_reference(probe: Probe) -> Score:
    """Return the sum of the effective ranks of what modules give, as the authors' code has it.

    The modules are all with a ``weight``, batch norms too, and the activations of `torch.nn`, dead
    ones left out; of a module that is called twice the first call counts, and what the forward does
    without a module does not. A matrix is a block of neighbouring rows, as many as channels, that
    starts at a random column of a random image; neighbours resemble each other, so that the ranks
    are smaller than those of `near`.

    Raises:
        UndefinedError: if the network calls no such module.
    """
    require_weights(probe.tape)
    network = working_copy(probe.network)
    found: dict[int, Tensor] = {}

    def see(number: int, output: Any) -> None:
        output = output[0] if isinstance(output, tuple) else output
        if isinstance(output, Tensor) and output.dim() > 1:
            found.setdefault(number, output.detach().clone())

    layers = [m for m in network.modules() if hasattr(m, "weight") or isinstance(m, ACTIVATIONS)]
    for number, layer in enumerate(layers):
        layer.register_forward_hook(lambda _, __, output, n=number: see(n, output))
    with torch.no_grad(), safe_strides():
        network(probe.fast.arrange(probe.images).clone())
    if not found:
        raise UndefinedError("the network calls no module with a weight, and no activation")
    ranks = [effective_rank(_block(probe, number, found[number])) for number in sorted(found)]
    return Score(sum(ranks), details={"layers": len(ranks)})


def _block(probe: Probe, number: int, output: Tensor) -> Tensor:
    width = output.shape[-1]
    rows = output.transpose(1, 3) if output.dim() == 4 else output  # columns before rows
    rows = rows.flatten(0, -2)
    starts = max(1, len(rows) // width - 1)
    start = int(torch.randint(starts, (), generator=probe.generator("near reference", number)))
    return rows[start * width : start * width + rows.shape[1]]


def effective_rank(matrix: Tensor) -> float:
    """Return exp H(σ/Σσ) of a matrix's singular values σ; 0 for a matrix of zeros."""
    if not bool(matrix.isfinite().all()):
        raise UndefinedError("the activations are not finite numbers")
    values = torch.linalg.svdvals(matrix.double())
    if not float(values.sum()) > 0:
        return 0.0
    return float(torch.special.entr(values / values.sum()).sum().exp())
