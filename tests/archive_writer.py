"""Writes archives in the official layouts, with the weights of our own networks."""

import bz2
import pickle
from collections import OrderedDict

import numpy as np
import torch

from testbed.spaces.nasbench201.genotype import Genotype, enumerate_space
from testbed.spaces.nasbench201.network import Network
from testbed.spaces.nasbench201.weights import random_network

CLASSES = {"cifar10-valid": 10, "cifar10": 10, "cifar100": 100, "ImageNet16-120": 120}


def trained_network(genotype, dataset="cifar10", seed=777, channels=4, cells=1) -> Network:
    """A network whose every parameter and buffer differs from its initial value."""
    network = random_network(
        genotype, seed, channels=channels, cells=cells, classes=CLASSES[dataset]
    )
    draws = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            value.fill_(seed)
        elif name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=draws) + 0.5)
        elif value.ndim == 1:
            value.copy_(torch.randn(value.shape, generator=draws))
    return network


def trial(genotype, dataset, seed, *, weights=True, epochs=3, accuracy=91.79, channels=4, cells=1):
    """The dictionary of one trial, as ``ResultsCount.state_dict`` makes it."""
    splits = ["ori-test"] + ["x-valid"] * (dataset != "cifar10")
    splits += ["x-test"] * (CLASSES[dataset] > 10)
    names = [f"{split}@{epoch}" for split in splits for epoch in range(epochs)]
    state = trained_network(genotype, dataset, seed, channels, cells).state_dict()
    return {
        "name": dataset,
        "net_state_dict": state if weights else None,
        "train_acc1es": {epoch: 50.0 + epoch for epoch in range(epochs)},
        "train_acc5es": None,
        "train_losses": dict.fromkeys(range(epochs), 1.0),
        "train_times": OrderedDict.fromkeys(range(epochs), 2.0),
        "arch_config": {
            "channel": channels,
            "num_cells": cells,
            "arch_str": str(genotype),
            "class_num": CLASSES[dataset],
        },
        "params": np.float64(0.802426),
        "flop": 113.95137,
        "seed": f"{seed:04d}",
        "epochs": epochs,
        "latency": [np.float64(0.016)],
        "eval_names": splits,
        "eval_acc1es": dict.fromkeys(names, accuracy),
        "eval_times": dict.fromkeys(names, 1.0),
        "eval_losses": dict.fromkeys(names, 1.5),
    }


def results(index, trials, **options):
    """The dictionary of an architecture and hp, as ``ArchResults.state_dict`` makes it."""
    genotype = Genotype.from_index(index)
    seeds: dict[str, list[int]] = {}
    for dataset, seed in trials:
        seeds.setdefault(dataset, []).append(seed)
    return {
        "arch_index": index,
        "arch_str": str(genotype),
        "all_results": {key: trial(genotype, *key, **options) for key in trials},
        "dataset_seed": seeds,
        "clear_net_done": not options.get("weights", True),
    }


TRIALS = (("cifar10-valid", 777), ("cifar10", 777), ("cifar10", 888), ("cifar100", 777))


def content(index, trials=TRIALS, **options):
    """The content of an architecture's file of NATS-Bench."""
    short = results(index, [("cifar10", 111)], **options)
    return OrderedDict([("12", short), ("200", results(index, trials, **options))])


def write_nats(folder, index, found=None, **options):
    """Write ``NNNNNN.pickle.pbz2`` as nats_bench's ``pickle_save`` does."""
    folder.mkdir(parents=True, exist_ok=True)
    found = content(index, **options) if found is None else found
    path = folder / f"{index:06d}.pickle.pbz2"
    path.write_bytes(bz2.compress(pickle.dumps(found, protocol=4)))
    return path


def write_meta(folder, archs=None):
    """Write ``meta.pickle.pbz2``, which nats_bench needs (and we do not)."""
    archs = [str(genotype) for genotype in enumerate_space()] if archs is None else archs
    meta = {"meta_archs": archs, "total_archs": len(archs), "arch2infos": {}}
    (folder / "meta.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(meta)))


def by_length(found):
    """The content as NAS-Bench-201 names it."""
    return {"full": found["200"], "less": found["12"]}


def write_nasbench201(folder, index, *, suffix="FULL", legacy=True, **options):
    """Write ``NNNNNN-FULL.pth``, in the format of PyTorch before 1.6 or in the later one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{index:06d}-{suffix}.pth"
    torch.save(
        by_length(content(index, **options)), path, _use_new_zipfile_serialization=not legacy
    )
    return path


def write_single(path, indices, **options):
    """Write the single file of NAS-Bench-201, which has no weights."""
    infos = {index: by_length(content(index, weights=False, **options)) for index in indices}
    meta = [str(genotype) for genotype in enumerate_space()]
    whole = {
        "meta_archs": meta,
        "total_archs": len(meta),
        "arch2infos": infos,
        "evaluated_indexes": list(infos),
    }
    torch.save(whole, path, _use_new_zipfile_serialization=False)
    return path
