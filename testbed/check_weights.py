"""The command ``python -m testbed.check_weights``: whether an archive's weights are read rightly.

It measures the clean accuracy of trained networks on the official test set and compares it
with what the archive itself has on record for them (``ori-test``).
"""

from pathlib import Path
from typing import Annotated

import typer

from testbed.basis.errors import InputError
from testbed.basis.terminal import plain_console
from testbed.command.console import check_device, fail, progress
from testbed.command.inputs import check_choice, load_images
from testbed.command.options import ARCHS_HELP, DataRoot, Device, Download, Hp, Space
from testbed.command.shell import Command, application
from testbed.spaces.nasbench201.names import ARCHIVE_DATASETS

__all__ = ["main"]

app = application()


@app.command(cls=Command)
def check_weights(
    archive: Annotated[Path, typer.Argument(help="Folder of the archive, with weights.")],
    archs: Annotated[str, typer.Option(help=ARCHS_HELP)] = "11",
    data_root: DataRoot = None,
    download: Download = False,
    dataset: Annotated[str, typer.Option(help=", ".join(ARCHIVE_DATASETS))] = "cifar10",
    seed: Annotated[int, typer.Option(help="Of the training.")] = 777,
    space: Space = None,
    hp: Hp = None,
    device: Device = "cpu",
    batch_size: Annotated[int, typer.Option(help="Images at a time.", min=1)] = 500,
) -> None:
    """Compare the clean accuracy of an archive's networks with the archive's own record.

    On the full test set they agree to 0.05 percentage points; on a part of it, to 3
    binomial standard errors. Otherwise the exit code is 1.
    """
    check_choice("--dataset", dataset, ARCHIVE_DATASETS)
    console = plain_console()

    from testbed.spaces import registry
    from testbed.spaces.nasbench201.archive import DATASETS, Archive
    from testbed.spaces.nasbench201.archive.comparison import compare, table
    from testbed.spaces.selection import space_of_words

    chosen = space_of_words(archs) if space is None else registry.get(space)
    networks = chosen.select(archs)
    check_device(device)
    opened = chosen.archive(archive)
    if not isinstance(opened, Archive):
        raise InputError(f"archives of {chosen.title} have no accuracies that can be read here")
    hp = str(opened.settings(dataset, seed, hp)["hp"])
    test_set = load_images(DATASETS[dataset].images, data_root, "test", download)
    rows = []
    with progress(console) as bar:
        for genotype in bar.track(networks, description="checking"):
            record = opened.record(genotype, dataset, seed, hp)
            network = opened.network(genotype, dataset, seed, hp).to(device)
            rows.append(compare(record, network, test_set, device, batch_size))
    console.print(table(rows, f"{opened.path.name}: {dataset}, hp {hp}, seed {seed}"))
    wrong = [row.index for row in rows if not row.agrees]
    if wrong:
        fail(
            f"{len(wrong)} of {len(rows)} networks are not as accurate as the archive says: "
            f"{', '.join(map(str, wrong[:10]))}",
            code=1,
        )


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
