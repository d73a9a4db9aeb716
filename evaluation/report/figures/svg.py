"""A figure as SVG: hover texts in place, and for the page colours that follow its theme."""

import io
import re
from html import escape, unescape

from matplotlib.figure import Figure

from evaluation.report.figures.style import BETWEEN, BLUE, GRID, HOVER, INK, MUTED

__all__ = ["DPI", "inline", "standalone", "with_background"]

DPI = 200  # of what is drawn as an image inside a figure
WIDE, PHONE = 520, 320  # CSS pixels
# Points are copies of one shape, in the order of their texts.
_POINTS = re.compile(rf'<g id="{HOVER}([^"]*{BETWEEN}[^"]*)">(.*?</g>\s*)</g>', re.DOTALL)
_POINT = re.compile(r"<use ([^>]*)/>")
_HOVER = re.compile(rf'<g id="{HOVER}([^"]*)">')
_THEME = {INK: "currentColor", MUTED: "var(--muted)", GRID: "var(--grid)", BLUE: "var(--blue)"}
# Without a date, so that the same numbers give the same file.
_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def standalone(figure: Figure) -> str:
    """Return the figure as the text of an SVG file; hover texts are ``<title>`` elements."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", dpi=DPI, metadata=_METADATA)
    return _HOVER.sub(_titled, _POINTS.sub(_each_titled, buffer.getvalue()))


def with_background(svg: str) -> str:
    """Return an SVG file's text with white behind the figure: it may be opened on a dark page."""
    return re.sub(
        r"(</defs>)", r'\1<rect width="100%" height="100%" fill="#ffffff"/>', svg, count=1
    )


def inline(svg: str, name: str, description: str) -> str:
    """Return an SVG file's text as an element for a page that holds several.

    Args:
        svg: the text of an SVG file, see :func:`standalone`.
        name: the start of every id, since ids of a page are unique.
        description: the text of the figure for screen readers.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    # Fonts of the reader's system; they are narrower than the one the layout allowed for.
    svg = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", svg)
    for colour, replacement in _THEME.items():
        svg = svg.replace(colour, replacement)
    # The width is the page's to choose; the view box keeps the proportions.
    head, rest = svg.split(">", 1)
    width = re.search(r'\bwidth="([\d.]+)pt"', head)
    head = re.sub(r'\s(width|height|version|xmlns(:xlink)?)="[^"]*"', "", head)
    natural = float(width[1]) / 0.75 if width else 600
    # On a phone a small figure fits the width; a wide one stays legible, and scrolls.
    least = 0.8 * natural if natural > WIDE else min(natural, PHONE)
    label = escape(description, quote=True)
    sizes = f"--natural:{natural:.0f}px;--least:{least:.0f}px"
    head = f'{head} role="img" aria-label="{label}" style="{sizes}">'
    return (head + rest.strip()).replace("xlink:href", "href")


def _titled(match: re.Match[str]) -> str:
    return f'<g class="tip"><title>{escape(unescape(match[1]), quote=False)}</title>'


def _each_titled(match: re.Match[str]) -> str:
    texts = iter(unescape(match[1]).split(BETWEEN))

    def titled(point: re.Match[str]) -> str:
        title = escape(next(texts), quote=False)
        return f'<use class="tip" {point[1]}><title>{title}</title></use>'

    return f"<g>{_POINT.sub(titled, match[2])}</g>"
