"""Tables of scores and of robust accuracies."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from testbed.spaces.nasbench201.isomorphism import unique_ids
from testbed.store import RobustnessKey, RobustnessRow, read_robustness, read_scores
from testbed.store.robustness import ROBUSTNESS
from tests.fuzz.target import Target
from tests.score_frames import frame, score_rows

__all__ = ["TARGETS", "check_scores"]

NETWORKS = unique_ids()[:6]


def _scores(ending: str) -> Callable[[Path], Sequence[Path]]:
    def write(folder: Path) -> list[Path]:
        whole = frame(score_rows(ids=NETWORKS, seeds=(0, 1)), score_rows("other", ids=NETWORKS))
        few = whole.drop_duplicates(["network", "proxy"])[["network", "proxy", "value"]]
        return [_written(whole, folder / f"whole{ending}"), _written(few, folder / f"few{ending}")]

    return write


def _robustness(ending: str) -> Callable[[Path], Sequence[Path]]:
    def write(folder: Path) -> list[Path]:
        places = (("clean", None), ("fgsm@Linf", 1.0), ("fog", 3.0))
        cells: dict[str, list] = {name: [] for name in ROBUSTNESS.types}
        for number in NETWORKS:
            for measure, level in places:
                key = RobustnessKey.make(f"net{number}", "own", 0, "digits", measure, level, {})
                right, matrix = [True, True, False], [[1, 1], [0, 1]]
                row = RobustnessRow(key, right, 0.5, 0.6, matrix, 0.5, 3, 4)
                for one in ROBUSTNESS.columns:
                    whose = key if one.name in ROBUSTNESS.order else row
                    other = {"digest": key.digest, "run": 1}.get(one.name)
                    cells[one.name].append(one.cell(whose) if other is None else other)
        return [_written(ROBUSTNESS.frame(cells), folder / f"whole{ending}")]

    return write


def _written(table: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    return path


def check_scores(table: pd.DataFrame) -> None:
    for name in ("network", "proxy"):
        assert table[name].notna().all(), f"an empty {name}"
        assert all(map(str.isprintable, table[name])), f"a {name} that is not printable"
    assert (table["seconds"].isna() | (table["seconds"] >= 0)).all(), "negative seconds"


def _check_robustness(table: pd.DataFrame) -> None:
    assert table["accuracy"].between(0, 1).all(), "an accuracy outside [0, 1]"
    assert (table["count"] >= 1).all(), "no images"
    for name in ("seconds", "gradients", "queries"):
        assert (table[name].isna() | (table[name] >= 0)).all(), f"negative {name}"
    assert (table["level"].isna() | (table["level"] >= 0)).all(), "a negative level"
    assert np.isfinite(table["level"].dropna()).all(), "an infinite level"
    assert table["digest"].is_unique, "a result twice"


TARGETS = (
    Target("scores-csv", _scores(".csv"), read_scores, check_scores),
    Target("scores-parquet", _scores(".parquet"), read_scores, check_scores),
    Target("robustness-csv", _robustness(".csv"), read_robustness, _check_robustness),
    Target("robustness-parquet", _robustness(".parquet"), read_robustness, _check_robustness),
)
