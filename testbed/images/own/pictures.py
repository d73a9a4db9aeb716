"""An image file as grey levels: upright, on a black ground, 8 bits, of the size asked for.

A picture is what a viewer shows: turned as its EXIF data say, its first frame or page, with what
is transparent laid on black, 16 bits reduced to 8. (torchvision's ``ImageFolder`` turns nothing,
and drops the transparency; where that makes a difference, a note says in how many images.)
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from testbed.images.errors import DataFileError

Image.init()  # all formats; without it only the commonest five are there

__all__ = ["ENDINGS", "Form", "Header", "decode", "header"]

# Not all that Pillow knows: some formats run other programs.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
ENDINGS = (
    ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
)  # fmt: skip
MOST_PIXELS = 2**26
_GREY = ("1", "L", "LA", "La")
_SIXTEEN = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_ORIENTATION = 0x0112
_TURNS = (5, 6, 7, 8)  # those orientations that exchange height and width


@dataclass(frozen=True)
class Header:
    """What a file says of its picture before it is decoded.

    Attributes:
        size: height and width, upright.
        grey: whether it has no colours.
        notes: what is done to it beyond decoding.
    """

    size: tuple[int, int]
    grey: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """What pictures are brought to.

    Attributes:
        channels: 1 or 3.
        size: height and width.
        fit: ``crop`` or ``stretch``.
    """

    channels: int
    size: tuple[int, int]
    fit: str = "crop"


def header(content: bytes) -> Header:
    """Return what an image file says of itself.

    Raises:
        DataFileError: if it is none of the formats, or damaged.
    """
    with _opened(content) as image:
        turned = int(image.getexif().get(_ORIENTATION, 1) or 1)
        notes = []
        if 2 <= turned <= 8:
            notes.append("turned as their EXIF data say")
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            notes.append("animated or of several pages: the first is read")
        if image.mode in _SIXTEEN:
            notes.append("reduced from 16 bits to 8")
        if _has_alpha(image) and _transparent(image):
            notes.append("transparent: laid on black")
        width, height = image.size
        size = (width, height) if turned in _TURNS else (height, width)
        return Header(size, image.mode in _GREY + _SIXTEEN, tuple(notes))


def decode(content: bytes | NDArray[np.uint8], form: Form) -> NDArray[np.uint8]:
    """Return the grey levels of an image file, or of an array (H, W, C), as (C, H, W).

    Images of another size are resampled bilinearly, over as many pixels as one of the new ones
    covers (Pillow's ``BILINEAR``).

    Raises:
        DataFileError: if it cannot be decoded.
    """
    if isinstance(content, np.ndarray):
        if content.shape == (*form.size, form.channels):
            return np.ascontiguousarray(content.transpose(2, 0, 1))
        image = Image.fromarray(content[:, :, 0] if content.shape[2] == 1 else content)
        return _levels(image, form)
    with _opened(content) as opened:
        return _levels(_flat(ImageOps.exif_transpose(opened)), form)


def _levels(image: Image.Image, form: Form) -> NDArray[np.uint8]:
    image = image.convert("L" if form.channels == 1 else "RGB")
    height, width = form.size
    if image.size != (width, height):
        if form.fit == "crop":
            image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
        else:
            image = image.resize((width, height), Image.Resampling.BILINEAR)
    levels = np.asarray(image, dtype=np.uint8)
    return np.ascontiguousarray(np.atleast_3d(levels).transpose(2, 0, 1))


def _flat(image: Image.Image) -> Image.Image:
    """Return a picture of 8 bits and no transparency."""
    if image.mode in _SIXTEEN:
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise DataFileError("its values are no 16 bits")
        return Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        raise DataFileError("its values are floating-point numbers, of unknown range")
    if not _has_alpha(image):
        return image
    grey = image.mode in _GREY
    image = image.convert("RGBA")
    ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(ground, image).convert("L" if grey else "RGB")


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in _ALPHA or "transparency" in image.info


def _transparent(image: Image.Image) -> bool:
    lowest = image.convert("RGBA").getchannel("A").getextrema()[0]
    return isinstance(lowest, int | float) and lowest < 255


class _opened:  # noqa: N801
    """An open image whose faults, whatever Pillow makes of them, are DataFileErrors."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __enter__(self) -> Image.Image:
        try:
            self.image = Image.open(io.BytesIO(self.content), formats=FORMATS)
        except Exception as error:
            raise DataFileError(_why(error, self.content)) from error
        width, height = self.image.size
        if width * height > MOST_PIXELS:
            raise DataFileError(f"it has {height} × {width} pixels; at most {MOST_PIXELS:,} fit")
        return self.image

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.image.close()
        if isinstance(error, Exception) and not isinstance(error, DataFileError):
            raise DataFileError(_why(error, self.content)) from error


def _why(error: Exception, content: bytes) -> str:
    if not content:
        return "it is empty"
    if isinstance(error, Image.UnidentifiedImageError):
        return "it is no image of a known format"
    return f"{type(error).__name__}: {error}"
