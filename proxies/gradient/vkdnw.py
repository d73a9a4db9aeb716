"""VKDNW: the entropy of the spectrum of the empirical Fisher information over a few weights.

Týbl and Neumann, "Training-free Neural Architecture Search through Variance of Knowledge of
Deep Network Weights", CVPR 2025, arXiv:2502.04975.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from proxies.conditions import OptionError, UndefinedError
from proxies.loss_gradients import require_weights
from proxies.probe import Probe, Score
from testbed.networks.strides import safe_strides

__all__ = ["fisher_information", "vkdnw", "vkdnw_entropy", "vkdnw_reference"]

DECILES = [0.1 * number for number in range(1, 10)]
SMOOTHING = 0.05


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
    return Score(_entropy(fisher_information(probe, tensors)))


def vkdnw_reference(probe: Probe, *, tensors: int = 128) -> Score:
    """Return the number of parameter tensors plus the entropy of JᵀLᵀLJ, as the authors' code.

    L is the lower triangular factor of the covariance, L Lᵀ = diag q − q qᵀ, and the code
    multiplies J by L where the Fisher information needs Lᵀ: the spectrum is another one, and
    depends on the order of the classes. q = (1 − α) p + α/K with α = .05. All parameters of the
    network count, in their order, those that do not reach the logits with derivatives of 0.
    """
    if tensors < 1:
        raise OptionError(f"expected at least one tensor; got {tensors}")
    require_weights(probe.tape)
    names = [name for name, _ in probe.tape.network.named_parameters()]
    reached = {
        k: probe.tape.parameters[n] for k, n in enumerate(names) if n in probe.tape.parameters
    }
    places = [number for number in reached if number < tensors]
    if not places:
        raise UndefinedError(f"none of the first {tensors} parameters reaches the logits")
    matrix = torch.zeros((min(tensors, len(names)),) * 2, dtype=torch.float64)
    rows = torch.tensor(places)
    matrix[rows[:, None], rows] = _mean_square(
        probe, [reached[number] for number in places], _turned_covariance
    )
    entropy = _entropy(matrix)
    return Score(len(names) + entropy, details={"tensors": len(names), "entropy": entropy})


def _entropy(matrix: Tensor) -> float:
    values = torch.linalg.eigvalsh(matrix).clamp(min=0)
    levels = torch.quantile(values, torch.tensor(DECILES, dtype=values.dtype))
    if not bool((levels > 0).any()):
        raise UndefinedError("the deciles of the Fisher information's spectrum are all zero")
    shares = levels / levels.sum()
    shares = shares[shares > 0]
    return float(-(shares * shares.log()).sum())


def fisher_information(probe: Probe, tensors: int) -> Tensor:
    """Return F, (n, n) in float64, over the first entries of the first parameters."""
    if tensors < 1:
        raise OptionError(f"expected at least one tensor; got {tensors}")
    return probe.shared(f"fisher information of {tensors}", lambda: _fisher(probe, tensors))


def _fisher(probe: Probe, tensors: int) -> Tensor:
    require_weights(probe.tape)
    return _mean_square(probe, list(probe.tape.parameters.values())[:tensors], _covariance)


def _covariance(p: Tensor) -> Tensor:
    return torch.diag(p) - p[:, None] * p


def _turned_covariance(p: Tensor) -> Tensor:
    """Return LᵀL, which has the eigenvalues of the covariance L Lᵀ and other eigenvectors."""
    factor = _factor((1 - SMOOTHING) * p + SMOOTHING / len(p))
    return factor.mT @ factor


def _factor(q: Tensor) -> Tensor:
    """Return the lower triangular L, (K, K), with L Lᵀ = diag q − q qᵀ."""
    left = q.flip(0).cumsum(0).flip(0)  # Σ of q_k from here on
    after = torch.cat([left[1:], left.new_zeros(1)])
    diagonal = (q * after / left).sqrt()
    share = torch.where(after > 0, diagonal / after, 0.0)
    return (-q[:, None] * share).tril(-1) + diagonal.diag()


def _mean_square(probe: Probe, leaves: list[Tensor], middle: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the mean over the images of Jᵀ M J, (n, n), with M made of the probabilities."""
    total = torch.zeros((len(leaves), len(leaves)), dtype=torch.float64)
    for image in probe.fast.arrange(probe.images).split(1):
        with torch.enable_grad(), safe_strides():
            logits = probe.tape.network(image.clone())
        rows = torch.stack([_first_entries(logits[0, k], leaves) for k in range(logits.shape[1])])
        total += rows.mT @ middle(logits.detach().double().softmax(1)[0].cpu()) @ rows
    if not bool(total.isfinite().all()):
        raise UndefinedError("the derivatives over the weights are not finite numbers")
    return total / len(probe.images)


def _first_entries(value: Tensor, leaves: list[Tensor]) -> Tensor:
    found = torch.autograd.grad(value, leaves, retain_graph=True, materialize_grads=True)
    return torch.stack([gradient.flatten()[0] for gradient in found]).double().cpu()
