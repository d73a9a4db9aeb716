"""How numbers are printed, in tables, on the page and in LaTeX.

Correlations and p-values have no zero before their point, since they cannot exceed 1. A number
that is undefined (None, NaN or infinite) is a dash; an undefined error is left out.
"""

import math
from dataclasses import dataclass
from typing import TypeGuard

__all__ = ["LATEX", "PAGE", "TERMINAL", "Spelling", "decimal", "general", "p_value", "percent"]

DASH = "–"
SMALLEST_P = 0.001  # below it a p-value is not spelt out
IN_FULL = 1e12  # a whole number below it is printed with all its digits


@dataclass(frozen=True)
class Spelling:
    """How one kind of document spells a correlation.

    Attributes:
        minus: the sign of a negative number.
        plus_minus: stands between a number and its error.
        dash: stands for a number that is undefined.
        quote: stands before and after a number.
    """

    minus: str
    plus_minus: str
    dash: str = DASH
    quote: str = ""

    def signed(self, value: float | None, error: float | None = None, digits: int = 3) -> str:
        """Return a correlation, or a difference of two, with its sign: ``+.608±.005``.

        Args:
            value: what is printed.
            error: its standard error, if there is one.
            digits: places after the point.
        """
        if not _defined(value):
            return self.dash
        sign = self.minus if value < 0 else "+"
        spread = self.plus_minus + _without_zero(error, digits) if _defined(error) else ""
        return f"{self.quote}{sign}{_without_zero(abs(value), digits)}{spread}{self.quote}"

    def unsigned(self, value: float | None, digits: int = 3) -> str:
        """Return a correlation without a plus, and without a minus if it is rounded to zero."""
        if not _defined(value):
            return self.dash
        size = _without_zero(abs(value), digits)
        sign = self.minus if value < 0 and float(size) else ""
        return f"{self.quote}{sign}{size}{self.quote}"


TERMINAL = Spelling("-", "±")
PAGE = Spelling("−", "±")
LATEX = Spelling("-", r" \pm ", dash="--", quote="$")


def p_value(value: float | None) -> str:
    """Return a p-value in three decimals, ``.012``, or ``< .001``."""
    if not _defined(value):
        return DASH
    return f"< {_without_zero(SMALLEST_P, 3)}" if value < SMALLEST_P else _without_zero(value, 3)


def decimal(value: float | None, digits: int = 2, error: float | None = None) -> str:
    """Return a number, and its error, in a fixed number of decimals: ``91.23±0.05``."""
    if not _defined(value):
        return DASH
    return f"{value:.{digits}f}" + (f"±{error:.{digits}f}" if _defined(error) else "")


def percent(value: float | None, digits: int = 2) -> str:
    """Return an accuracy or a share in per cent, without the sign: .9123 is ``91.23``."""
    return decimal(100 * value, digits) if _defined(value) else DASH


def general(value: float | None, digits: int = 3) -> str:
    """Return a whole number in full, ``73,306``, and any other in significant digits."""
    if not _defined(value):
        return DASH
    if abs(value) < IN_FULL and value == int(value):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def _defined(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _without_zero(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".removeprefix("0")
