"""The top parameter-Hessian eigenvalue against PyHessian and a plain double-backward loop.

Two questions. With hindsight: the time of the fewest products after which an estimate is,
and stays, within 1e-3 of Lanczos at a tolerance of 1e-6 from a random start. As a user runs it:
PyHessian as released (it stops when its estimate changes by less than 1e-3) against Lanczos
from the gradient, stopped by the gap's bound at 1e-3. The plain loop runs our power iteration
to a residual of 1 %, without folding and channels-last.

Bounds: a product costs 6 convolutions a layer (2 each for the forward pass and for the
backward passes over features and weights), each of 2·B·M operations.
"""

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from unittest import mock

import pyhessian
import torch
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.harness import CONSOLE, architecture, as_loaded, cifar_like
from proxies.estimators import lanczos, power_iteration
from proxies.hessian_operators import ParameterHessian
from proxies.preparation import prepare
from testbed.basis.seeding import generator
from testbed.spaces.nasbench201.isomorphism import unique_ids

BATCH, TOLERANCE, RESIDUAL, ARCHITECTURES, ROUNDS, LIMIT = 16, 1e-3, 1e-2, 10, 2, 200
COLUMNS = ("id", "eigenvalue", "1e-3: ours", "theirs", "×", "error: ours", "theirs", "×", "× loop")


class Case:
    """One architecture and batch, prepared for us and as plain code finds it."""

    def __init__(self, index: int) -> None:
        self.images, self.labels = cifar_like(BATCH)
        self.network = prepare(architecture(index), self.images, "calibrated")
        self.plain = as_loaded(prepare(architecture(index), self.images, "calibrated"))

    def ours(self, limit: int = LIMIT, tolerance: float = TOLERANCE) -> float:
        """Return Lanczos' estimate after at most ``limit`` products."""
        operator = ParameterHessian(self.network, self.images, self.labels)
        found = lanczos(operator, operator.gradient, "magnitude", tolerance, limit, "gap")
        return float(found.values)

    def truth(self) -> float:
        """Return what Lanczos finds from a random start at a residual of 1e-6."""
        operator = ParameterHessian(self.network, self.images, self.labels)
        start = torch.randn(operator.shape, generator=generator("benchmark"))
        return float(lanczos(operator, start, "magnitude", 1e-6, LIMIT).values)

    def pyhessian(self, limit: int = 100, tolerance: float = 1e-3) -> float:
        """Return PyHessian's estimate, with its own default limits."""
        torch.manual_seed(0)
        data = self.images, self.labels
        computer = pyhessian.hessian(self.plain, cross_entropy, data=data, cuda=False)
        return computer.eigenvalues(maxIter=limit, tol=tolerance)[0][0]

    def pyhessian_path(self) -> list[float]:
        """Return PyHessian's estimate after each step."""
        path: list[float] = []

        def record(xs: list[Tensor], ys: list[Tensor]) -> Tensor:
            product = sum((x * y).sum() for x, y in zip(xs, ys, strict=True))
            path.append(float(product))
            return torch.as_tensor(product)

        with mock.patch.object(sys.modules["pyhessian.hessian"], "group_product", record):
            self.pyhessian(LIMIT, 1e-4)
        return path

    def loop(self) -> float:
        """Return our power iteration's estimate with a plain double-backward product."""
        parameters = list(self.plain.parameters())
        operator = plain_operator(self.plain, parameters, self.images, self.labels)
        size = sum(parameter.numel() for parameter in parameters)
        start = torch.randn((1, size), generator=generator("benchmark"))
        return float(power_iteration(operator, start, "magnitude", RESIDUAL, LIMIT).values)


def plain_operator(
    network: nn.Module, parameters: list[nn.Parameter], images: Tensor, labels: Tensor
) -> Callable[[Tensor], Tensor]:
    """Return v → H v by differentiating the gradient's graph, nothing prepared."""
    loss = cross_entropy(network(images), labels)
    gradients = torch.autograd.grad(
        loss, parameters, create_graph=True, allow_unused=True, materialize_grads=True
    )

    def product(vectors: Tensor) -> Tensor:
        pieces = vectors[0].split([parameter.numel() for parameter in parameters])
        shaped = [piece.view_as(p) for piece, p in zip(pieces, parameters, strict=True)]
        rows = torch.autograd.grad(
            gradients, parameters, shaped, retain_graph=True, allow_unused=True,
            materialize_grads=True,
        )  # fmt: skip
        return torch.cat([row.flatten() for row in rows])[None]

    return product


def steps_within(path: list[float], truth: float) -> int:
    """Return after how many steps a path is, and stays, within 1e-3."""
    outside = [step for step, value in enumerate(path, 1) if abs(value / truth - 1) > TOLERANCE]
    return (outside[-1] if outside else 0) + 1


def timed(run: Callable[[], float]) -> tuple[float, float]:
    start = time.process_time()
    value = run()
    return value, time.process_time() - start


def measure(index: int) -> dict[str, float]:
    case = Case(index)
    truth = case.truth()
    few = next(n for n in range(1, LIMIT) if abs(case.ours(n, 1e-12) / truth - 1) <= TOLERANCE)
    many = steps_within(case.pyhessian_path(), truth)
    row: dict[str, float] = {"id": index, "truth": truth, "few": few, "many": many}
    hindsight, used, loops = [], [], []
    for _ in range(ROUNDS):
        own, other = timed(lambda: case.ours(few)), timed(lambda: case.pyhessian(many, 0))
        hindsight.append(other[1] / own[1])
        own, other = timed(case.ours), timed(case.pyhessian)
        used.append(other[1] / own[1])
        loops.append(timed(case.loop)[1] / own[1])
        row |= {"ours": own[0] / truth - 1, "theirs": other[0] / truth - 1}
    row |= {"hindsight": statistics.median(hindsight), "used": statistics.median(used)}
    return row | {"loop": statistics.median(loops)}


def main() -> None:
    """Measure and print."""
    warnings.filterwarnings("ignore", message="Using backward.. with create_graph")
    ids = unique_ids()
    order = torch.randperm(len(ids), generator=generator("ten architectures"))
    rows = []
    title = (
        f"Parameter Hessian, C=16, N=5, batch {BATCH}, float32, 1 thread. Products to 1e-3, then "
        "errors as a user runs them; × is the CPU time of PyHessian (or the loop) over ours"
    )
    CONSOLE.print(title, style="bold")
    table = Table(box=None, pad_edge=False)
    for heading in COLUMNS:
        table.add_column(heading, justify="right")
    for index in (ids[i] for i in order[:ARCHITECTURES].tolist()):
        row = measure(index)
        rows.append(row)
        table.add_row(
            str(index), f"{row['truth']:.4g}", str(row["few"]), str(row["many"]),
            f"{row['hindsight']:.1f}", f"{row['ours']:.0e}", f"{row['theirs']:.0e}",
            f"{row['used']:.1f}", f"{row['loop']:.1f}",
        )  # fmt: skip
    CONSOLE.print(table)
    for name in ("hindsight", "used", "loop"):
        CONSOLE.print(f"  median × {name}: {statistics.median(row[name] for row in rows):.2f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
