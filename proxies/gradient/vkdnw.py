"""VKDNW: the entropy of the spectrum of the empirical Fisher information over a few weights.

Tybl and Neumann, "Training-free Neural Architecture Search through Variance of Knowledge of
Deep Network Weights", 2025, arXiv:2502.04975.
"""

import torch
from torch import Tensor

from proxies.conditions import OptionError, UndefinedError
from proxies.loss_gradients import require_weights
from proxies.probe import Probe, Score
from testbed.networks.strides import safe_strides

__all__ = ["fisher_information", "vkdnw", "vkdnw_entropy"]

DECILES = [0.1 * number for number in range(1, 10)]


def vkdnw(probe: Probe, *, tensors: int = 128) -> Score:
    """Return the number of layers plus `vkdnw_entropy`, the authors' score of a single network.

    The entropy lies between 0 and log 9 = 2.2, so that depth decides first.
    """
    entropy = vkdnw_entropy(probe, tensors=tensors)
    layers = len(probe.tape.products)
    return Score(layers + entropy.value, details={"layers": layers, "entropy": entropy.value})


def vkdnw_entropy(probe: Probe, *, tensors: int = 128) -> Score:
    """Return the entropy −Σ q log q of the ℓ1-normalised deciles .1 to .9 of F's eigenvalues.

    F = mean_i J_iᵀ (diag p_i − p_i p_iᵀ) J_i, J_i the derivatives of the logits of image i over
    one weight (the first) of each of the first ``tensors`` parameters that reach the logits.
    """
    values = torch.linalg.eigvalsh(fisher_information(probe, tensors)).clamp(min=0)
    levels = torch.quantile(values, torch.tensor(DECILES, dtype=values.dtype))
    if not bool((levels > 0).any()):
        raise UndefinedError("the deciles of the Fisher information's spectrum are all zero")
    shares = levels / levels.sum()
    shares = shares[shares > 0]
    return Score(float(-(shares * shares.log()).sum()))


def fisher_information(probe: Probe, tensors: int) -> Tensor:
    """Return F, (n, n) in float64, over the first entries of the first parameters."""
    if tensors < 1:
        raise OptionError(f"expected at least one tensor; got {tensors}")
    return probe.shared(f"fisher information of {tensors}", lambda: _fisher(probe, tensors))


def _fisher(probe: Probe, tensors: int) -> Tensor:
    require_weights(probe.tape)
    leaves = list(probe.tape.parameters.values())[:tensors]
    total = torch.zeros((len(leaves), len(leaves)), dtype=torch.float64)
    for image in probe.fast.arrange(probe.images).split(1):
        with torch.enable_grad(), safe_strides():
            logits = probe.tape.network(image.clone())
        rows = torch.stack([_first_entries(logits[0, k], leaves) for k in range(logits.shape[1])])
        p = logits.detach().double().softmax(1)[0].cpu()
        total += rows.mT @ (torch.diag(p) - p[:, None] * p) @ rows
    if not bool(total.isfinite().all()):
        raise UndefinedError("the derivatives over the weights are not finite numbers")
    return total / len(probe.images)


def _first_entries(value: Tensor, leaves: list[Tensor]) -> Tensor:
    found = torch.autograd.grad(value, leaves, retain_graph=True, materialize_grads=True)
    return torch.stack([gradient.flatten()[0] for gradient in found]).double().cpu()
