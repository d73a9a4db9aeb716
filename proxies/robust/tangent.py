"""Kernels of the gradients of single images over the parameters.

f(x) is the sum of the logits, as in the public codes of tangent kernels, and the parameters are
all that reach it, biases and those of batch norms with them.
"""

import torch
from torch import Tensor, nn

from proxies.conditions import OptionError, UndefinedError, require_parameters
from proxies.input_gradients import attacked
from proxies.loss_gradients import require_weights
from proxies.probe import Probe, Score
from proxies.robust.curvature import gradient_changes
from testbed.networks.copying import working_copy
from testbed.networks.logits import check_logits
from testbed.networks.memory import not_of_memory
from testbed.networks.strides import safe_strides

__all__ = ["robust_ntk", "robust_zcp"]


def robust_ntk(probe: Probe, *, epsilon: float = 1.0, beta: float = 0.5) -> Score:
    """Return the smallest eigenvalue of (1−β)² K + β(1−β)(K̄ + K̄ᵀ) + β² K̃.

    K_ij = ⟨∂f(x_i), ∂f(x_j)⟩, K̃ the same of attacked images x' = x + ε sign ∇L(x), K̄ between
    clean and attacked ones: altogether the Gram matrix of the mixed gradients
    (1−β) ∂f(x_i) + β ∂f(x'_i). After arXiv:2403.13134, which has no public code. The labels matter
    to the attack only.

    Args:
        probe: the network and its batch.
        epsilon: ε in units of 1/255.
        beta: the share of the attacked images, in [0, 1].

    Raises:
        OptionError: for an option that makes no sense.
        UndefinedError: if gradients are not finite.
    """
    if not 0 <= beta <= 1:
        raise OptionError(f"beta is a share in [0, 1]; got {beta}")
    require_parameters(probe)
    moved = attacked(probe, epsilon)
    shares = (1 - beta, beta)
    network = _differentiable(probe)
    kernel = _gram(torch.stack([
        _mixed(network, [(w, x) for w, x in zip(shares, pair, strict=True) if w])
        for pair in zip(probe.fast.arrange(probe.images), moved, strict=True)
    ]))  # fmt: skip
    if not bool(kernel.isfinite().all()):
        raise UndefinedError("the gradients over the parameters are not finite numbers")
    values = torch.linalg.eigvalsh(kernel)
    return Score(float(values[0].clamp(min=0)), details={"largest": float(values[-1])})


def robust_zcp(probe: Probe, *, t: float = 1.0, h: float = 3.0) -> Score:
    """Return −t A − log C, the logarithm of Feng's −exp(t A) · C with its sign kept in the order.

    A = 1/(M N²) Σ_m Σ_ij ⟨∂_m f(x_i), ∂_m f(x_j)⟩ over the M weights of convolutions and matrix
    products and the N images, and C the mean over the images of ‖(∇L(x + h z) − ∇L(x)) / h‖², see
    `curvature`. The score ranks as the product does and cannot overflow, as exp does from 710 on.

    Feng et al., "Zero-Cost Proxy for Adversarial Robustness Evaluation", ICLR 2025. What is public,
    a copy in another project, takes for A the products of *accumulated* loss gradients of fifty
    batches in fifty coordinates of eleven tensors, t = 5e6, and for C the mean of the norms,
    neither squared nor divided by h. That t belongs to that A: here A alone decides where t is
    large, as at the default mostly, and C alone where t is 0.

    Raises:
        UndefinedError: if there are no weights, or the gradient does not change.
    """
    require_weights(probe.tape)
    weights = list(probe.tape.weights.values())
    with torch.enable_grad():
        sums = probe.tape.gradients(probe.tape.logits.sum(), weights)
    count = len(probe.images)
    squares = sum(float(row.double().square().sum()) for row in sums)
    kernel = squares / (len(weights) * count**2)
    changes = gradient_changes(probe, h) / h
    change = float(changes.square().mean())
    if change == 0:
        raise UndefinedError("the loss's gradient does not change along its sign: log C is -inf")
    value = -t * kernel - float(torch.tensor(change, dtype=torch.float64).log())
    return Score(value, details={"kernel": kernel, "curvature": change})


def _differentiable(probe: Probe) -> nn.Module:
    """Return a copy of the network in the images' order of memory, ready for its gradients."""
    network = working_copy(probe.network)
    images = probe.fast.arrange(probe.images)
    for parameter in network.parameters():
        if parameter.dim() == 4 and images.is_contiguous(memory_format=torch.channels_last):
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        parameter.requires_grad_(parameter.is_floating_point())
    return network


def _mixed(network: nn.Module, parts: list[tuple[float, Tensor]]) -> Tensor:
    """Return Σ w ∂ Σ_k f_k(x) / ∂θ over pairs (w, x), (P,), each from a pass of its own."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    total = torch.zeros(())
    for weight, image in parts:
        logits = _alone(network, image[None])
        if not logits.requires_grad:
            raise UndefinedError("no parameter of the network reaches the logits")
        rows = torch.autograd.grad(logits.sum(), parameters, materialize_grads=True)
        total = weight * torch.cat([row.flatten() for row in rows]) + total.to(rows[0])
    return total


def _alone(network: nn.Module, image: Tensor) -> Tensor:
    """Return the logits of an image, (1, K), with their graph."""
    with torch.enable_grad(), safe_strides():
        try:
            return check_logits(network(image.clone()), 1)
        except Exception as error:  # a squeeze may drop the dimension of a batch of one
            not_of_memory(error)
            return check_logits(network(torch.cat([image, image])), 2)[:1]


def _gram(rows: Tensor) -> Tensor:
    """Return the inner products of rows (N, P), (N, N) in float64 on the CPU."""
    total = rows.new_zeros((len(rows), len(rows)), dtype=torch.float64)
    for block in rows.split(2**18, 1):
        exact = block.double()
        total += exact @ exact.mT
    return total.cpu()
