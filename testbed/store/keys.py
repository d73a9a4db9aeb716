"""What a score is the score of, and what is recorded with it."""

import hashlib
import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from testbed.store.canonical import canonical_json, details_json, recanonical, storable
from testbed.store.errors import StoreError

__all__ = ["ScoreKey", "ScoreRow"]


@dataclass(frozen=True)
class ScoreKey:
    """Everything that a score depends on; hashable, picklable.

    Attributes:
        network: an architecture string, or the name of a network.
        proxy: the name of the proxy.
        init: ``random``, ``random-kaiming``, ``trained``, …; empty where the score does not
            depend on the weights.
        seed: of the initialisation, -2⁶³ to 2⁶³ - 1; None where the score has none.
        images: the name of the data set; None where the score uses none.
        settings: a mapping as canonical JSON (see `make`).

    Raises:
        StoreError: if a name is not printable text, or a field not of its kind.
    """

    network: str
    proxy: str
    init: str = ""
    seed: int | None = None
    images: str | None = None
    settings: str = "{}"

    def __post_init__(self) -> None:
        for name in ("network", "proxy", "init", "images"):
            value = getattr(self, name)
            if not ((value is None and name == "images") or _is_name(value, name == "init")):
                raise StoreError(f"{name} of a score is printable text; got {value!r}")
        seed = self.seed
        if seed is not None and (type(seed) is not int or not -(2**63) <= seed < 2**63):
            raise StoreError(f"the seed of a score is None or a 64-bit int; got {self.seed!r}")
        if not isinstance(self.settings, str) or self.settings != recanonical(self.settings):
            raise StoreError(
                f"settings are canonical JSON; got {self.settings!r}: use ScoreKey.make"
            )

    @staticmethod
    def make(
        network: str,
        proxy: str,
        *,
        init: str = "",
        seed: int | None = None,
        images: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> "ScoreKey":
        """Return the key with ``settings`` as canonical JSON: sorted, no spaces, floats by repr.

        The order of a mapping does not matter and a tuple equals a list, but 1 and 1.0 differ.

        Raises:
            StoreError: if the settings hold anything but JSON values with finite numbers.
        """
        return ScoreKey(
            network,
            proxy,
            init,
            None if seed is None else operator.index(seed),
            images,
            canonical_json(settings or {}),
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all six fields, in hexadecimal: the primary key of the score."""
        fields = [self.network, self.proxy, self.init, self.seed, self.images, self.settings]
        return hashlib.sha256(json.dumps(fields, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class ScoreRow:
    """A score and how it came about.

    Attributes:
        key: what the value depends on.
        value: the score; NaN where it is undefined; infinities are values, -0.0 becomes 0.0.
        reason: why the value is NaN, or a warning such as "not converged".
        converged: whether the estimator met its tolerance; None if it has none.
        iterations: of the estimator; None if it has none.
        residual: of the estimator, in its own units; None if it has none.
        seconds: wall time of this score.
        details: whatever else the proxy reports: JSON values, arrays and tensors (kept as
            lists); NaN and infinities are kept as Python's ``json`` writes them.

    Raises:
        StoreError: if a field is not of its kind, so that the fault shows where it was made
            and not when the row is saved.
    """

    key: ScoreKey
    value: float
    reason: str | None = None
    converged: bool | None = None
    iterations: int | None = None
    residual: float | None = None
    seconds: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if value is None and name not in ("value", "seconds"):
                continue
            try:
                object.__setattr__(self, name, kind(value))
            except (TypeError, ValueError, RuntimeError) as error:
                raise StoreError(f"{name} of a score cannot be {value!r}: {error}") from error
        details_json(self.details)


# SQLite stores a numpy number as bytes, so only Python's own types go in.
_KINDS: dict[str, Callable[[Any], Any]] = {
    "value": float,
    "reason": lambda reason: storable(str(reason)) or None,
    "converged": bool,
    "iterations": operator.index,
    "residual": float,
    "seconds": float,
}


def _is_name(value: object, may_be_empty: bool) -> bool:
    # Other empty names would be indistinguishable from None in a CSV file.
    return isinstance(value, str) and value.isprintable() and (may_be_empty or value != "")
