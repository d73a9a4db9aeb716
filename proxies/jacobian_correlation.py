"""How alike the samples' gradients of the summed logits are.

j_i = ∂ Σ_k f_k(x_i) / ∂x_i, flat, and C the Pearson correlations between the j_i, (B, B).
In batch-norm mode ``batch`` j_i is the derivative of all samples' logits over image i, as in
the public code.
"""

import torch
from torch import Tensor

from proxies.conditions import OptionError, UndefinedError, require_derivative, require_independence
from proxies.probe import Probe, Score

__all__ = ["epe_nas", "jacov"]

CLASSES = 100  # up to here epe_nas adds classes up, beyond it compares them


def jacov(probe: Probe, *, k: float = 1e-5) -> Score:
    """Return −Σ_λ [log(λ + k) + 1/(λ + k)] over the eigenvalues λ of C.

    Mellor et al., "Neural Architecture Search without Training", 2020, version 1, equation 4.
    C is symmetric, so its eigenvalues are real; the public code takes those of a general matrix.
    """
    _check_offset(k)
    values = torch.linalg.eigvalsh(_correlations(probe)).clamp(min=0) + k
    return Score(float(-(values.log() + 1 / values).sum()))


def epe_nas(probe: Probe, *, k: float = 1e-5) -> Score:
    """Return the score of Lopes et al., "EPE-NAS", 2021, from the correlations within classes.

    For each class of the batch s_c = Σ_ij log(|C_ij| + k) over its own samples' correlations.
    Up to 100 classes the score is Σ_c |s_c|; beyond, Σ_{c<c'} |s_c − s_c'| over the number of
    classes. A class of a single sample has s_c = log(1 + k).
    """
    _check_offset(k)
    labels, sums = probe.labels.cpu(), []
    features = _gradients(probe)
    for label in labels.unique():
        own = _pearson(features[labels == label])
        sums.append((own.abs() + k).log().sum())
    values = torch.stack(sums)
    if len(values) <= CLASSES:
        return Score(float(values.abs().sum()))
    differences = (values[:, None] - values[None, :]).abs().triu(1)
    return Score(float(differences.sum() / len(values)))


def _check_offset(k: float) -> None:
    if k <= 0:
        raise OptionError(f"k keeps logarithms of zero finite, so it is positive; got {k}")


def _correlations(probe: Probe) -> Tensor:
    if len(probe.images) < 2:
        raise UndefinedError("samples are compared with one another: give at least two images")
    return _pearson(_gradients(probe))


def _gradients(probe: Probe) -> Tensor:
    """Return the gradients of the summed logits, (B, D) in float64 on the CPU."""
    return probe.shared("gradients of the summed logits", lambda: _summed(probe))


def _summed(probe: Probe) -> Tensor:
    require_derivative(probe)
    require_independence(probe)
    parts = []
    for images in probe.parts(2 * probe.images[0].nbytes):
        leaf = images.detach().requires_grad_()
        with torch.enable_grad():
            total = probe.fast.network(leaf).sum()
        row = torch.zeros_like(leaf)
        if total.requires_grad:
            (row,) = torch.autograd.grad(total, leaf, materialize_grads=True)
        parts.append(row.flatten(1).double().cpu())
    found = torch.cat(parts)
    if not bool(found.isfinite().all()):
        raise UndefinedError("the gradients of the logits are not finite numbers")
    return found


def _pearson(rows: Tensor) -> Tensor:
    """Return the Pearson correlations between rows, (N, N).

    Raises:
        UndefinedError: if a row is constant, and correlates with nothing.
    """
    centred = rows - rows.mean(1, keepdim=True)
    lengths = centred.norm(dim=1, keepdim=True)
    if bool((lengths <= 1e-12 * rows.norm(dim=1, keepdim=True)).any()):
        raise UndefinedError(
            "the gradient of the summed logits is constant for some image: it has no correlation "
            "with others"
        )
    unit = centred / lengths
    return (unit @ unit.mT).clamp(-1, 1)
