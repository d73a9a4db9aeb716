"""Made-up scores of the networks of the small truth."""

import numpy as np
import pandas as pd

from testbed.spaces.nasbench201.genotype import Genotype
from tests.truth_folder import IDS


def score_rows(proxy="norm", seeds=(0,), ids=IDS, settings='{"batch":16}', **fields):
    generator = np.random.default_rng(len(proxy) + len(settings))
    return [
        {
            "network": str(Genotype.from_index(i)),
            "proxy": proxy,
            "init": "random",
            "seed": seed,
            "images": "digits",
            "settings": settings,
            "value": generator.normal(),
            "reason": None,
            "converged": None,
            "iterations": None,
            "residual": None,
            "seconds": 0.1,
            "details": "{}",
            "run": 1,
            **fields,
        }
        for i in ids
        for seed in seeds
    ]


def frame(*groups):
    table = pd.DataFrame([row for group in groups for row in group])
    return table.astype({"seed": "Int64", "converged": "boolean", "value": "float64"})


def row_of(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]
