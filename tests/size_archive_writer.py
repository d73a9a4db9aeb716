"""Writes archives of NATS-Bench's size space in the official layout, with our own weights."""

from functools import lru_cache

import torch

from testbed.spaces import registry
from testbed.spaces.size.genotype import Genotype, enumerate_space
from testbed.spaces.size.network import CELL
from testbed.spaces.weights import random_network
from tests import archive_writer

CLASSES = archive_writer.CLASSES
TRIALS = {"01": (777,), "12": (777, 888), "90": (777,)}  # hp → seeds


@lru_cache
def trained_network(genotype, dataset="cifar10", seed=777):
    """A network whose every parameter and buffer differs from its initial value."""
    network = random_network(registry.get("size"), genotype, seed, classes=CLASSES[dataset])
    draws = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            value.fill_(seed)
        elif value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=draws) + 0.5)
    return network


def trial(genotype, dataset, seed, epochs, *, weights=True, accuracy=80.0):
    """The dictionary of one trial; accuracies rise by .1 % a seed over 777 and an epoch."""
    splits = ["ori-test"] + ["x-valid"] * (dataset != "cifar10")
    splits += ["x-test"] * (CLASSES[dataset] > 10)
    names = {f"{split}@{epoch}": epoch for split in splits for epoch in range(epochs)}
    last = accuracy + (seed - 777) / 1110
    return {
        "name": dataset,
        "net_state_dict": trained_network(genotype, dataset, seed).state_dict()
        if weights
        else None,
        "train_acc1es": dict.fromkeys(range(epochs), 50.0),
        "train_acc5es": dict.fromkeys(range(epochs), 90.0),
        "train_losses": dict.fromkeys(range(epochs), 1.0),
        "train_times": dict.fromkeys(range(epochs), 2.0),
        "arch_config": {
            "name": "infer.shape.tiny", "channels": str(genotype), "arch_str": str(genotype),
            "genotype": CELL, "class_num": CLASSES[dataset],
        },
        "params": 0.011714, "flop": 4.481114, "seed": f"{seed:04d}", "epochs": epochs,
        "latency": [0.013], "eval_names": splits,
        "eval_acc1es": {name: last - (epochs - 1 - epoch) / 10 for name, epoch in names.items()},
        "eval_times": dict.fromkeys(names, 1.0), "eval_losses": dict.fromkeys(names, 1.5),
    }  # fmt: skip


def content(genotype, datasets=("cifar10",), *, weights=True, accuracy=80.0):
    """The content of a network's file; as in the *full* archive, hp 01 has no weights."""

    def results(hp, seeds):
        trials = {
            (dataset, seed): trial(
                genotype, dataset, seed, int(hp), weights=weights and hp != "01",
                accuracy=accuracy,
            )
            for dataset in datasets for seed in seeds
        }  # fmt: skip
        return {
            "arch_index": genotype.index, "arch_str": str(genotype), "all_results": trials,
            "dataset_seed": {dataset: list(seeds) for dataset in datasets},
            "clear_net_done": not weights or hp == "01",
        }  # fmt: skip

    return {hp: results(hp, seeds) for hp, seeds in TRIALS.items()}


def write(folder, name, **options):
    """Write the file of a network."""
    genotype = Genotype.parse(name)
    return archive_writer.write_nats(folder, genotype.index, content(genotype, **options))


def write_meta(folder):
    """Write ``meta.pickle.pbz2``, which nats_bench needs (and we do not)."""
    archive_writer.write_meta(folder, [str(genotype) for genotype in enumerate_space()])
