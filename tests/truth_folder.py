"""A small folder in the layout of the published truth, made up."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.isomorphism import representatives, unique_ids

IDS = unique_ids()[:40]
EPSILONS = {"fgsm@Linf": [0.5, 1.0, 255.0], "aa_apgd-ce@Linf": [1.0, 8.0]}


def write_truth(root: Path, dataset: str = "cifar10", ids: tuple[int, ...] = IDS) -> Path:
    generator = np.random.default_rng(0)
    (root / dataset).mkdir(parents=True)
    entries = {
        str(i): {
            "nb201-string": str(Genotype.from_index(i)),
            "isomorph": str(representatives()[i]),
        }
        for i in ids
    }
    (root / "meta.json").write_text(json.dumps({"ids": entries, "epsilons": EPSILONS}))
    for key, columns in {"clean": 0, "fgsm@Linf": 3, "aa_apgd-ce@Linf": 2, "fog": 5}.items():
        values = generator.integers(100, 1000, (len(ids), columns or 1)) / 1000
        if key == "aa_apgd-ce@Linf":
            values[: int(0.9 * len(ids)), 1] = 0
        rows = {str(i): list(v) if columns else v[0] for i, v in zip(ids, values, strict=True)}
        write_table(root, key, "accuracy", rows, dataset)
    matrices = generator.integers(0, 100, (len(ids), 3, 3)).tolist()
    write_table(root, "clean", "cm", dict(zip(map(str, ids), matrices, strict=True)), dataset)
    return root


def write_table(root: Path, key: str, measure: str, rows: object, dataset: str = "cifar10") -> None:
    path = root / dataset / f"{key}_{measure}.json"
    path.write_text(json.dumps({dataset: {key: {measure: rows}}}))


def published_truth() -> Path:
    """Return the real folder, or skip the test."""
    data = os.environ.get("TESTBED_DATA")
    if not data:
        pytest.skip("TESTBED_DATA is unset: it names the folder that holds robustness-data/")
    folder = Path(data) / "robustness-data"
    if not folder.is_dir():
        pytest.skip(f"no published truth: {folder} is not there")
    return folder
