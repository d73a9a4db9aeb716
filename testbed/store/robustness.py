"""What a robust accuracy is the accuracy of, and what is recorded with it."""

import base64
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from testbed.files.names import fault_of_file_name
from testbed.store.canonical import canonical_json, details_json
from testbed.store.columns import Column, Key, column, convert
from testbed.store.errors import StoreError
from testbed.store.table import Table

__all__ = [
    "ROBUSTNESS", "RobustnessKey", "RobustnessRow", "set_cross_warnings", "stored_doubts",
    "unpack_robust",
]  # fmt: skip


NOTE = "note: "


@dataclass(frozen=True)
class RobustnessKey(Key):
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
        StoreError: if a field is not of its kind, or the measure could not name a file: an
            export in the published layout has one for each.
    """

    what: ClassVar[str] = "a result"

    network: str = field(metadata=column("string"))
    init: str = field(metadata=column("string"))
    seed: int | None = field(metadata=column("Int64", null=True))
    images: str = field(metadata=column("string"))
    measure: str = field(metadata=column("string"))
    level: float | None = field(metadata=column("float64", null=True))
    settings: str = field(metadata=column("string"))

    def _fault(self, one: Column, value: Any) -> str | None:
        fault = super()._fault(one, value)
        return fault_of_file_name(value) if fault is None and one.name == "measure" else fault

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


def pack_robust(robust: Sequence[bool]) -> str:
    """Return which images are robust as text: base64 of eight images a byte."""
    return base64.b64encode(np.packbits(np.asarray(robust, dtype=bool)).tobytes()).decode()


def unpack_robust(text: str, count: int) -> np.ndarray:
    """Return what `pack_robust` packed, (count,) bool."""
    packed = np.frombuffer(base64.b64decode(text), dtype=np.uint8)
    return np.unpackbits(packed, count=count).astype(bool)


def _json_list(texts: Sequence[str]) -> str:
    return json.dumps(list(texts))


@dataclass(frozen=True)
class RobustnessRow:
    """A robust accuracy and how it came about.

    Attributes:
        key: what it depends on.
        robust: (n,) bool: which images the network gets right, clean and attacked.
        accuracy: the fraction of robust images.
        count: the number of images.
        confidence_label: mean softmax probability of the true class; None where attacks
            stopped early, which moves it.
        confidence_prediction: of the predicted class; None likewise.
        confusion: (K, K) counts, rows are true classes; None likewise.
        seconds: wall time.
        gradients: backward passes, in images.
        queries: forward passes, in images.
        warnings: what makes the result doubtful; and notes, see `stored_doubts`.
        cross_warnings: what other attacks say of it, see `set_cross_warnings`.
        details: whatever else there is to say: JSON values.

    Raises:
        StoreError: if a field contradicts another one.
    """

    key: RobustnessKey
    # Behind the confusion in the file, as it was from the start.
    robust: Sequence[bool] = field(
        hash=False, metadata=column("string", pack=pack_robust, after="confusion")
    )
    accuracy: float = field(init=False, metadata=column("float64"))
    count: int = field(init=False, metadata=column("Int64"))
    confidence_label: float | None = field(metadata=column("float64", null=True))
    confidence_prediction: float | None = field(metadata=column("float64", null=True))
    confusion: Sequence[Sequence[int]] | None = field(
        hash=False, metadata=column("string", null=True, pack=json.dumps)
    )
    seconds: float = field(default=0.0, metadata=column("float64"))
    gradients: int = field(default=0, metadata=column("Int64"))
    queries: int = field(default=0, metadata=column("Int64"))
    warnings: Sequence[str] = field(
        default=(), hash=False, metadata=column("string", pack=_json_list)
    )
    cross_warnings: Sequence[str] = field(
        default=(), init=False, metadata=column("string", pack=_json_list)
    )
    details: Mapping[str, Any] = field(
        default_factory=dict, hash=False, metadata=column("string", pack=details_json)
    )

    def __post_init__(self) -> None:
        if not len(self.robust):
            raise StoreError("a result is of at least one image")
        right = sum(map(bool, self.robust))
        object.__setattr__(self, "count", len(self.robust))
        object.__setattr__(self, "accuracy", right / self.count)
        convert(self, "a result")
        for name in ("confidence_label", "confidence_prediction"):
            value = getattr(self, name)
            # A mean of probabilities may exceed 1 by rounding.
            if value is not None and not 0 <= value <= 1 + 1e-9:
                raise StoreError(f"{name} is a probability; got {value!r}")
        if self.confusion is not None:
            counts = np.asarray(self.confusion)
            diagonal, total = int(np.trace(counts)), int(counts.sum())
            if (diagonal, total) != (right, self.count):
                raise StoreError(
                    f"a confusion matrix of {total} images, {diagonal} of them right, contradicts "
                    f"{right} of {self.count} robust ones"
                )
        details_json(self.details)

    def contradiction(self, stored: Mapping[str, Any]) -> str | None:
        """Return what the accuracy is and was if other images were right, else None."""
        if stored["robust"] == pack_robust(self.robust):
            return None
        return (
            f"{self.key} had accuracy {stored['accuracy']} and now has {self.accuracy}, with "
            "other images right"
        )


ROBUSTNESS = Table.of("robustness", RobustnessKey, RobustnessRow)


def stored_doubts(row: Mapping[str, Any]) -> list[str]:
    """Return what makes a stored result doubtful: its warnings, and those of other attacks.

    A sentence that begins with ``note: `` says what is worth knowing of a sound result, such as
    how many clean images are misclassified. It is stored beside them, and is no doubt.

    Args:
        row: with ``warnings`` and ``cross_warnings``, JSON lists as `read_robustness` gives them.
    """
    texts: list[Any] = []
    for name in ("warnings", "cross_warnings"):
        try:
            found = json.loads(str(row[name]))
        except (ValueError, RecursionError):
            found = [str(row[name])]
        texts += found if isinstance(found, list) else [found]
    return [str(text) for text in texts if not str(text).startswith(NOTE)]


def set_cross_warnings(
    connection: sqlite3.Connection, warnings: Mapping[str, Sequence[str]]
) -> None:
    """Replace what other attacks say of results, by digest."""
    connection.executemany(
        "UPDATE robustness SET cross_warnings = ? WHERE digest = ?",
        [(_json_list(texts), digest) for digest, texts in warnings.items()],
    )
