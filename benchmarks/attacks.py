"""Our attacks on an ε grid against the original AutoAttack run once for each ε.

Bounds, for N images, E ε and S steps of a network of M multiply-accumulates: a gradient step
costs 3·M an image (forward and backward to the input, no weight gradients), a query M; so
``record`` cannot cost less than 3·M·N·E·(S + 1), at the rate of a folded network. Bytes: an
attack's own arithmetic reads and writes about 15 images' worth of pixels a step, against the
network's feature maps, which are C/3 times larger and several a cell.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.harness import CONSOLE, architecture, cifar_like, interleave, print_ratios
from evaluation.attacks import evaluate, make
from evaluation.attacks.draws import Draws
from evaluation.attacks.losses import cross_entropy
from evaluation.attacks.original import package
from evaluation.attacks.victim import Victim
from evaluation.measures import PAPER_EPSILONS
from testbed import images
from testbed.nasbench201.checkpoints import trained_network
from testbed.nasbench201.genotype import Genotype
from testbed.seeding import global_draws

INDEX, IMAGES, ROUNDS, QUERIES = 284, 200, 3, 500


def original(
    network: torch.nn.Module, inputs: torch.Tensor, labels: torch.Tensor, name: str, queries: int
) -> list[float]:
    """Return the robust accuracy at each ε by the authors' package, one run for each."""
    accuracies = []
    for epsilon in PAPER_EPSILONS:
        with global_draws("original", epsilon):
            attack = package().AutoAttack(
                network, attacks=[name], eps=epsilon / 255, version="custom", seed=0
            )
            attack.verbose = False
            attack.apgd.n_restarts, attack.square.n_queries = 1, queries
            attacked, _ = attack.run_standard_evaluation(inputs, labels, batch_size=len(inputs))
        with torch.no_grad():
            right = network(attacked).argmax(1) == labels
        accuracies.append(float(right.double().mean()))
    return accuracies


def ours(
    network: torch.nn.Module, inputs: torch.Tensor, labels: torch.Tensor, name: str, mode: str,
    queries: int,
) -> list[float]:  # fmt: skip
    """Return the robust accuracy at each ε by this package."""
    attack = make(name, queries=queries) if name == "square" else make(name)
    result = evaluate(
        network, inputs, labels, attack, PAPER_EPSILONS, mode=mode, batch_size=len(inputs)
    )
    return [float(level.robust.double().mean()) for level in result.levels]


def overhead(network: torch.nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> None:
    """Print the cost of a step of APGD over the forward and backward pass that it needs."""
    victim = Victim(network, inputs)
    arranged = victim.arrange(inputs)
    steps, attack = 30, make("apgd-ce", steps=30)

    def bare() -> None:
        for _ in range(steps + 1):
            victim.gradient(arranged, labels, cross_entropy)

    draws = Draws.of(inputs, 0)
    cases = {
        "bare passes": bare,
        "APGD-CE": lambda: attack.propose(victim, arranged, labels, 8 / 255, draws, False),
    }
    seconds = interleave(cases, 2 * ROUNDS)
    print_ratios(f"{steps} steps of APGD-CE over {steps + 1} bare passes", seconds, "APGD-CE")


def compare(
    network: torch.nn.Module, inputs: torch.Tensor, labels: torch.Tensor, name: str,
    modes: Sequence[str], queries: int, rounds: int,
) -> None:  # fmt: skip
    """Print the cost of the original over that of each of our modes."""
    found: dict[str, list[float]] = {}

    def noted(case: str, run: Callable[[], list[float]]) -> Callable[[], None]:
        def call() -> None:
            found[case] = run()

        return call

    cases = {
        "original": noted("original", lambda: original(network, inputs, labels, name, queries))
    }
    for mode in modes:
        cases[mode] = noted(
            mode, lambda mode=mode: ours(network, inputs, labels, name, mode, queries)
        )
    seconds = interleave(cases, rounds, warm=rounds > 1)
    print_ratios(f"{name}, {len(inputs)} images, ε = {PAPER_EPSILONS}", seconds, "original")
    for case, accuracies in found.items():
        CONSOLE.print(f"  {case}: {', '.join(f'{value:.3f}' for value in accuracies)}")


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, help="folder of checkpoints; else enlarged digits")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--id", type=int, default=INDEX)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--queries", type=int, default=QUERIES, help="of Square")
    parser.add_argument("--attacks", default="apgd-ce,square")
    options = parser.parse_args(arguments)
    if options.weights is None:
        network, (inputs, labels) = on_digits(options.id), cifar_like(IMAGES)
    else:
        network = trained_network(options.weights, Genotype.from_index(options.id), 0).eval()
        test = images.load("cifar10", options.data_root, split="test")
        inputs, labels = test.images(torch.arange(IMAGES)), test.labels[:IMAGES]
    overhead(network, inputs, labels)
    for name in options.attacks.split(","):
        modes = ("record", "accuracy", "descending")
        compare(network, inputs, labels, name, modes, options.queries, options.rounds)


def on_digits(index: int) -> torch.nn.Module:
    """Return a real network trained for a few epochs on enlarged digits."""
    network = architecture(index)
    inputs, labels = cifar_like(1000)
    optimiser = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9, nesterov=True)
    start = time.process_time()
    for epoch in range(4):
        source = torch.Generator().manual_seed(epoch)
        for rows in torch.randperm(len(inputs), generator=source).split(64):
            loss = torch.nn.functional.cross_entropy(network(inputs[rows]), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    CONSOLE.print(f"trained in {time.process_time() - start:.0f} s")
    return network.eval()


if __name__ == "__main__":
    import sys

    torch.set_num_threads(1)
    main(sys.argv[1:])
