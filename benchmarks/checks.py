"""What it costs to compare the fast copy with the plain network, within ``compute``'s work.

A network's scores (params, flops, jacobian_norm, hessian_input; C = 16, N = 5, batch 16) are
computed with the comparison and without, interleaved. Bounds: the comparison adds one forward and
one backward pass of the plain network and one backward pass of the fast copy, of a single image
each, to 1 + 1 + K passes over 16 images: 3 / (16 · 12) of the operations, and the overhead of
every operation, which a single image does not fill.
"""

import statistics
import time
from unittest import mock

import torch
from torch import Tensor, nn

import proxies
from benchmarks.harness import CONSOLE, architecture, cifar_like
from proxies import copies
from testbed.basis.seeding import generator
from testbed.engine.memory import keep_freed_memory
from testbed.networks import fast
from testbed.networks.fast import FastCopy
from testbed.networks.outcome import outcome
from testbed.spaces.nasbench201.isomorphism import unique_ids

BATCH, NETWORKS, ROUNDS = 16, 12, 5
NAMES = ("params", "flops", "jacobian_norm", "hessian_input")


def unchecked(plain: nn.Module, images: Tensor, *, batch: bool = False) -> FastCopy:
    """Return the copy with all tricks, on trust; its forward pass is needed all the same."""
    network = fast._built(plain, fast.TRICKS)
    with mock.patch("torch.autograd.grad", return_value=(images[:1],)):
        alone = outcome(network, fast.channels_last_images(images[:1]))
    return FastCopy(network, alone, plain)


def main() -> None:
    """Measure and print."""
    keep_freed_memory()
    images, labels = cifar_like(BATCH)
    ids = unique_ids()
    order = torch.randperm(len(ids), generator=generator("checks"))[:NETWORKS].tolist()
    ratios, checked, trusted = [], [], []

    def seconds(network: nn.Module) -> float:
        start = time.process_time()
        proxies.score(network, images, labels, NAMES)
        return time.process_time() - start

    for index in (ids[i] for i in order):
        network = architecture(index)
        seconds(network)
        pairs = []
        for _ in range(ROUNDS):
            with mock.patch.object(copies, "fast_copy", unchecked):
                without = seconds(network)
            pairs.append((seconds(network), without))
        checked.append(statistics.median(pair[0] for pair in pairs))
        trusted.append(statistics.median(pair[1] for pair in pairs))
        ratios.append(checked[-1] / trusted[-1])
    CONSOLE.print(
        f"Comparing the fast copy, CPU time of {', '.join(NAMES)} with over without: "
        f"{sum(checked) / sum(trusted):.3f} over {NETWORKS} networks; by network, median "
        f"{statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}\n"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
