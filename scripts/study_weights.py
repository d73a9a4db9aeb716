"""The tables of docs/study/weights.md: scores that look at a network, found and reported on halves.

    python -m scripts.study_weights --truth DATA/robustness-data --out docs/study

Of the scores of the study of 500 (`testbed.tables.STUDY_500`) that need a network, the ten with the
largest |τ| on its networks of even number, and what they are worth on those of odd number; and of
the quick ones among those that lead, what they are worth on twice as many networks
(`testbed.tables.STUDY_1000`). No network is computed. Writes weights.csv, one row a score, target,
half and number of networks, and the tables between the marks of weights.md.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.correlation import tau_b
from evaluation.truths import open_truth
from evaluation.truths.targets import Target
from scripts.marks import CELL, told, write_between
from testbed.catalogue.registry import PROXIES
from testbed.spaces import registry
from testbed.spaces.nasbench201.regimes import REGIME_SCORES
from testbed.store import read_scores
from testbed.tables import STUDY_500, STUDY_1000

GOALS = {"pgd@1": 0.5, "apgd@1": 0.5, "fgsm@1": 0.65, "clean": 0.7}
HALVES = {"even": 0, "odd": 1}
BEST = 10
BESIDE = {
    "pgd@1": "smoothed_stacking", "apgd@1": "smoothed_stacking", "fgsm@1": "stacking",
    "clean": "capacity",
}  # fmt: skip


def table(truth: Path) -> pd.DataFrame:
    """Return one row for each score, target, half and sample: τ-b with its error and interval."""
    accuracies, study = open_truth(truth, "cifar10").targets(), read_scores(STUDY_500)
    more = read_scores(STUDY_1000)
    whole = pd.concat([study[study["proxy"].isin(more["proxy"])], more])
    both = {500: study, 1000: whole}
    return pd.concat([_of(frame, accuracies).assign(sample=count) for count, frame in both.items()])


def _of(frame: pd.DataFrame, accuracies: pd.DataFrame) -> pd.DataFrame:
    space, rows = registry.get("nasbench201"), []
    frame = frame.assign(number=frame["network"].map(lambda name: space.number(space.parse(name))))
    for proxy, own in frame.groupby("proxy", sort=False):
        if PROXIES[proxy].structural and proxy not in ("params", *REGIME_SCORES):
            continue
        values = own.groupby("number")["value"].mean()
        numbers = values.index.to_numpy(dtype=np.int64)
        for half, parity in HALVES.items():
            there = (numbers % 2 == parity) & np.isfinite(values.to_numpy(dtype=float))
            part, known = values[there], accuracies.loc[numbers[there]]
            for target in GOALS:
                # Of a score that is the same for all, τ is undefined.
                rows.append({
                    "proxy": proxy, "target": target, "half": half, "n": len(part),
                    **told(tau_b(part.to_numpy(float), known[target].to_numpy(float))),
                    "seconds": own["seconds"].median(),
                    "looks_at_a_network": not PROXIES[proxy].structural,
                })  # fmt: skip
    return pd.DataFrame(rows)


def markdown(found: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of the tables: one for each target, and one of 1,000 networks."""
    yield from _of_500(found[found["sample"] == 500])
    yield from _of_1000(found[found["sample"] == 1000])


def _of_500(found: pd.DataFrame) -> Iterator[str]:
    """Yield a table for each target, the best on the even half first."""
    count = found.loc[found["looks_at_a_network"], "proxy"].nunique()
    for target, goal in GOALS.items():
        own = found[found["target"] == target].set_index(["half", "proxy"])
        even, odd = own.loc["even"], own.loc["odd"]
        yield f"\n### {Target.parse(target)}, goal {CELL.unsigned(goal)}\n"
        yield (
            f"Of {count} scores that look at a network; {int(even['n'].max())} networks of even "
            f"number, {int(odd['n'].max())} of odd number.\n"
        )
        yield "| score | even half (chosen on) | odd half (reported) | seconds |"
        yield "| --- | ---: | ---: | ---: |"
        looking = even[even["looks_at_a_network"]]
        best = looking["tau"].abs().sort_values(ascending=False, kind="stable").index[:BEST]
        for proxy in (*best, BESIDE[target], "params"):
            shown = f"`{proxy}`" if proxy in best else f"*`{proxy}`*"
            cells = [_cell(half.loc[proxy]) for half in (even, odd)]
            if proxy in best and abs(odd.loc[proxy, "tau"]) >= goal:
                cells[1] = f"**{cells[1]}**"
            yield f"| {shown} | {' | '.join(cells)} | {even.loc[proxy, 'seconds']:.1f} |"


def _of_1000(found: pd.DataFrame) -> Iterator[str]:
    """Yield a table of all targets, the largest |τ| with any of them first."""
    odd = found[found["half"] == "odd"].set_index(["target", "proxy"])
    titles = [
        f"{Target.parse(target)}, goal {CELL.unsigned(goal)}" for target, goal in GOALS.items()
    ]
    count = int(odd["n"].max())
    yield f"\n### The quick ones of these, on 1,000 networks: the {count} of odd number\n"
    yield f"| score | {' | '.join(titles)} |"
    yield f"| --- |{' ---: |' * len(GOALS)}"
    order = odd["tau"].abs().groupby("proxy").max().sort_values(ascending=False, kind="stable")
    looking = odd["looks_at_a_network"].groupby("proxy").first()
    for proxy in order.index:
        shown = f"`{proxy}`" if looking[proxy] else f"*`{proxy}`*"
        cells = []
        for target, goal in GOALS.items():
            row = odd.loc[(target, proxy)]
            reached = looking[proxy] and abs(row["tau"]) >= goal
            cells.append(f"**{_cell(row)}**" if reached else _cell(row))
        yield f"| {shown} | {' | '.join(cells)} |"


def _cell(row: pd.Series) -> str:
    return CELL.signed(row["tau"], row["standard_error"])


def main() -> None:
    """Compute and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    found = table(options.truth)
    kept = options.out / "weights.csv"
    found.to_csv(kept, index=False, float_format="%.6g")
    # From what is kept, so that page and table cannot differ by a rounding.
    write_between(options.out / "weights.md", "\n".join(markdown(pd.read_csv(kept))))


if __name__ == "__main__":
    main()
