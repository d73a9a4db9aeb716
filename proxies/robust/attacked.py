"""What one step of a sign attack does to a network.

x' = x + δ, δ = ε sign g with g = ∇_x L(x), as the fast gradient sign method of Goodfellow et al.,
"Explaining and Harnessing Adversarial Examples", ICLR 2015, but not cut to [0, 1]: these are
statements about the neighbourhood of x. ε is in units of 1/255; the default, 1, is where the
published attacks tell networks of NAS-Bench-201 apart (at 8 nearly all of them are at 0).
"""

import torch

from proxies.conditions import UndefinedError
from proxies.input_gradients import attacked, input_gradients, losses_at
from proxies.probe import Probe, Score
from proxies.robust.curvature import MASKED_GRADIENT
from proxies.tape import Tape, record

__all__ = ["attacked_tape", "fgsm_rise", "flipped_relus", "local_nonlinearity"]


def fgsm_rise(probe: Probe, *, epsilon: float = 1.0) -> Score:
    """Return [L(x') − L(x)] / L(x), L the batch's mean cross-entropy.

    Raises:
        UndefinedError: if the loss is 0.
    """
    before = float(input_gradients(probe).losses.mean())
    if before == 0:
        raise UndefinedError("the loss of the batch is 0, and its rise is relative to it")
    after = float(_attacked_losses(probe, epsilon).mean())
    return Score((after - before) / before, _doubt(probe), details={"loss": before})


def local_nonlinearity(probe: Probe, *, epsilon: float = 1.0) -> Score:
    """Return mean_i |L_i(x_i + δ_i) − L_i(x_i) − δ_iᵀg_i| / (ε ‖g_i‖₁).

    The numerator is what Qin et al., "Adversarial Robustness through Local Linearization", NeurIPS
    2019, equation 5, maximise over δ; the denominator, δᵀg, makes the share of the first-order rise
    that fails to come, and takes the scale of the loss away.

    Raises:
        UndefinedError: if an image's gradient is 0.
    """
    clean = input_gradients(probe)
    first = epsilon / 255 * clean.rows.abs().sum(1)
    rise = _attacked_losses(probe, epsilon) - clean.losses
    if bool((first == 0).any()):
        raise UndefinedError("the loss's gradient is 0 for some image: it has no linear part")
    return Score.mean_of((rise - first).abs() / first)


def flipped_relus(probe: Probe, *, epsilon: float = 1.0) -> Score:
    """Return the share of units whose input changes its sign between x and x'.

    A unit is an entry of the input of an elementwise non-linearity as it is executed, see
    `proxies.tape`; of a ReLU, the sign is its state. All images and layers together.

    Raises:
        UndefinedError: if there are no units, or the two passes do not execute the same ones.
    """
    before, after = probe.tape, attacked_tape(probe, epsilon)
    pairs = list(zip(before.bends, after.bends, strict=False))
    same = all(a.input.shape == b.input.shape for a, b in pairs)
    if len(before.bends) != len(after.bends) or not same:
        raise UndefinedError("the network executes other steps on attacked images than on clean")
    if not pairs:
        raise UndefinedError("no elementwise non-linearity reaches the logits: there are no units")
    flipped = sum(int((a.active != b.active).sum()) for a, b in pairs)
    units = sum(a.input.numel() for a, _ in pairs)
    return Score(flipped / units, _doubt(probe), details={"units": units // len(before.images)})


def attacked_tape(probe: Probe, epsilon: float) -> Tape:
    """Return the recorded forward pass of the attacked batch through the plain copy."""
    images = attacked(probe, epsilon)
    return probe.shared(f"attacked tape {epsilon!r}", lambda: record(probe.network, images))


def _attacked_losses(probe: Probe, epsilon: float) -> torch.Tensor:
    images = attacked(probe, epsilon)
    return probe.shared(f"attacked losses {epsilon!r}", lambda: losses_at(probe, images))


def _doubt(probe: Probe) -> str | None:
    return MASKED_GRADIENT if input_gradients(probe).masked else None
