"""What a score is the score of, and what is recorded with it."""

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from testbed.store.canonical import canonical_json, details_json
from testbed.store.columns import Key, column, convert
from testbed.store.errors import StoreError
from testbed.store.table import Table

__all__ = ["SCORES", "ScoreKey", "ScoreRow"]


@dataclass(frozen=True)
class ScoreKey(Key):
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

    what: ClassVar[str] = "a score"
    may_be_empty: ClassVar[tuple[str, ...]] = ("init",)

    network: str = field(metadata=column("string"))
    proxy: str = field(metadata=column("string"))
    init: str = field(default="", metadata=column("string"))
    seed: int | None = field(default=None, metadata=column("Int64", null=True))
    images: str | None = field(default=None, metadata=column("string", null=True))
    settings: str = field(default="{}", metadata=column("string"))

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
    value: float = field(metadata=column("float64", null=True))
    reason: str | None = field(default=None, metadata=column("string", null=True))
    converged: bool | None = field(default=None, metadata=column("boolean", null=True))
    iterations: int | None = field(default=None, metadata=column("Int64", null=True))
    residual: float | None = field(default=None, metadata=column("float64", null=True))
    seconds: float = field(default=0.0, metadata=column("float64"))
    details: Mapping[str, Any] = field(
        default_factory=dict, hash=False, metadata=column("string", pack=details_json)
    )

    def __post_init__(self) -> None:
        if self.value is None:
            raise StoreError("the value of a score cannot be None: NaN is one that is undefined")
        convert(self, "a score")
        details_json(self.details)

    def contradiction(self, stored: Mapping[str, Any]) -> str | None:
        """Return what the value is and was if the stored one differs, else None."""
        was = math.nan if stored["value"] is None else stored["value"]  # SQLite has no NaN
        if was == self.value or (was != was and self.value != self.value):
            return None
        return f"the value of {self.key} was {was!r} and is now {self.value!r}"


SCORES = Table.of("scores", ScoreKey, ScoreRow, hidden=["digest"])
