"""What a robust accuracy is the accuracy of, and what is recorded with it."""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from testbed.store.canonical import canonical_json, details_json, recanonical
from testbed.store.errors import StoreError

__all__ = ["RobustnessKey", "RobustnessRow", "pack_robust", "unpack_robust"]


@dataclass(frozen=True)
class RobustnessKey:
    """Everything that a robust accuracy depends on; hashable, picklable.

    Attributes:
        network: an architecture string, or the name of a network.
        init: where the weights come from: ``trained``, ``pretrained``, ``own``.
        seed: of the weights; None where there is none.
        images: the name of the image set.
        measure: the published key: ``clean``, ``fgsm@Linf``, ``aa_apgd-ce@Linf``, ``fog``.
        level: ε in units of 1/255, or the severity; None for clean images.
        settings: a mapping as canonical JSON (see `make`).

    Raises:
        StoreError: if a field is not of its kind.
    """

    network: str
    init: str
    seed: int | None
    images: str
    measure: str
    level: float | None
    settings: str

    def __post_init__(self) -> None:
        for name in ("network", "init", "images", "measure"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value or not value.isprintable():
                raise StoreError(f"{name} of a result is printable text; got {value!r}")
        if self.seed is not None and (
            type(self.seed) is not int or not -(2**63) <= self.seed < 2**63
        ):
            raise StoreError(f"the seed of a result is None or a 64-bit int; got {self.seed!r}")
        if self.level is not None and (
            type(self.level) is not float or not 0 <= self.level < math.inf
        ):
            raise StoreError(f"the level of a result is None or a float from 0; got {self.level!r}")
        if not isinstance(self.settings, str) or self.settings != recanonical(self.settings):
            raise StoreError(f"settings are canonical JSON; got {self.settings!r}: use make")

    @staticmethod
    def make(
        network: str, init: str, seed: int | None, images: str, measure: str,
        level: float | None, settings: Mapping[str, Any],
    ) -> "RobustnessKey":  # fmt: skip
        """Return the key with ``settings`` as canonical JSON.

        Raises:
            StoreError: if the settings hold anything but JSON values with finite numbers.
        """
        exact = None if level is None else float(level)
        return RobustnessKey(network, init, seed, images, measure, exact, canonical_json(settings))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all fields, in hexadecimal: the primary key of the result."""
        fields = [
            self.network, self.init, self.seed, self.images, self.measure, self.level,
            self.settings,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(fields, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class RobustnessRow:
    """A robust accuracy and how it came about.

    Attributes:
        key: what it depends on.
        robust: (n,) bool: which images the network gets right, clean and attacked.
        confidence_label: mean softmax probability of the true class; None where attacks
            stopped early, which moves it.
        confidence_prediction: of the predicted class; None likewise.
        confusion: (K, K) counts, rows are true classes; None likewise.
        seconds: wall time.
        gradients: backward passes, in images.
        queries: forward passes, in images.
        warnings: what makes the result doubtful.
        details: whatever else there is to say: JSON values.

    Raises:
        StoreError: if a field contradicts another one.
    """

    key: RobustnessKey
    robust: Sequence[bool] = field(hash=False)
    confidence_label: float | None
    confidence_prediction: float | None
    confusion: Sequence[Sequence[int]] | None = field(hash=False)
    seconds: float = 0.0
    gradients: int = 0
    queries: int = 0
    warnings: Sequence[str] = field(default=(), hash=False)
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not len(self.robust):
            raise StoreError("a result is of at least one image")
        for name in ("confidence_label", "confidence_prediction"):
            value = getattr(self, name)
            # A mean of probabilities may exceed 1 by rounding.
            if value is not None and not 0 <= value <= 1 + 1e-9:
                raise StoreError(f"{name} is a probability; got {value!r}")
        if self.confusion is not None:
            counts = np.asarray(self.confusion)
            right, total = int(np.trace(counts)), int(counts.sum())
            if (right, total) != (sum(self.robust), len(self.robust)):
                raise StoreError(
                    f"a confusion matrix of {total} images, {right} of them right, contradicts "
                    f"{sum(self.robust)} of {len(self.robust)} robust ones"
                )
        details_json(self.details)

    @property
    def count(self) -> int:
        """The number of images."""
        return len(self.robust)

    @property
    def accuracy(self) -> float:
        """The fraction of robust images."""
        return sum(map(bool, self.robust)) / len(self.robust)


def pack_robust(robust: Sequence[bool]) -> str:
    """Return which images are robust as text: base64 of eight images a byte."""
    return base64.b64encode(np.packbits(np.asarray(robust, dtype=bool)).tobytes()).decode()


def unpack_robust(text: str, count: int) -> np.ndarray:
    """Return what `pack_robust` packed, (count,) bool."""
    packed = np.frombuffer(base64.b64decode(text), dtype=np.uint8)
    return np.unpackbits(packed, count=count).astype(bool)
