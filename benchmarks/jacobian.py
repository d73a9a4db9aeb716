"""The exact Jacobian norm against a plain loop of backward passes and ``vmap(jacrev)``.

Bounds, for a batch of B images, K classes and a network of M multiply-accumulates:
operations 2·B·M·(1 + K) at the measured peak of the convolution; bytes: each feature
map is written and read once in each pass, which at these sizes is of the same order.
"""

import statistics
import time

import torch
from torch.func import jacrev, vmap

from benchmarks.harness import (
    CONSOLE,
    architecture,
    as_loaded,
    cifar_like,
    interleave,
    print_ratios,
)
from proxies.jacobian import jacobian_norm
from proxies.preparation import prepare
from proxies.probe import Probe
from testbed.networks.fast import channels_last
from testbed.spaces.nasbench201 import cost
from testbed.spaces.nasbench201.genotype import Genotype

INDEX, BATCH, CLASSES, ROUNDS = 11, 64, 10, 5


def plain_loop(network: torch.nn.Module, images: torch.Tensor) -> float:
    """Return the norm from one backward pass a class over the batch, nothing prepared."""
    images = images.detach().requires_grad_()
    logits = network(images)
    squares = torch.zeros(len(images))
    for k in range(CLASSES):
        (row,) = torch.autograd.grad(logits[:, k].sum(), images, retain_graph=True)
        squares += row.flatten(1).square().sum(1)
    return float(squares.sqrt().mean())


def functional(network: torch.nn.Module, images: torch.Tensor) -> float:
    """Return the norm from ``vmap(jacrev)`` over single images."""
    rows = vmap(jacrev(lambda image: network(image[None])[0]))(images).detach()
    return float(rows.flatten(1).norm(dim=1).mean())


def convolution_peak() -> float:
    """Return the multiply-accumulates a second of a 3×3 convolution of a middle size."""
    images = torch.randn(BATCH, 32, 16, 16).contiguous(memory_format=torch.channels_last)
    conv = channels_last(torch.nn.Conv2d(32, 32, 3, padding=1, bias=False))
    work, rates = BATCH * 9 * 32 * 32 * 16 * 16, []
    with torch.no_grad():
        for _ in range(30):
            start = time.process_time()
            for _ in range(10):
                conv(images)
            rates.append(10 * work / (time.process_time() - start))
    return statistics.median(rates)


def main() -> None:
    images, labels = cifar_like(BATCH)
    ready = as_loaded(prepare(architecture(INDEX), images, "calibrated"))

    def ours() -> float:
        return jacobian_norm(Probe(ready, images, labels, batch_norm="running")).value

    cases = {
        "ours": ours,
        "loop of backward passes": lambda: plain_loop(ready, images),
        "vmap(jacrev)": lambda: functional(ready, images),
    }
    norms = {name: run() for name, run in cases.items()}
    seconds = interleave(cases, ROUNDS)
    title = f"Jacobian norm: network {INDEX}, C=16, N=5, batch {BATCH}, float32, 1 thread"
    print_ratios(title, seconds, "ours")
    CONSOLE.print(f"  norms: {', '.join(f'{norm:.5f}' for norm in norms.values())}")
    macs = cost.flops(Genotype.from_index(INDEX)) * BATCH * (1 + CLASSES)
    share = macs / statistics.median(seconds["ours"]) / convolution_peak()
    CONSOLE.print(f"  {share:.0%} of the measured convolution peak\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
