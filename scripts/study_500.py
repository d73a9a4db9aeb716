"""The tables of docs/study_500.md: every proxy against attacks, on 500 networks drawn once.

    python -m scripts.study_500 --truth DATA/robustness-data \\
        --robbench DATA/nas-robbench-201/NAS-RobBench-201_html.json --out docs

The scores are the package's (`testbed.tables.STUDY_500`), so no network is computed. Writes
study_500.csv, one row a τ with intervals and partial τ, and the tables of study_500.md between
its marks.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from evaluation.ranking.families import families
from evaluation.ranking.ranking import Ranking
from evaluation.ranking.table import rank
from evaluation.truths import open_truth
from evaluation.truths.targets import Target
from scripts.marks import PLAIN_CELL, write_between
from testbed.store import read_scores
from testbed.tables import RANDOM_CIFAR10, STUDY_500

TARGETS = ["clean", "fgsm@1", "fgsm@8", "pgd@1", "apgd@1", "square@1", "mean corruption"]
ADVERSARIAL = ["clean", "fgsm@8", "pgd@8", "autoattack@8"]
ACCURATE = "clean > .9"


def markdown(
    table: pd.DataFrame, ceilings: Mapping[str, float], intervals: bool = False
) -> Iterator[str]:
    """Yield the lines of a table: proxies by family in rows, targets in columns.

    Args:
        table: of a ranking, with its labels.
        ceilings: of each target, over all networks of the truth.
        intervals: whether 95 % intervals stand in place of standard errors.
    """
    targets = list(dict.fromkeys(table["target"]))
    yield f"| proxy | {' | '.join(str(Target.parse(target)) for target in targets)} |"
    yield f"| --- |{' ---: |' * len(targets)}"
    cells = table.set_index(["label", "target"])
    for family, labels in families(dict(zip(table["label"], table["proxy"], strict=True))).items():
        yield f"| **{family}** |{' |' * len(targets)}"
        for label in labels:
            rows = [cells.loc[(label, target)] for target in targets]
            yield f"| `{label}` | {' | '.join(_cell(row, intervals) for row in rows)} |"
    tops = [ceilings[target] for target in targets]
    yield f"| *ceiling* | {' | '.join('–' if c != c else f'{c:.2f}' for c in tops)} |"


def _cell(row: pd.Series, interval: bool) -> str:
    if row["tau"] != row["tau"]:
        return "–"
    if interval:
        text = f"{row['tau']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
        return text.replace("0.", ".")
    return PLAIN_CELL.signed(row["tau"], row["standard_error"])


def split(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores that all networks have; and those that some have, on these alone.

    Beside the latter stands the score of all networks that is told in the same words without its
    last one, `hessian_params` beside `hessian_params_entropy`.
    """
    counts = frame.groupby("proxy")["network"].nunique()
    rare = set(counts.index[counts < counts.max()])
    theirs = frame[frame["proxy"].isin(rare)]
    some = theirs.groupby("network")["proxy"].nunique()
    common = set(some.index[some == len(rare)])
    shown = rare | {name.rpartition("_")[0] for name in rare}
    part = frame[frame["network"].isin(common) & frame["proxy"].isin(shown)]
    return frame[~frame["proxy"].isin(rare)], part


def _tables(title: str, ranking: Ranking, ceilings: Mapping[str, float]) -> Iterator[str]:
    whole = ranking.whole_table
    for condition, table in whole.groupby("condition", sort=False):
        part = f", {condition}" if condition else ""
        yield f"\n### {title}{part}: {table['n'].iloc[0]} networks\n"
        yield from markdown(table, ceilings if not condition else defaultdict(lambda: math.nan))


def main() -> None:
    """Rank, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--robbench", type=Path)
    parser.add_argument("--scores", type=Path, default=STUDY_500)
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    (frame, part), tables, lines, parts = split(read_scores(options.scores)), [], [], []
    for title, path, targets in (
        ("Trained normally", options.truth, TARGETS),
        ("Trained adversarially", options.robbench, ADVERSARIAL),
    ):
        if path is None:
            continue
        truth = open_truth(path, "cifar10")
        every = rank(read_scores(RANDOM_CIFAR10), truth, ["params"], targets).table
        ceilings = every.groupby("target")["ceiling"].first()
        ranking = rank(
            frame, truth, targets=targets,
            population=ACCURATE if path == options.truth else None,
        )  # fmt: skip
        lines += _tables(title, ranking, ceilings)
        tables.append(ranking.whole_table.drop(columns="label").assign(training=title))
        if len(part):
            ranking = rank(part, truth, targets=targets)
            parts += _tables(f"{title}, scores of some networks", ranking, ceilings)
    out = options.out / "study_500.csv"
    pd.concat(tables).to_csv(out, index=False, float_format="%.6g")
    lines += parts
    write_between(options.out / "study_500.md", "\n".join(lines))


if __name__ == "__main__":
    main()
