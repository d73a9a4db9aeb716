"""A command's corrupted images: from a user's folder, or generated beside the store."""

from pathlib import Path

import torch
from rich.console import Console

from testbed.command.console import progress
from testbed.corruptions import SEVERITIES, write_corrupted
from testbed.images import ImagesError, ImageSet
from testbed.images.corrupted import Layout, load_corrupted

__all__ = ["corrupted_folder"]


def corrupted_folder(
    option: str, images: ImageSet, count: int | None, names: list[str], store: Path,
    console: Console,
) -> tuple[Path, str]:  # fmt: skip
    """Return the folder, checked or made, and the word for it in the keys of results.

    Raises:
        ImagesError: if files are missing, damaged, or of other images.
    """
    if option == "generate":
        folder = store.with_name(f"{store.stem}-{images.name}-{images.split}-c")
        chosen = images.first(count)
        with progress(console) as bar:
            done = bar.add_task("corrupting", total=len(SEVERITIES) * len(chosen) * len(names))
            write_corrupted(chosen, folder, lambda n: bar.advance(done, n), names)
        return folder, "generated"
    folder = Path(option)
    wanted = images.labels[:count]
    for name in names:
        layout = Layout.of(images)
        found = load_corrupted(f"{images.name}-c", folder, name, 1, layout).labels[: len(wanted)]
        if not torch.equal(found, wanted):
            raise ImagesError(
                f"{folder}: the labels of {name} are not those of {images.name}'s "
                f"{images.split} split: corrupted images are of another set or order"
            )
    return folder, folder.name
