"""The top input Hessian eigenvalue: exact form, Lanczos, and a plain loop of products."""

import torch

from benchmarks.harness import architecture, as_loaded, cifar_like, interleave, print_ratios
from proxies.estimators import power_iteration
from proxies.hessian import hessian_input
from proxies.hessian_operators import InputHessian
from proxies.preparation import prepare
from proxies.probe import Probe
from testbed.basis.seeding import generator

INDEX, BATCH, TOLERANCE, ROUNDS = 11, 16, 1e-2, 3


def main() -> None:
    """Measure and print."""
    images, labels = cifar_like(BATCH)
    ready = as_loaded(prepare(architecture(INDEX), images, "calibrated"))
    start = torch.randn(BATCH, images[0].numel(), generator=generator("benchmark"))

    def ours(method: str) -> float:
        probe = Probe(ready, images, labels, batch_norm="running")
        return hessian_input(probe, method=method, tolerance=TOLERANCE).value

    def loop() -> float:
        operator = InputHessian(ready, images, labels)
        return float(power_iteration(operator, start, tolerance=TOLERANCE).values.mean())

    cases = {
        "exact": lambda: ours("exact"),
        "lanczos": lambda: ours("lanczos"),
        "power iteration, double backward": loop,
    }
    title = (
        f"Input Hessian: network {INDEX}, C=16, N=5, batch {BATCH}, float32, 1 thread, "
        f"tolerance {TOLERANCE:g}"
    )
    print_ratios(title, interleave(cases, ROUNDS), "exact")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
