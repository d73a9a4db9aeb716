"""How robust networks are, measured: ``python -m evaluation.robustness``.

`load_adversarial` gives back the images that ``--save-adversarial`` kept.
"""

from typing import TYPE_CHECKING

from testbed.basis.lazy import attributes

if TYPE_CHECKING:
    from evaluation.robustness.adversarial import Adversarial, load_adversarial

__all__ = ["Adversarial", "load_adversarial"]

__getattr__ = attributes(
    __name__,
    {
        "Adversarial": "evaluation.robustness.adversarial",
        "load_adversarial": "evaluation.robustness.adversarial",
    },
)
