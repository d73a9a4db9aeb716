"""A folder in the published layout that is written more than once.

``meta.json`` holds the ε of all files of the folder: a file that an earlier export left there,
with other ε, would make the folder unreadable, or be read with the wrong ones. So an export notes
what it writes, removes what it wrote before, and refuses files that nobody noted.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from testbed.basis.errors import InputError
from testbed.files.names import checked_file_name, within
from testbed.files.replacing import replacing

__all__ = ["META", "NOTE", "replaced_files"]

META = "meta.json"
NOTE = "exported.json"
ENDINGS = ("_accuracy.json", "_confidence.json", "_cm.json")


@contextmanager
def replaced_files(
    root: Path, images: str, names: Iterable[str], epsilons: Mapping[str, list[float]]
) -> Iterator[dict[str, list[float]]]:
    """Give the ε of the whole folder, and leave it with these files and those of other image sets.

    Args:
        root: of the export.
        images: the image set that is written; its files lie in a folder of its name.
        names: of its files.
        epsilons: by attack, of its results.

    Raises:
        InputError: if a name would lead out of the folder, if the folder holds other files of the
            image set that no export noted, or results on other images under the same attack at
            other ε.
    """
    home = within(root, root / checked_file_name(images, "an image set"))
    names, noted = {checked_file_name(name, "a measure") for name in names}, _noted(root)
    for name in names:
        within(root, home / name)
    there = {path.name for path in home.glob("*.json") if path.name.endswith(ENDINGS)}
    stale = there - names
    if strange := sorted(stale - set(noted.get(images, ()))):
        raise InputError(
            f"{home} holds {', '.join(strange[:5])}{', …' if len(strange) > 5 else ''}, which this "
            "export would not replace and no earlier one noted: export to another folder, or "
            "remove them"
        )
    everything = _joined(root, images, epsilons)
    root.mkdir(parents=True, exist_ok=True)
    # First of all: an export that is interrupted can be repeated.
    _note(root, {**noted, images: sorted(names | stale)})
    for name in stale:
        (home / name).unlink(missing_ok=True)
    yield everything
    _note(root, {**noted, images: sorted(names)})


def _joined(root: Path, images: str, epsilons: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Return the ε of these attacks and of those of other image sets in the folder."""
    others = {
        path.name.removesuffix(ENDINGS[0])
        for path in root.glob(f"*/*{ENDINGS[0]}")
        if path.parent.name != images
    }
    if not others:
        return dict(epsilons)
    try:
        found = json.loads((root / META).read_text(encoding="utf-8-sig"))["epsilons"]
        known = {key: list(map(float, found[key])) for key in found if key in others}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{root} holds results on other images and no {META} that can be read "
            f"({type(error).__name__}): export to another folder"
        ) from error
    for key in sorted(known.keys() & epsilons.keys()):
        if known[key] != list(epsilons[key]):
            raise InputError(
                f"{root} holds results of {key} on other images at ε = "
                f"{', '.join(f'{value:g}' for value in known[key])}, and these are at "
                f"{', '.join(f'{value:g}' for value in epsilons[key])}: export to another folder"
            )
    joined = {**known, **epsilons}
    return {key: joined[key] for key in sorted(joined)}


def _noted(root: Path) -> dict[str, list[str]]:
    """Return the names of the files that exports wrote, by image set."""
    try:
        found = json.loads((root / NOTE).read_text(encoding="utf-8"))["files"]
        return {str(images): [str(name) for name in names] for images, names in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _note(root: Path, files: Mapping[str, list[str]]) -> None:
    with replacing(root / NOTE) as temporary:
        temporary.write_text(json.dumps({"files": files}, indent=1) + "\n", encoding="utf-8")
