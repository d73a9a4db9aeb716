"""What all figures keep to: a name is no mathematics, and powers of ten are spelt without it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.ticker import LogFormatterSciNotation

__all__ = ["Powers", "names_are_text", "spell_powers"]

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Powers(LogFormatterSciNotation):
    """Ticks of a logarithmic axis: 10⁻³, 2×10⁻³; those that matplotlib labels."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return a tick's label; it is empty where matplotlib's own is."""
        return _spelt(x) if super().__call__(x, pos) else ""


@contextmanager
def names_are_text() -> Iterator[None]:
    r"""Make figures in which ``$\frac{$`` is five letters and not a formula."""
    with mpl.rc_context({"text.parse_math": False}):
        yield


def spell_powers(axis: Axis) -> None:
    """Label the ticks of a logarithmic axis without matplotlib's mathematics."""
    axis.set_major_formatter(Powers())
    axis.set_minor_formatter(Powers())


def _spelt(value: float) -> str:
    if value == 0:
        return "0"
    sign, size = ("−" if value < 0 else ""), abs(value)
    exponent = math.floor(math.log10(size) + 1e-9)
    factor = size / 10.0**exponent
    times = "" if math.isclose(factor, 1, rel_tol=1e-6) else f"{factor:.3g}×"
    return f"{sign}{times}10{str(exponent).translate(SUPERSCRIPTS)}"
