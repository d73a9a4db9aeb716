"""What ``--images`` says of a user's own images; nothing here needs torch.

``folder:PATH``, ``npz:PATH`` or ``hf:PATH``, and options behind a question mark, joined by ``&``:
``folder:pets?size=64&fit=stretch``. They belong in quotation marks on a command line.
"""

import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from testbed.basis.errors import did_you_mean
from testbed.basis.foreign_text import quoted, shown
from testbed.images.errors import ImagesError

__all__ = ["FORMS", "KINDS", "OwnImages", "is_own"]

KINDS = ("folder", "npz", "hf")
FORMS = tuple(f"{kind}:PATH" for kind in KINDS)
MOST_PIXELS = 4096  # a side
LONGEST = 4096  # characters of an option
_OPTIONS = re.compile(r"[a-z]+=[^&]*(?:&[a-z]+=[^&]*)*")


@dataclass(frozen=True)
class OwnImages:
    """A user's own images, as an option names them.

    Attributes:
        kind: ``folder``, ``npz`` or ``hf``.
        path: the folder or file.
        size: height and width that images are brought to; None where all have one size.
        fit: ``crop`` covers the size and cuts off what stands out on both sides; ``stretch``
            changes the proportions.
        channels: 1 or 3; None for 1 if all images are grey, else 3.
        mean: of each channel in [0, 1], for the first layer of networks; None for the mean of the
            training images.
        std: likewise.
        holdout: where the images come in one piece, every so-manieth of a class is for testing;
            0 makes all of them both the training and the test images.
        unreadable: ``refuse`` or ``skip`` images that cannot be read.
        layout: ``nhwc`` or ``nchw``, of an ``.npz`` whose shapes do not tell.
        scale: the value that stands for 1.0, of an ``.npz`` whose values do not tell.
        image: the array or column of the images.
        label: the array or column of the labels.
    """

    kind: str
    path: Path
    size: tuple[int, int] | None = None
    fit: str = "crop"
    channels: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    holdout: int = 5
    unreadable: str = "refuse"
    layout: str | None = None
    scale: float | None = None
    image: str | None = None
    label: str | None = None

    @staticmethod
    def parse(text: str) -> "OwnImages":
        """Return what an option says.

        Raises:
            ImagesError: if it is of another form, or an option is unknown or makes no sense.
        """
        kind, colon, rest = text.partition(":")
        if not colon or kind not in KINDS:
            raise ImagesError(f"expected {', '.join(FORMS)}; got {quoted(text)}")
        path, mark, tail = rest.rpartition("?")
        if not mark or (tail and not _OPTIONS.fullmatch(tail)):
            path, tail = rest, ""
        if not path.strip() or "\0" in path or len(text) > LONGEST:
            raise ImagesError(f"expected {kind}:PATH, a folder or file; got {quoted(text)}")
        return OwnImages(kind, Path(path).expanduser(), **_options(kind, tail))

    @property
    def slug(self) -> str:
        """Return the last word of the path, as a file may be called."""
        # Of the path as it is written: what a link leads to may be called anything.
        name = self.path.name or self.path.absolute().name
        stem = name.removesuffix(".npz").removesuffix(".parquet")
        return re.sub(r"[^A-Za-z0-9._-]+", "_", stem)[:40].strip("._") or "images"

    def settings(self) -> dict[str, Any]:
        """Return all but the place of the images, as JSON values."""
        return {name: value for name, value in asdict(self).items() if name not in ("kind", "path")}


def is_own(text: str) -> bool:
    """Say whether an option is of the form of a user's own images."""
    kind, colon, _ = text.partition(":")
    return bool(colon) and kind in KINDS


def _options(kind: str, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in text.split("&") if text else ():
        name, _, value = part.partition("=")
        known = [word for word in _PARSERS if kind in _ONLY.get(word, KINDS)]
        if name not in known:
            raise ImagesError(
                f"unknown option {quoted(name)} of {kind}:PATH{did_you_mean(name, known)}; there "
                f"are {', '.join(known)}"
            )
        if name in found:
            raise ImagesError(f"{name} stands twice in {quoted(text)}")
        expected, parse = _PARSERS[name]
        try:
            found[name] = parse(value)
        except (ValueError, OverflowError):
            raise ImagesError(f"{name} is {expected}; got {quoted(shown(value))}") from None
    if ("mean" in found) != ("std" in found):
        raise ImagesError("mean and std are given together, or neither")
    if "mean" in found and len(found["mean"]) != len(found["std"]):
        raise ImagesError("mean and std have a number for each channel")
    return found


def _whole(text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and low <= int(text[:12]) <= high):
        raise ValueError(text)
    return int(text)


def _size(text: str) -> tuple[int, int]:
    height, cross, width = text.partition("x")
    sides = (height, width) if cross else (text, text)
    return _whole(sides[0], 1, MOST_PIXELS), _whole(sides[1], 1, MOST_PIXELS)


def _numbers(holds: Callable[[float], bool]) -> Callable[[str], tuple[float, ...]]:
    def parse(text: str) -> tuple[float, ...]:
        values = tuple(map(float, text.split(",")))
        if not all(map(holds, values)) or len(values) not in (1, 3):
            raise ValueError(text)
        return values

    return parse


def _word(*known: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(text)
        return text

    return parse


def _scale(text: str) -> float:
    value = float(text)
    if not (0 < value < math.inf):
        raise ValueError(text)
    return value


def _name(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


_PARSERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "size": (f"a side in pixels up to {MOST_PIXELS}, 32, or height x width, 32x48", _size),
    "fit": ("crop or stretch", _word("crop", "stretch")),
    "channels": ("1 or 3", lambda text: _whole(_word("1", "3")(text), 1, 3)),
    "mean": ("one or three numbers in [0, 1]", _numbers(lambda value: 0 <= value <= 1)),
    "std": ("one or three numbers above 0", _numbers(lambda value: 0 < value < math.inf)),
    "holdout": ("0, or a number from 2", lambda text: 0 if text == "0" else _whole(text, 2, 10**6)),
    "unreadable": ("refuse or skip", _word("refuse", "skip")),
    "layout": ("nhwc or nchw", _word("nhwc", "nchw")),
    "scale": ("the value that is white, such as 1 or 255", _scale),
    "image": ("the name of the images", _name),
    "label": ("the name of the labels", _name),
}
_ONLY = {"layout": ("npz",), "scale": ("npz",), "image": ("npz", "hf"), "label": ("npz", "hf")}
if set(_PARSERS) != {field.name for field in fields(OwnImages)} - {"kind", "path"}:
    raise AssertionError("every option has a parser")
