"""The top Hessian eigenvalue against PyHessian and against a plain double-backward loop.

Each method stops by its own rule at the same tolerance; its error is taken against
Lanczos at a tolerance a thousand times smaller. The time to 1 % accuracy is that of the
fewest products after which the estimate is, and stays, within 1 %.

Bounds: a product costs 6 convolutions a layer (2 for each of forward, backward over the
features and backward over the weights), each of 2·B·M operations.
"""

import statistics
import time

import torch
from pyhessian import hessian as pyhessian
from rich.table import Table
from torch.nn.functional import cross_entropy

from benchmarks.harness import CONSOLE, architecture, as_loaded, cifar_like
from proxies.estimators import lanczos, power_iteration
from proxies.operators import ParameterHessian
from proxies.preparation import prepare
from testbed.nasbench201.isomorphism import unique_ids
from testbed.seeding import generator

BATCH, TOLERANCE, ARCHITECTURES = 16, 1e-3, 10


def plain_operator(network, images, labels):
    """Return the double-backward product without folding or channels-last."""
    parameters = list(network.parameters())
    loss = cross_entropy(network(images), labels)
    gradients = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
    live = [(p, g) for p, g in zip(parameters, gradients, strict=True) if g is not None]

    def product(vectors):
        pieces = vectors[0].split([p.numel() for p, _ in live])
        shaped = [piece.view_as(p) for piece, (p, _) in zip(pieces, live, strict=True)]
        outputs, inputs = [g for _, g in live], [p for p, _ in live]
        rows = torch.autograd.grad(outputs, inputs, shaped, retain_graph=True)
        return torch.cat([row.flatten() for row in rows])[None]

    return product


def timed(run):
    start = time.process_time()
    value = run()
    return value, time.process_time() - start


def pyhessian_products(network, images, labels, limit):
    """Return PyHessian's estimate after at most ``limit`` iterations of its power method."""
    torch.manual_seed(0)
    computer = pyhessian(network, cross_entropy, data=(images, labels), cuda=False)
    return computer.eigenvalues(maxIter=limit, tol=TOLERANCE, top_n=1)[0][0]


def ours(network, images, labels, limit=200):
    operator = ParameterHessian(network, images, labels)
    start = torch.randn(operator.shape, generator=generator("benchmark"))
    return lanczos(operator, start, "magnitude", TOLERANCE, limit)


def loop(network, images, labels):
    size = sum(p.numel() for p in ParameterHessian(network, images, labels).parameters)
    start = torch.randn((1, size), generator=generator("benchmark"))
    return power_iteration(plain_operator(network, images, labels), start, tolerance=TOLERANCE)


def first_within(estimate, truth, high):
    """Return the fewest iterations after which the estimate is within 1 %, by bisection."""
    low = 1
    while low < high:
        middle = (low + high) // 2
        if abs(estimate(middle) / truth - 1) <= 0.01:
            high = middle
        else:
            low = middle + 1
    return low


def measure(index, images, labels):
    network = prepare(architecture(index), images, "calibrated")
    plain = as_loaded(prepare(architecture(index), images, "calibrated"))
    operator = ParameterHessian(network, images, labels)
    start = torch.randn(operator.shape, generator=generator("truth"))
    truth = float(lanczos(operator, start, "magnitude", TOLERANCE / 1000).values)
    few = first_within(lambda n: float(ours(network, images, labels, n).values), truth, 40)
    many = first_within(lambda n: pyhessian_products(plain, images, labels, n), truth, 200)
    ratios, row = [], {}
    for _ in range(3):
        mine, own = timed(lambda: ours(network, images, labels, few))
        theirs, other = timed(lambda: pyhessian_products(plain, images, labels, many))
        ratios.append(other / own)
        row = {
            "id": index, "truth": truth, "ours": float(mine.values) / truth - 1,
            "pyhessian": theirs / truth - 1, "products": few, "iterations": many,
        }  # fmt: skip
    row["ratio"] = statistics.median(ratios)
    _, slow = timed(lambda: loop(plain, images, labels))
    _, quick = timed(lambda: ours(network, images, labels))
    row["loop"] = slow / quick
    return row


def main() -> None:
    """Measure and print."""
    images, labels = cifar_like(BATCH)
    ids = unique_ids()
    chosen = [ids[i] for i in torch.randperm(len(ids), generator=generator("ten"))[:ARCHITECTURES]]
    title = (
        f"Parameter Hessian: C=16, N=5, batch {BATCH}, float32, 1 thread, "
        f"CPU time to 1 % (and loop: to tolerance {TOLERANCE:g})"
    )
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("id", "eigenvalue", "products", "error", "PyHessian its", "error", "× faster",
                    "× loop"):  # fmt: skip
        table.add_column(heading, justify="right")
    rows = []
    for index in chosen:
        row = measure(index, images, labels)
        rows.append(row)
        table.add_row(
            str(index), f"{row['truth']:.4g}", str(row["products"]), f"{row['ours']:.1e}",
            str(row["iterations"]), f"{row['pyhessian']:.1e}", f"{row['ratio']:.1f}",
            f"{row['loop']:.1f}",
        )  # fmt: skip
    CONSOLE.print(table)
    for name in ("ratio", "loop"):
        median = statistics.median(row[name] for row in rows)
        CONSOLE.print(f"  median {name}: {median:.2f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
