"""Our attacks on an ε grid against the original AutoAttack run once for each ε.

Bounds, for N images, E ε and S steps of a network of M multiply-accumulates: a gradient step
costs 3·M an image (forward and backward to the input, no weight gradients), a query M; so
``record`` cannot cost less than 3·M·N·E·(S + 1), at the rate of a folded network, and
``descending`` not less than 3·M·(S + 1) for each image that resists at some ε, and again for
each audited pair. Square with Q queries: Q·M instead of 3·M·(S + 1). Bytes: a step of APGD
reads and writes about 15 images' worth of pixels and one of Square about 3, against the
network's feature maps, which are C/3 times larger and several a cell.

What keeps from the bounds is the size of batches: a pass of n images of the small network
(C = 8, N = 1) costs about .7 + .083·n ms, so that 8 images cost twice what they cost in a
batch of 100, and one alone eleven times.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.harness import CONSOLE, architecture, cifar_like, interleave, print_ratios
from evaluation.attacks import evaluate, make
from evaluation.attacks.draws import Draws
from evaluation.attacks.examples import Examples
from evaluation.attacks.losses import cross_entropy
from evaluation.attacks.names import PAPER_EPSILONS
from evaluation.attacks.original import package
from evaluation.attacks.victim import Victim
from testbed import images
from testbed.basis.seeding import global_draws
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.train.checkpoints import trained_network

INDEX, CHANNELS, CELLS = 284, 8, 1
IMAGES, ROUNDS, QUERIES = 60, 1, 500
EPOCHS = 8
PUBLISHED = {"images": 200, "queries": 5000}
MODES = "record,accuracy,descending"
# Enlarged digits have a higher contrast than photographs: here their curve falls as it should.
DIGITS = 4


@dataclass(frozen=True)
class Case:
    """A network, images and a grid for all contestants.

    Attributes:
        network: in eval mode.
        inputs: (N, C, H, W) in [0, 1].
        labels: (N,).
        epsilons: in units of 1/255.
        queries: of Square.
    """

    network: torch.nn.Module
    inputs: torch.Tensor
    labels: torch.Tensor
    epsilons: Sequence[float]
    queries: int

    def original(self, name: str) -> list[float]:
        """Return the robust accuracy at each ε by the authors' package, one run for each."""
        accuracies = []
        for epsilon in self.epsilons:
            with global_draws("original", epsilon):
                attack = package().AutoAttack(
                    self.network, attacks=[name], eps=epsilon / 255, version="custom", seed=0
                )
                attack.verbose, attack.apgd.n_restarts = False, 1
                attack.square.n_queries = self.queries
                attacked, _ = attack.run_standard_evaluation(
                    self.inputs, self.labels, batch_size=len(self.inputs)
                )
            with torch.no_grad():
                right = self.network(attacked).argmax(1) == self.labels
            accuracies.append(float(right.double().mean()))
        return accuracies

    def ours(self, name: str, mode: str) -> list[float]:
        """Return the robust accuracy at each ε by this package."""
        attack = make(name, queries=self.queries) if name == "square" else make(name)
        result = evaluate(
            self.network, self.inputs, self.labels, attack, self.epsilons, mode=mode,
            batch_size=len(self.inputs),
        )  # fmt: skip
        return [float(level.robust.double().mean()) for level in result.levels]


def overhead(case: Case) -> None:
    """Print the cost of a step of APGD over the forward and backward pass that it needs."""
    victim = Victim(case.network, case.inputs)
    arranged = victim.arrange(case.inputs)
    steps, attack = 30, make("apgd-ce", steps=30)

    def bare() -> None:
        for _ in range(steps + 1):
            victim.gradient(arranged, case.labels, cross_entropy)

    batch = Examples(victim, arranged, case.labels, Draws.of(case.inputs, 0))
    cases = {
        "bare passes": bare,
        "APGD-CE": lambda: attack.propose(batch, 8 / 255, False),
    }
    seconds = interleave(cases, 5)
    print_ratios(f"{steps} steps of APGD-CE over {steps + 1} bare passes", seconds, "APGD-CE")


def compare(case: Case, name: str, modes: Sequence[str], rounds: int) -> None:
    """Print the cost of the original over that of each of our modes."""
    found: dict[str, list[float]] = {}

    def noted(who: str, run: Callable[[], list[float]]) -> Callable[[], None]:
        def call() -> None:
            found[who] = run()

        return call

    cases = {"original": noted("original", lambda: case.original(name))}
    for mode in modes:
        cases[mode] = noted(mode, lambda mode=mode: case.ours(name, mode))
    seconds = interleave(cases, rounds, warm=rounds > 1)
    queries = f", {case.queries:,} queries" if name == "square" else ""
    title = f"{name}{queries}, {len(case.inputs)} images, ε = {case.epsilons}"
    print_ratios(title, seconds, "original")
    for who, accuracies in found.items():
        CONSOLE.print(f"  {who}: {', '.join(f'{value:.3f}' for value in accuracies)}")


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, help="folder of checkpoints; else enlarged digits")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--id", type=int, default=INDEX)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--queries", type=int, default=QUERIES, help="of Square")
    parser.add_argument("--attacks", default="apgd-ce,square")
    parser.add_argument("--modes", default=MODES)
    full = f"{PUBLISHED['images']} images and {PUBLISHED['queries']:,} queries"
    parser.add_argument("--full", action="store_true", help=f"the published setting: {full}")
    options = parser.parse_args(arguments)
    if options.full:
        options.images, options.queries = PUBLISHED["images"], PUBLISHED["queries"]
    case = on_digits(options) if options.weights is None else on_cifar(options)
    overhead(case)
    for name in options.attacks.split(","):
        compare(case, name, options.modes.split(","), options.rounds)


def on_cifar(options: argparse.Namespace) -> Case:
    """Return a trained network on test images of CIFAR-10, over the published grid."""
    network = trained_network(options.weights, Genotype.from_index(options.id), 0).eval()
    test = images.load("cifar10", options.data_root, split="test")
    inputs, labels = test.images(torch.arange(options.images)), test.labels[: options.images]
    return Case(network, inputs, labels, PAPER_EPSILONS, options.queries)


def on_digits(options: argparse.Namespace) -> Case:
    """Return a small network trained for a few epochs on enlarged digits, over a wider grid."""
    network = architecture(options.id, channels=CHANNELS, cells=CELLS)
    inputs, labels = cifar_like(1000)
    optimiser = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9, nesterov=True)
    start = time.process_time()
    for epoch in range(EPOCHS):
        source = torch.Generator().manual_seed(epoch)
        for rows in torch.randperm(len(inputs), generator=source).split(64):
            loss = torch.nn.functional.cross_entropy(network(inputs[rows]), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    CONSOLE.print(f"trained in {time.process_time() - start:.0f} s")
    epsilons = [DIGITS * epsilon for epsilon in PAPER_EPSILONS]
    inputs, labels = inputs[: options.images], labels[: options.images]
    return Case(network.eval(), inputs, labels, epsilons, options.queries)


if __name__ == "__main__":
    import sys

    torch.set_num_threads(1)
    main(sys.argv[1:])
