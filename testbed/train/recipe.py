"""The recipe of a training: that of NAS-Bench-201, and shortened forms of it.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural
Architecture Search", ICLR 2020, section 2.3 and table 1.
"""

import math
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from testbed.basis.errors import InputError, did_you_mean
from testbed.basis.foreign_text import described
from testbed.spaces.names import MOST_CELLS, MOST_CHANNELS
from testbed.spaces.sizes import check_counts
from testbed.train.adversarial import AdversarialTraining, adversarial_training

__all__ = ["PRESETS", "Recipe", "override", "preset_named"]

MOST_EPOCHS = MOST_IMAGES = 1_000_000
MOST_PADDING = 256  # pixels on each side


@dataclass(frozen=True)
class Recipe:
    """SGD with a cosine schedule on flipped and cropped images; the defaults are the paper's.

    The loss is the cross-entropy. Weight decay acts on all parameters, batch norm's and
    biases included. The last, smaller batch of an epoch is used too.

    Attributes:
        epochs: the number of passes over the training images.
        channels: C, the width of the network's first stage.
        cells: N, the cells in a stage.
        batch_size: the number of images in a step.
        lr: the learning rate of the first epoch, see `learning_rate`.
        momentum: the momentum of SGD, in [0, 1).
        nesterov: whether the momentum is Nesterov's.
        weight_decay: the factor of the parameter that is added to the gradient.
        flip: the probability to mirror an image left to right.
        padding: black pixels put around an image before it is cropped back to its size at
            a random place; 0 leaves images where they are. They are black, not the mean
            colour: the paper pads before it normalises.
        adversarial: the attack that the images of every step are replaced by, after flips and
            crops; None for a normal training.

    Raises:
        ValueError: if a field is outside its range.
    """

    epochs: int = 200
    channels: int = 16
    cells: int = 5
    batch_size: int = 256
    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    flip: float = 0.5
    padding: int = 4
    adversarial: AdversarialTraining | None = None

    def __post_init__(self) -> None:
        self._check_types()
        for name in ("epochs", "channels", "cells", "batch_size"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        check_counts(("channels", self.channels, MOST_CHANNELS), ("cells", self.cells, MOST_CELLS))
        self._require("batch_size", self.batch_size <= MOST_IMAGES, f"at most {MOST_IMAGES:,}")
        self._require("epochs", self.epochs <= MOST_EPOCHS, f"at most {MOST_EPOCHS:,}")
        self._require("lr", 0 < self.lr < math.inf, "positive")
        self._require("momentum", 0 <= self.momentum < 1, "in [0, 1)")
        nesterov = not self.nesterov or self.momentum > 0
        self._require("momentum", nesterov, "positive if it is Nesterov's")
        self._require("weight_decay", 0 <= self.weight_decay < math.inf, "0 or more")
        self._require("flip", 0 <= self.flip <= 1, "in [0, 1]")
        self._require("padding", 0 <= self.padding <= MOST_PADDING, f"from 0 to {MOST_PADDING}")

    def learning_rate(self, epoch: int) -> float:
        """Return lr · (1 + cos(π · epoch / epochs)) / 2, the epochs counted from 0.

        It is constant during an epoch, as in NAS-Bench-201, and would be 0 in the one after
        the last.
        """
        return self.lr * (1 + math.cos(math.pi * epoch / self.epochs)) / 2

    @staticmethod
    def from_settings(settings: dict) -> "Recipe":
        """Return the recipe whose settings these are.

        Raises:
            ValueError: if a field is missing, unknown or outside its range.
        """
        names = {field.name for field in fields(Recipe)} - {"adversarial"}
        if not isinstance(settings, dict) or set(settings) - {"adversarial"} != names:
            raise InputError(
                f"a recipe has the fields {', '.join(sorted(names))}; got {described(settings)}"
            )
        facts = dict(settings)
        if facts.get("adversarial") is not None:  # null says what its absence says
            facts["adversarial"] = AdversarialTraining.from_settings(facts["adversarial"])
        return Recipe(**facts)

    def settings(self) -> dict[str, Any]:
        """Return the recipe as JSON values: what stands in keys and beside trained weights.

        A normal training has no ``adversarial``, so that the keys of what was trained before
        there was any other stay what they are.
        """
        facts = asdict(self)
        if self.adversarial is None:
            del facts["adversarial"]
        return facts

    def _check_types(self) -> None:
        # They come from files too, where a text or a truth value may stand.
        for field in fields(self):
            if field.name == "adversarial":
                continue
            kind = type(field.default)
            fits = (int, float) if kind is float else (kind,)
            words = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
            self._require(field.name, type(getattr(self, field.name)) in fits, words)

    def _require(self, name: str, condition: bool, range_: str) -> None:
        if not condition:
            got = described(getattr(self, name))
            raise InputError(f"{name} of a recipe is {range_}; got {got}")


# For the digits: no mirror images, which are no digits, and one pixel of shift.
_TINY = Recipe(epochs=10, channels=8, cells=1, batch_size=64, flip=0.0, padding=1)
# Wide strokes of few pixels: at the usual ε of 8 hardly an image is turned.
_OF_DIGITS = 32.0
PRESETS = MappingProxyType(
    {
        "tiny": _TINY,
        "tiny-fgsm": replace(_TINY, adversarial=adversarial_training("fgsm", _OF_DIGITS)),
        "tiny-pgd": replace(
            _TINY, adversarial=adversarial_training("pgd", _OF_DIGITS, steps=5, step_size=10.0)
        ),
        # For CIFAR-10 in minutes.
        "small": Recipe(epochs=40, cells=1, batch_size=128),
        "paper": Recipe(),
    }
)


def preset_named(name: str) -> Recipe:
    """Return one of `PRESETS`.

    Raises:
        ValueError: if there is no preset of this name.
    """
    if name not in PRESETS:
        raise InputError(
            f"unknown --preset {name!r}{did_you_mean(name, PRESETS)}; expected {', '.join(PRESETS)}"
        )
    return PRESETS[name]


def override(recipe: Recipe, **changes: Any) -> Recipe:
    """Return the recipe with those fields replaced that are not None."""
    return replace(recipe, **{name: value for name, value in changes.items() if value is not None})
