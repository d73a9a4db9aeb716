"""From the options of a command to what it works on, or a sentence that says what is wrong."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from testbed.basis.errors import InputError, did_you_mean
from testbed.basis.foreign_text import shown
from testbed.command.console import split_words
from testbed.command.outputs import check_file
from testbed.images.names import is_own
from testbed.images.own.option import OwnImages

if TYPE_CHECKING:
    from testbed.images import ImageSet

__all__ = [
    "check_choice", "default_store", "export_path", "images_name", "load_images", "named",
    "note_former",
]  # fmt: skip


def check_choice(option: str, value: str, known: Sequence[str]) -> str:
    """Return an option's value if it is one of a few.

    Raises:
        InputError: naming them, if it is not.
    """
    if value not in known:
        there = " or ".join(known) if len(known) < 3 else f"one of {', '.join(known)}"
        raise InputError(
            f"unknown {option} {value!r}{did_you_mean(value, known)}; expected {there}"
        )
    return value


def named(option: str, known: Iterable[str]) -> list[str]:
    """Return the words of an option; ``all`` stands for all that are known, ``none`` for none."""
    if option in ("all", "none"):
        return list(known) if option == "all" else []
    return split_words(option)


def load_images(
    name: str, data_root: Path | None, split: str = "train", download: bool = False
) -> "ImageSet":
    """Return the image set that a command names.

    What is worth knowing of the images is said on standard error.

    Raises:
        InputError: if a folder is given for the digits, which come with scikit-learn, or for
            images whose place is named already.
        ImagesError: if the set is unknown, or its files are not there.
    """
    from testbed import images

    if name == "digits" and data_root is not None:
        raise InputError(
            f"--data-root {data_root} would be ignored: the digits come with scikit-learn; name "
            "the set of the folder with --images"
        )
    if is_own(name) and (data_root is not None or download):
        given = "--download" if data_root is None else f"--data-root {data_root}"
        raise InputError(f"{given} would be ignored: --images {shown(name)} says where they are")
    loaded = images.load(name, data_root, split, download)
    for note in loaded.notes:
        typer.echo(f"note: {loaded.name}: {note}", err=True)
    return loaded


def images_name(option: str) -> str:
    """Return the name that an image set has in tables, whichever way an option names it.

    Raises:
        ImagesError: if it is of a user's own images, and they cannot be read.
    """
    if not is_own(option):
        return option
    from testbed.images.own.loading import name_of

    return name_of(OwnImages.parse(option))


def default_store(images: str) -> Path:
    """Return where results on an image set are kept if no ``--store`` is given.

    Raises:
        ImagesError: if an option is meant to name a user's own images and does not.
    """
    if is_own(images):
        own = OwnImages.parse(images)
        return Path("runs") / f"{own.kind}-{own.slug}.sqlite"
    return Path("runs") / f"{shown(images, 40)}.sqlite"


def note_former(path: Path, images: str, former: str) -> None:
    """Say that results go to the store of today where one of version 0.1 lies.

    Args:
        path: of the store.
        images: the name of the image set.
        former: the default of version 0.1.
    """
    if path == default_store(images) and Path(former).exists() and not path.exists():
        typer.echo(
            f"note: results go to {path}; add --store {former} to go on with that file", err=True
        )


def export_path(
    out: Path | None, kind: str | None, kinds: Sequence[str], beside: Path | None = None
) -> Path | None:
    """Return the file that ``--out`` and ``--format`` ask for; None if neither is given.

    Args:
        out: the file; its ending says the format.
        kind: the format; without a file, it is written beside the store.
        kinds: the endings that are known, without their dots.
        beside: the store.

    Raises:
        InputError: if a format is unknown, the two contradict each other, or the file cannot be
            written.
    """
    if kind is not None:
        check_choice("--format", kind, kinds)
    if out is None:
        if kind is not None and beside is None:
            raise InputError(f"--format {kind} would be ignored: add --out FILE")
        return None if kind is None or beside is None else beside.with_suffix(f".{kind}")
    ending = out.suffix.removeprefix(".")
    if kind is not None and not ending:
        return check_file(out.with_suffix(f".{kind}"))
    if ending not in (kinds if kind is None else (kind,)):
        expected = " or ".join(f".{known}" for known in (kinds if kind is None else (kind,)))
        raise InputError(f"--out ends in {expected}; got {out}")
    return check_file(out)
