"""How much the loss's gradient over an image turns along the strongest direction of a sign attack.

With z_i = sign g_i / ‖sign g_i‖ and g_i = ∇L(x_i) a difference of two gradients stands for a
product with the Hessian. Pixels are in [0, 1] and h is a length in ℓ2, so that h = 3 moves each of
the 3,072 values of a CIFAR image by 14/255. Moved images are not cut to the box.

Moosavi-Dezfooli et al., "Robustness via Curvature Regularization, and Vice Versa", CVPR 2019
(CURE); Mok et al., "AdvRush", ICCV 2021.
"""

from torch import Tensor

from proxies.input_gradients import input_gradients, moved_gradients
from proxies.jacobian import MASKED
from proxies.probe import Probe, Score

__all__ = ["advrush", "curvature", "gradient_changes"]


def curvature(probe: Probe, *, h: float = 1.5) -> Score:
    """Return mean_i ‖∇L(x_i + h z_i) − ∇L(x_i)‖ / h; h = 1.5 is where CURE ends its schedule.

    CURE penalises the square of the norm and does not divide it; for h → 0 this one is the length
    of the Hessian's product with z_i.
    """
    return _score(probe, gradient_changes(probe, h) / h)


def advrush(probe: Probe, *, h: float = 3.0) -> Score:
    """Return mean_i ‖∇L(x_i + h z_i) − ∇L(x_i)‖ as AdvRush's code has it: not divided by h.

    The code's factor λ = 4 is left out, and the 1e-7 that it adds to signs and lengths. It takes
    eval mode with the statistics of a fresh network at first, which this toolkit refuses.
    """
    return _score(probe, gradient_changes(probe, h))


def gradient_changes(probe: Probe, h: float) -> Tensor:
    """Return ‖∇L(x_i + h z_i) − ∇L(x_i)‖ of every sample, (B,) in float64."""
    moved = moved_gradients(probe, h).flatten(1).double().cpu()
    return (moved - input_gradients(probe).rows).norm(dim=1)


def _score(probe: Probe, values: Tensor) -> Score:
    return Score.mean_of(values, MASKED_GRADIENT if input_gradients(probe).masked else None)


MASKED_GRADIENT = MASKED.replace("Jacobian", "gradient of the loss")
