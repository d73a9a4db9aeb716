"""How far float32 scores lie from float64 ones: the distribution over fresh networks.

    python scripts/float32_error.py --data-root DATA --networks 50

C = 16, N = 5, 16 images of CIFAR-10, seed 0, calibrated batch norm; networks drawn once from the
6,466 unique ones. Prints median, 95th percentile and maximum of |float32 / float64 − 1|.
"""

import argparse
from pathlib import Path

import torch
from rich.progress import track
from rich.table import Table

import proxies
from testbed import images
from testbed.basis.seeding import generator
from testbed.basis.terminal import plain_console
from testbed.networks.normalise import normalised
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.isomorphism import unique_ids
from testbed.spaces.nasbench201.weights import random_network

NAMES = ("jacobian_norm", "hessian_input", "hessian_params")
WATCHED = (11, 284, 3779)  # where the sums of batch norms once lay furthest off


def errors(
    index: int, cifar: images.ImageSet, batch: images.Batch, names: list[str]
) -> list[float]:
    """Return |float32 / float64 − 1| of each score; 0 where both are 0."""
    network = normalised(random_network(Genotype.from_index(index), 0), cifar.mean, cifar.std)
    pairs = [
        proxies.score(network, batch.images.to(dtype), batch.labels, names)
        for dtype in (torch.float32, torch.float64)
    ]
    values = [[float(scores[name]) for scores in pairs] for name in names]
    return [abs(a / b - 1) if b else abs(a) for a, b in values]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--networks", type=int, default=50)
    parser.add_argument("--proxies", default=",".join(NAMES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = options.proxies.split(",")
    cifar = images.load("cifar10", options.data_root)
    batch = cifar.batch(16, 0)
    ids = unique_ids()
    order = torch.randperm(len(ids), generator=generator("float32 error"))
    chosen = [ids[i] for i in order[: options.networks].tolist()]
    console = plain_console(stderr=True)
    found = torch.tensor(
        [errors(index, cifar, batch, names) for index in track(chosen, "scoring", console=console)]
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("proxy", "median", "95 %", "max", *map(str, WATCHED)):
        table.add_column(heading)
    watched = torch.tensor([errors(index, cifar, batch, names) for index in WATCHED])
    for column, name in enumerate(names):
        values = found[:, column]
        cells = [values.median(), values.quantile(0.95), values.max(), *watched[:, column]]
        table.add_row(name, *(f"{float(value):.1e}" for value in cells))
    plain_console().print(table)


if __name__ == "__main__":
    main()
