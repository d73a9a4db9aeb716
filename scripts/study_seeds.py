"""The tables of docs/study/seeds.md: how much of a score is the seed of the weights.

    python -m scripts.study_seeds --truth DATA/robustness-data --out docs/study

The scores of the study of 500 (`testbed.tables.STUDY_500`) of seed 0 beside those of seeds 1 and 2
(`testbed.tables.STUDY_SEEDS`). No network is computed. Writes seeds.csv, one row a score, target
and seed, and the table between the marks of seeds.md.
"""

import argparse
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.correlation import kendall_tau_b, tau_b
from evaluation.truths import open_truth
from evaluation.truths.targets import Target
from scripts.marks import CELL, told, write_between
from testbed.spaces import registry
from testbed.store import read_scores
from testbed.tables import STUDY_500, STUDY_SEEDS

TARGETS = ("clean", "fgsm@1", "pgd@1", "apgd@1")
MEAN = "mean"  # of all seeds, in place of the number of one


def scores() -> dict[str, pd.DataFrame]:
    """Return, by proxy, the scores of the networks that have one of every seed, a column a seed.

    A proxy that has one value for all networks is left out.
    """
    others = read_scores(STUDY_SEEDS)
    frame = pd.concat([read_scores(STUDY_500), others], ignore_index=True)
    seeds = {0, *others["seed"].unique()}
    found = {}
    for proxy in dict.fromkeys(others["proxy"]):
        own = frame[(frame["proxy"] == proxy) & frame["seed"].isin(seeds)]
        columns = own.pivot(index="network", columns="seed", values="value").dropna()
        if columns.nunique().max() > 1:
            found[proxy] = columns.rename(columns=int)
    return found


def table(truth: Path) -> pd.DataFrame:
    """Return one row for each score, target and seed: τ-b with its standard error and interval.

    ``between`` is the mean τ-b of the scores of two seeds with each other.
    """
    space, rows = registry.get("nasbench201"), []
    accuracies = open_truth(truth, "cifar10").targets()
    for proxy, columns in scores().items():
        known = accuracies.loc[[space.number(space.parse(name)) for name in columns.index]]
        pairs = combinations(columns.to_numpy().T, 2)
        between = float(np.mean([kendall_tau_b(one, other) for one, other in pairs]))
        for seed, values in {**columns, MEAN: columns.mean(axis=1)}.items():
            for target in TARGETS:
                rows.append({
                    "proxy": proxy, "target": target, "seed": seed, "n": len(values),
                    **told(tau_b(values.to_numpy(float), known[target].to_numpy(float))),
                    "between": between,
                })  # fmt: skip
    return pd.DataFrame(rows)


def markdown(found: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of the table: of the mean with its error, and what single seeds range over.

    The scores whose seeds agree most stand first.
    """
    titles = " | ".join(f"{Target.parse(target)}" for target in TARGETS)
    yield f"\n| score | n | seeds with each other | {titles} |"
    yield f"| --- | ---: | ---: |{' ---: |' * len(TARGETS)}"
    order = found.groupby("proxy")["between"].first().sort_values(ascending=False, kind="stable")
    for proxy, between in order.items():
        own = found[found["proxy"] == proxy]
        cells = [_cell(own[own["target"] == target]) for target in TARGETS]
        agree = CELL.unsigned(between)
        yield f"| `{proxy}` | {own['n'].iloc[0]} | {agree} | {' | '.join(cells)} |"


def _cell(rows: pd.DataFrame) -> str:
    is_mean = rows["seed"].astype(str) == MEAN
    mean, single = rows[is_mean].iloc[0], rows.loc[~is_mean, "tau"]
    ends = f"{CELL.signed(single.min())} to {CELL.signed(single.max())}"
    return f"{CELL.signed(mean['tau'], mean['standard_error'])} ({ends})"


def main() -> None:
    """Compute and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    kept = options.out / "seeds.csv"
    table(options.truth).to_csv(kept, index=False, float_format="%.6g")
    # From what is kept, so that page and table cannot differ by a rounding.
    write_between(options.out / "seeds.md", "\n".join(markdown(pd.read_csv(kept))))


if __name__ == "__main__":
    main()
