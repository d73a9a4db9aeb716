"""A small report: made-up scores of the networks of the made-up truth."""

import json

import numpy as np
import pandas as pd

from evaluation.report.study import ReportNumbers, study
from evaluation.truths.published import Truth
from testbed.spaces.nasbench201.genotype import Genotype
from tests.truth_folder import IDS

SETTINGS = {
    "batch": "abcd", "batch_norm": "calibrated", "batch_seed": 0, "batch_size": 16, "cells": 5,
    "channels": 16, "dtype": "float32", "split": "train",
}  # fmt: skip
RUNS = [
    {"id": 1, "code_version": "0.1.0+g0123456789abcdef0123", "torch_version": "2.9.1",
     "python": "3.11.7", "device": "cpu (some)", "provenance": {}},
    {"id": 2, "code_version": "9.9.9", "torch_version": "0.1", "provenance": {}},
]  # fmt: skip


def rows(proxy: str, init: str = "random", seeds=(0, 1), ids=IDS, seconds=0.5, **options):
    """Return the scores of one column."""
    generator = np.random.default_rng(len(proxy) + len(init))
    settings = json.dumps(SETTINGS | options, sort_keys=True, separators=(",", ":"))
    return [
        {
            "network": str(Genotype.from_index(i)), "proxy": proxy, "init": init, "seed": seed,
            "images": "cifar10", "settings": settings, "value": generator.lognormal(0, 3),
            "reason": None, "converged": None, "iterations": None, "residual": None,
            "seconds": seconds, "details": "{}", "run": 1,
        }
        for i in ids
        for seed in seeds
    ]  # fmt: skip


def table(*columns) -> pd.DataFrame:
    """Return the table of scores of these columns."""
    frame = pd.DataFrame([row for column in columns for row in column])
    return frame.astype({"seed": "Int64", "converged": "boolean", "run": "Int64"})


def scores() -> pd.DataFrame:
    """Return a proxy before and after training, and one of a single seed."""
    return table(
        rows("jacobian_norm"), rows("jacobian_norm", init="trained"),
        rows("hessian_<&_x", seeds=[0], seconds=2.0, method="auto"),
    )  # fmt: skip


def small_study(truth: Truth, **options) -> ReportNumbers:
    """Return the study of these scores."""
    return study(truth, scores(), runs=RUNS, **options)
