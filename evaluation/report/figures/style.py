"""The style of all figures: sizes, colours that colour-blind readers tell apart, hover texts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

__all__ = [
    "BLUE", "CYCLE", "DIVERGING", "GREEN", "GRID", "HOVER", "INK", "MUTED",
    "ORANGE", "POINTS", "figure", "hover", "ink_for", "ink_on", "styled",
]  # fmt: skip

# Between blue and sky: for points drawn as an image, which cannot follow the page's theme.
POINTS = "#2a8ed3"

# Three greys that the page replaces by its own, light or dark: no other colour may equal them.
INK, MUTED, GRID = "#1b1c1d", "#6e7072", "#d3d5d7"

# Okabe and Ito, "Color Universal Design", 2008; yellow and black are left out, since one of
# them vanishes on a light or on a dark page.
BLUE, ORANGE, GREEN = "#0072b2", "#e69f00", "#009e73"  # the page lightens the blue when dark
VERMILLION, SKY, PURPLE = "#d55e00", "#56b4e9", "#cc79a7"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)

# Brewer's RdBu, which all common colour blindnesses keep apart, red for negative.
DIVERGING = LinearSegmentedColormap.from_list(
    "τ", ["#67001f", "#b2182b", "#d6604d", "#f4a582", "#fddbc7", "#f7f7f7",
          "#d1e5f0", "#92c5de", "#4393c3", "#2166ac", "#053061"],
)  # fmt: skip

HOVER, BETWEEN = "hover ", "¦"  # what an id starts with that is texts, and what parts them
_SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.2,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "none",  # text stays text: smaller, searched, in the reader's font
    "svg.hashsalt": "robustness-proxies",  # the same file from the same numbers
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
    "text.parse_math": False,  # names of proxies are no formulas
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save in the report's style, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)  # type: ignore[call-overload]
        yield


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches, laid out so that nothing is cut."""
    return Figure(figsize=(width, height), layout="constrained")


def hover(artist: Artist, *texts: str) -> None:
    """Give an artist a text that the page shows under the pointer, or each of its points one."""
    artist.set_gid(HOVER + BETWEEN.join(text.replace(BETWEEN, "|") for text in texts))


def ink_on(value: float, limit: float = 1.0, colours: Colormap = DIVERGING) -> str:
    """Return black or white, whichever is read better on the colour of a value."""
    return ink_for(colours((value / limit + 1) / 2))


def ink_for(colour: ColorType) -> str:
    """Return black or white, whichever has the larger contrast ratio of WCAG 2.1 to a colour."""
    luminance = _luminance(to_rgb(colour))
    return "#000000" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "#ffffff"


def _luminance(colour: Sequence[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
