"""W-PCA: parameters times the number of principal components that features need.

Wang, "W-PCA Based Gradient-Free Proxy for Efficient Search of Lightweight Language
Models", ICLR 2025, arXiv:2504.15983.
"""

import torch
from torch import Tensor

from proxies.axes import rows_of_channels
from proxies.conditions import OptionError, UndefinedError
from proxies.cost import params
from proxies.probe import Probe, Score

__all__ = ["wpca"]


def wpca(probe: Probe, *, share: float = 0.99) -> Score:
    """Return the number of parameters times the principal components of the hidden features.

    For each non-linearity (in a transformer, that of a feed-forward part) it is the least number
    of principal components of its input, over tokens or positions of all images, that hold
    ``share`` of the variance; these numbers are added up. Made for transformers; defined for any.
    """
    if not 0 < share <= 1:
        raise OptionError(f"share is above 0 and at most 1; got {share}")
    bends = probe.tape.bends
    if not bends:
        raise UndefinedError("no elementwise non-linearity reaches the logits: no hidden features")
    components = sum(_components(rows_of_channels(bend.input, bend.axes), share) for bend in bends)
    return Score(params(probe).value * components, details={"components": components})


def _components(rows: Tensor, share: float) -> int:
    centred = rows.double() - rows.double().mean(0)
    values = torch.linalg.eigvalsh(centred.mT @ centred).clamp(min=0).flip(0)
    if not bool(values.isfinite().all()):
        raise UndefinedError("the activations are not finite numbers")
    if not float(values.sum()) > 0:
        return 0
    held = values.cumsum(0) / values.sum()
    return int((held < share * (1 - 1e-12)).sum()) + 1
