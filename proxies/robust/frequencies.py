"""Which spatial frequencies derivatives over images hold.

A frequency is |ω| = √(ω_x² + ω_y²) in cycles a pixel of the discrete Fourier transform of each
channel over its positions, up to ½ along an axis and √½ along the diagonal.
"""

import torch
from torch import Tensor

from proxies.conditions import OptionError, UndefinedError, require_independence
from proxies.input_gradients import batch_logits, input_gradients
from proxies.jacobian_rows import jacobian_rows
from proxies.probe import Probe, Score

__all__ = ["gradient_alignment", "gradient_alignment_low", "high_share", "jacobian_spectrum"]


def frequencies(height: int, width: int) -> Tensor:
    """Return |ω| of every entry of a two-dimensional Fourier transform, (H, W) in float64."""
    rows, columns = (torch.fft.fftfreq(size, dtype=torch.float64) for size in (height, width))
    return (rows[:, None].square() + columns[None, :].square()).sqrt()


def jacobian_spectrum(probe: Probe, *, cutoff: float = 0.25) -> Score:
    """Return mean_i of the share of ‖J_i‖²_F at frequencies |ω| > ``cutoff``.

    Yin et al., "A Fourier Perspective on Model Robustness in Computer Vision", NeurIPS 2019, ask
    which frequencies networks listen to. At initialisation this ranks networks as clean accuracy
    does: it is here as a control.

    Raises:
        UndefinedError: if an image's Jacobian is 0.
    """
    _check(cutoff)
    shares, shape = [], probe.images.shape[1:]
    high = frequencies(*shape[1:]) > cutoff
    for _, rows in jacobian_rows(probe):
        shares += [high_share(sample.unflatten(1, shape), high) for sample in rows]
    require_independence(probe, batch_logits(probe))
    values = torch.tensor(shares, dtype=torch.float64)
    if bool(values.isnan().any()):
        raise UndefinedError("the Jacobian of some image is 0 or not finite: it has no spectrum")
    return Score.mean_of(values)


def high_share(maps: Tensor, high: Tensor) -> float:
    """Return the share of the energy of maps (…, H, W) at the frequencies marked in (H, W)."""
    energy = torch.zeros(high.shape, dtype=torch.float64)
    for plane in maps.reshape(-1, *high.shape).split(64):
        energy += torch.fft.fft2(plane.double().cpu()).abs().square().sum(0)
    total = float(energy.sum())
    return float(energy[high].sum()) / total if total else float("nan")


def gradient_alignment(probe: Probe) -> Score:
    """Return the mean over pairs of images i ≠ j of cos(g_i, g_j), g_i = ∇L_i(x_i).

    Where the gradients of images agree, one perturbation serves against all of them
    (Moosavi-Dezfooli et al., "Universal Adversarial Perturbations", CVPR 2017).

    Raises:
        UndefinedError: if there is one image only, or a gradient is 0.
    """
    return Score(_alignment(input_gradients(probe).rows))


def gradient_alignment_low(probe: Probe, *, band: float = 0.125) -> Score:
    """Return `gradient_alignment` of the gradients' parts at frequencies |ω| ≤ ``band``.

    Raises:
        UndefinedError: as `gradient_alignment`.
    """
    _check(band)
    gradients = input_gradients(probe).gradients.double().cpu()
    low = frequencies(*gradients.shape[2:]) <= band
    return Score(_alignment(torch.view_as_real(torch.fft.fft2(gradients)[..., low]).flatten(1)))


def _alignment(rows: Tensor) -> float:
    """Return the mean cosine between different rows, (N, D)."""
    count = len(rows)
    if count < 2:
        raise UndefinedError("gradients are compared with one another: give at least two images")
    lengths = rows.norm(dim=1, keepdim=True)
    if bool((lengths == 0).any()):
        raise UndefinedError("the loss's gradient is 0 for some image: it has no direction")
    unit = rows / lengths
    products = unit @ unit.mT
    return float((products.sum() - products.diagonal().sum()) / (count * (count - 1)))


def _check(frequency: float) -> None:
    if not 0 <= frequency < 0.5**0.5:
        raise OptionError(
            f"a frequency is at least 0 and below √½ = .707 cycles a pixel; got {frequency}"
        )
