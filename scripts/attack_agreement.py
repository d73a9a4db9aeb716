"""Our attacks against the original AutoAttack on one trained network: robust accuracies.

    python scripts/attack_agreement.py --weights FOLDER --id 284 --data-root DATA --out agree.json

Needs ``pyautoattack``. Every (attack, case, seed, ε) is saved as it finishes and not computed
again; the table of means over the seeds is printed in the end.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import torch

from evaluation.attacks import evaluate, make
from testbed import images
from testbed.basis.seeding import global_draws
from testbed.engine.memory import keep_freed_memory
from testbed.files.replacing import replacing
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.train.checkpoints import trained_network

EPSILONS = (0.5, 1.0, 2.0, 8.0)
CASES = "record,accuracy,descending,original"


def original(network, inputs, labels, name: str, epsilons, seed: int) -> list[float]:
    """Return the robust accuracy at each ε, with the authors' package."""
    import pyautoattack

    found = []
    for epsilon in epsilons:
        with global_draws("original", seed, epsilon):
            attack = pyautoattack.AutoAttack(
                network, attacks=[name], eps=epsilon / 255, version="custom", seed=seed
            )
            attack.verbose, attack.apgd.n_restarts = False, 1
            attacked, _ = attack.run_standard_evaluation(inputs, labels, batch_size=len(inputs))
        with torch.no_grad():
            found.append(float((network(attacked).argmax(1) == labels).double().mean()))
    return found


def plain_fgsm(network, inputs, labels, epsilons) -> list[float]:
    """Return the robust accuracy under one signed step, in a few lines."""
    leaf = inputs.clone().requires_grad_()
    torch.nn.functional.cross_entropy(network(leaf), labels, reduction="sum").backward()
    moved = [(inputs + e / 255 * leaf.grad.sign()).clamp(0, 1) for e in epsilons]
    with torch.no_grad():
        # Like AutoAttack: what is wrong without an attack is not robust.
        right = network(inputs).argmax(1) == labels
        return [float((right & (network(x).argmax(1) == labels)).double().mean()) for x in moved]


def main() -> None:
    """Run what is missing, save it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--id", type=int, default=284)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--attacks", default="fgsm,apgd-ce,square")
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("agreement.json"))
    options = parser.parse_args()
    keep_freed_memory()
    network = trained_network(options.weights, Genotype.from_index(options.id), 0).eval()
    network.requires_grad_(False)
    test = images.load("cifar10", options.data_root, split="test")
    inputs, labels = test.images(torch.arange(options.images)), test.labels[: options.images]
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    for name in options.attacks.split(","):
        for seed in range(options.seeds if name != "fgsm" else 1):
            for case in options.cases.split(","):
                key = f"{name}/{case}/{seed}"
                if key in results:
                    continue
                start = time.process_time()
                if case != "original":
                    run = evaluate(
                        network, inputs, labels, make(name), EPSILONS, mode=case, seed=seed
                    )
                    values = [int(level.robust.sum()) / len(labels) for level in run.levels]
                elif name == "fgsm":
                    values = plain_fgsm(network, inputs, labels, EPSILONS)
                else:
                    values = original(network, inputs, labels, name, EPSILONS, seed)
                results[key] = {"accuracy": values, "cpu": time.process_time() - start}
                _save(options.out, results)
                print(key, [f"{v:.3f}" for v in values], f"{results[key]['cpu']:.0f} s", flush=True)
    _table(results)


def _save(path: Path, results: dict) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(results, indent=1))


def _table(results: dict) -> None:
    print("attack, case: mean robust accuracy in % (and over seeds: lowest to highest) at ε =",
          ", ".join(f"{e:g}" for e in EPSILONS))  # fmt: skip
    for group in dict.fromkeys(key.rpartition("/")[0] for key in results):
        runs = [v for key, v in results.items() if key.rpartition("/")[0] == group]
        cells = []
        for column in zip(*(run["accuracy"] for run in runs), strict=True):
            low, high = 100 * min(column), 100 * max(column)
            cells.append(f"{100 * statistics.mean(column):.2f} ({low:.1f} to {high:.1f})")
        print(f"{group:24}", " ".join(f"{cell:>22}" for cell in cells),
              f"{sum(run['cpu'] for run in runs):8.0f} CPU s")  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
