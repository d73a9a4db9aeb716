"""Truths: the published layout, NAS-RobBench-201 in both forms; scores of NAS-Bench-Suite-Zero."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.ranking.suite_zero import read_suite_zero
from evaluation.truths import open_truth
from evaluation.truths.published import Truth
from evaluation.truths.robbench import RobBench
from testbed.spaces.nasbench201.isomorphism import representatives, unique_ids
from tests import archive_writer, size_archive_writer
from tests.fuzz.target import Target
from tests.fuzz.targets.binary import packed
from tests.fuzz.targets.tables import check_scores
from tests.test_darts_truth import ENTRY, write
from tests.test_nares import entry
from tests.test_nares import write as write_nares
from tests.truth_folder import write_table, write_truth

__all__ = ["TARGETS"]

NETWORKS = unique_ids()[:5]


def _published(folder: Path) -> Sequence[Path]:
    root = write_truth(folder / "truth", ids=NETWORKS)
    both = {"label": [0.5, 0.4, 0.3], "prediction": [0.6, 0.6, 0.5]}
    write_table(root, "fgsm@Linf", "confidence", {str(i): both for i in NETWORKS})
    write_table(root, "fgsm@Linf", "cm", {str(i): [[[3, 1], [0, 2]]] * 3 for i in NETWORKS})
    return [root]


def _read_published(path: Path) -> list[pd.DataFrame]:
    truth = open_truth(path)
    assert isinstance(truth, Truth)
    confidences = truth.confidence("fgsm@Linf").values()
    exact = [truth.exact_accuracy(), truth.exact_accuracy("fgsm@Linf")]
    return [truth.targets(), *confidences, *exact]


def _robbench(folder: Path) -> Sequence[Path]:
    seeds = {"0": 0.5, "1": 0.25, "2": 0.75, "threeseed": 0.5}
    entry = {
        "val_acc": seeds, "val_fgsm_3.0_acc": seeds, "val_pgd_8.0_acc": seeds,
        "val_loss": {"0": 2.3}, "autoattack": 0.25,
    }  # fmt: skip
    path = folder / "all.json"
    path.write_text(json.dumps({"cifar10": {str(i): entry for i in NETWORKS}}))
    member = next(i for i, of in enumerate(representatives()) if of in NETWORKS and of != i)
    columns = ["cifar10#val_acc", "cifar10#val_pgd_8_acc", "svhn#val_acc"]
    page = {"": columns, **{str(i): [0.75, 0.5, 0.25] for i in NETWORKS}}
    page[str(member)] = str(representatives()[member])
    plain = folder / "page.json"
    plain.write_text(json.dumps(page))
    (folder / "script.json").write_text(f"acc={json.dumps(page)}")
    return [path, plain, folder / "script.json"]


def _read_robbench(path: Path) -> list[pd.DataFrame]:
    truth = open_truth(path)
    assert isinstance(truth, RobBench)
    assert not truth.by_seed.duplicated(["id", "target", "seed"]).any(), "an accuracy twice"
    return [truth.targets()]


def _check_accuracies(tables: list[pd.DataFrame]) -> None:
    for table in tables:
        assert len(table), "no network"
        assert table.index.is_unique, "a network twice"
        assert table.columns.is_unique, "a target twice"
        assert set(table.index) <= set(range(len(representatives()))), "a network of no space"
        values = table.to_numpy(dtype=float)
        assert ((values >= 0) & (values <= 1) | np.isnan(values)).all(), "outside [0, 1]"
        for name in filter(lambda name: "mean" in str(name), table):
            assert table.drop(columns=name).shape[1], "a mean of nothing"


def _suite_zero(folder: Path) -> Sequence[Path]:
    keys = ("(4, 0, 3, 1, 4, 3)", "(0, 0, 0, 0, 0, 0)", "(1,2,3,4,0,1)")
    entry = {
        "snip": {"score": 2.5, "time": 0.1}, "jacov": {"score": -1e8, "time": 0.1},
        "grasp": {"score": float("nan"), "time": 0.1}, "val_accuracy": 91.5, "id": 5,
    }  # fmt: skip
    path = folder / "zc.json"
    path.write_text(json.dumps({"cifar10": dict.fromkeys(keys, entry)}))
    return [path]


def _check_suite_zero(table: pd.DataFrame) -> None:
    check_scores(table)
    assert not table.duplicated(["network", "proxy"]).any(), "a score twice"
    assert np.isfinite(table["value"].dropna()).all(), "a score that is not finite"
    assert table.loc[table["value"].isna(), "reason"].notna().all(), "undefined, no reason"


def _tiny(folder: Path) -> Sequence[Path]:
    write(folder, ENTRY)
    return [folder / "robust_bench_seed_0_10.json"]


def _nares(folder: Path) -> Sequence[Path]:
    return [write_nares(folder, entry(), entry({"D1": 11}, Linf_aa_acc=None))]


def _own_tables(folder: Path) -> Sequence[Path]:
    rows = {
        "network": [*map(str, NETWORKS[:2])] * 3,
        "attack": ["clean", "clean", "pgd", "pgd", "fog", "fog"],
        "epsilon": [None, None, 8.0, 8.0, 3.0, 3.0],
        "accuracy": [93.5, 90.0, 5.0, 0.0, 50.0, 40.0],
        "seed": [0] * 6, "training": ["normal"] * 6,
    }  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "t.csv", index=False)
    pd.DataFrame(rows).to_parquet(folder / "t.parquet", index=False)
    return [folder / "t.csv", folder / "t.parquet"]


def _read_truth(path: Path) -> list[pd.DataFrame]:
    truth = open_truth(path)
    assert truth.facts.sentence.isprintable(), "what a terminal would obey"
    return [truth.targets()]


def _check_others(tables: list[pd.DataFrame]) -> None:
    for table in tables:
        assert len(table), "no network"
        assert table.index.is_unique, "a network twice"
        assert table.columns.is_unique, "a target twice"
        values = table.to_numpy(dtype=float)
        assert ((values >= 0) & (values <= 1) | np.isnan(values)).all(), "outside [0, 1]"


def _archives(folder: Path) -> Sequence[Path]:
    size_archive_writer.write(folder / "size", "8:8:8:16:32", weights=False)
    archive_writer.write_nats(folder / "topology", NETWORKS[1], weights=False)
    return [folder / "size", folder / "topology"]


TARGETS = (
    Target("archive-truth", _archives, _read_truth, _check_others, (packed,)),
    Target("tiny-robustbench", _tiny, _read_truth, _check_others),
    Target("nares", _nares, _read_truth, _check_others),
    Target("own-tables", _own_tables, _read_truth, _check_others),
    Target("published", _published, _read_published, _check_accuracies),
    Target("robbench", _robbench, _read_robbench, _check_accuracies),
    Target("suite-zero", _suite_zero, read_suite_zero, _check_suite_zero),
)
