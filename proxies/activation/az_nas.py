"""The parts of AZ-NAS: how much the features hold, whether it grows, and how gradients pass.

Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search", CVPR 2024.
The score of the paper is Σ log(rank/m) of these three and of FLOPs over a population of m
networks; it is made from a store of scores, not from a network.
"""

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import pixel_unshuffle

from proxies.activation.blocks import blocks
from proxies.axes import channels_second
from proxies.conditions import UndefinedError
from proxies.probe import Probe, Score

__all__ = ["az_expressivity", "az_progressivity", "az_trainability"]


def az_expressivity(probe: Probe) -> Score:
    """Return Σ_l H_l, H_l the entropy of the normalised spectrum of block l's features.

    The spectrum is that of the covariance of the channels over all positions and images
    (equation 2). The authors feed N(0, 1); here the batch in hand is fed.
    """
    entropies = _entropies(probe)
    return Score(float(entropies.sum()), details={"blocks": len(entropies)})


def az_progressivity(probe: Probe) -> Score:
    """Return min_l (H_{l+1} − H_l): by how much at least a block adds to the former one's."""
    entropies = _entropies(probe)
    if len(entropies) < 2:
        raise UndefinedError("the network has a single block: nothing can grow")
    return Score(float(entropies.diff().min()))


def az_trainability(probe: Probe) -> Score:
    """Return the mean over the blocks of 2 − σ − 1/σ, 0 where a block keeps the gradient's size.

    σ is the largest singular value of the mean over positions of g_in g_outᵀ, where g_out is
    drawn from ±1 at the end of the block and g_in is what it becomes at the block's start
    (equation 5). Where a block halves the resolution, the pixels of a window of g_in are
    channels, as in the authors' code, which also gives −∞ to a block that is the identity.
    """
    found, parts = blocks(probe), []
    pairs = pairwise(zip(found.ends, found.axes, strict=True))
    for number, ((start, before), (end, after)) in enumerate(pairs):
        if start.dim() != end.dim():  # from an image to tokens
            continue
        source = probe.generator("az trainability", number)
        signs = torch.randint(0, 2, end.shape, generator=source).to(end) * 2 - 1
        (backward,) = torch.autograd.grad(
            end, start, signs, retain_graph=True, materialize_grads=True
        )
        parts.append(
            _trainability(channels_second(backward, before), channels_second(signs, after))
        )
    if not parts:
        raise UndefinedError("no block starts and ends with feature maps of one kind")
    return Score(float(torch.stack(parts).mean()), details={"blocks": len(parts)})


def _trainability(backward: Tensor, signs: Tensor) -> Tensor:
    stride = backward.shape[-1] // signs.shape[-1] if backward.dim() == 4 else 1
    if stride > 1 and all(size % stride == 0 for size in backward.shape[2:]):
        backward = pixel_unshuffle(backward, stride)
    first, last = (x.detach().movedim(1, -1).flatten(0, -2).double() for x in (backward, signs))
    if len(first) != len(last):
        raise UndefinedError(
            f"a block turns {len(first)} positions into {len(last)}: gradients on both sides "
            "cannot be compared"
        )
    largest = torch.linalg.matrix_norm(first.mT @ last / len(first), 2)
    if not float(largest) > 0:
        raise UndefinedError("no gradient passes through a block")
    return 2 - largest - 1 / largest


def _entropies(probe: Probe) -> Tensor:
    return probe.shared(
        "entropies of blocks",
        lambda: torch.stack([_entropy(rows) for rows in blocks(probe).features()]),
    )


def _entropy(rows: Tensor) -> Tensor:
    rows = rows.double()
    centred = rows - rows.mean(0)
    values = torch.linalg.eigvalsh(centred.mT @ centred).clamp(min=0)
    if not bool(values.isfinite().all()):
        raise UndefinedError("the features are not finite numbers")
    if not float(values.sum()) > 0:  # a block without variance holds nothing
        return values.new_zeros(())
    shares = values / values.sum()
    return torch.special.entr(shares).sum()
