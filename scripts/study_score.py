"""The tables and the figure of docs/study/result.md: what each candidate score is worth.

    python -m scripts.study_score --truth DATA/robustness-data --out docs/study

Definitions were found on the networks of even numbers and are reported on those of odd numbers,
see docs/study/protocol.md. Writes result.csv, one row a score, target, half and population, the
tables between the marks of result.md, and result.svg.
"""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.correlation import partial_tau_b, tau_b
from evaluation.report.figures.style import figure, styled
from evaluation.truths import open_truth
from evaluation.truths.targets import Target
from scripts.marks import PLAIN_CELL, told, write_between
from scripts.score_candidates import KEPT, candidate_scores

TARGETS = ("clean", "fgsm@1", "pgd@1", "apgd@1", "square@1", "mean corruption")
BASELINES = ("params", "paths_pool_min")
HALVES = {"even": 0, "odd": 1}


def row(score: np.ndarray, accuracy: np.ndarray, given: dict[str, np.ndarray]) -> dict[str, float]:
    """Return τ-b with its interval and partial τ; infinite scores count as the largest."""
    score = np.nan_to_num(score, nan=math.nan, posinf=1e9)
    there = ~np.isnan(score)
    tau = tau_b(score[there], accuracy[there])
    partial = {
        f"partial_{name}": partial_tau_b(score[there], accuracy[there], other[there]).tau
        for name, other in given.items()
    }
    return {"n": int(there.sum()), **told(tau), **partial}


def table(truth: Path, dataset: str = "cifar10") -> pd.DataFrame:
    """Return one row for each half, population, score and target."""
    accuracies = open_truth(truth, dataset).targets()
    rows = []
    for half, parity in HALVES.items():
        part = accuracies[accuracies.index.to_numpy() % 2 == parity]
        scores = candidate_scores(part.index)
        for population, members in (("all", slice(None)), ("clean > .9", part["clean"] > 0.9)):
            chosen, seen = part[members], scores[members]
            given = {name: seen[name].to_numpy() for name in BASELINES}
            for name in scores:
                for target in TARGETS:
                    others = {k: v for k, v in given.items() if k != name}
                    found = row(seen[name].to_numpy(), chosen[target].to_numpy(float), others)
                    key = {"half": half, "population": population, "score": name, "target": target}
                    rows.append({**key, **found})
    return pd.DataFrame(rows)


def markdown(found: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of the tables: both populations of the odd half, then of the even half."""
    for half in ("odd", "even"):
        for population in ("all", "clean > .9"):
            part = found[(found["half"] == half) & (found["population"] == population)]
            what = "" if population == "all" else f", {population}"
            yield f"\n### Networks of {half} number{what}: {part['n'].max():,}\n"
            yield f"| score | {' | '.join(str(Target.parse(target)) for target in TARGETS)} |"
            yield f"| --- |{' ---: |' * len(TARGETS)}"
            for name, own in part.groupby("score", sort=False):
                cells = own.set_index("target").loc[list(TARGETS)]
                words = [
                    PLAIN_CELL.signed(tau, error)
                    for tau, error in zip(cells["tau"], cells["standard_error"], strict=True)
                ]
                shown = f"**`{name}`**" if name in KEPT else f"`{name}`"
                yield f"| {shown} | {' | '.join(words)} |"


def draw(found: pd.DataFrame, path: Path) -> None:
    """Draw τ with intervals of the baselines and the kept scores, on the odd half."""
    part = found[(found["half"] == "odd") & (found["population"] == "all")]
    names = (*BASELINES, *KEPT)
    with styled():
        canvas = figure(8, 4)
        axes = canvas.subplots()
        for place, name in enumerate(names):
            own = part[part["score"] == name].set_index("target").loc[list(TARGETS)]
            x = np.arange(len(TARGETS)) + (place - len(names) / 2 + 0.5) * 0.13
            errors = np.stack([own["tau"] - own["low"], own["high"] - own["tau"]])
            axes.errorbar(x, own["tau"], errors, fmt="o", markersize=4, capsize=2, label=name)
        axes.axhline(0, color="black", linewidth=0.6)
        axes.set_xticks(range(len(TARGETS)), [str(Target.parse(target)) for target in TARGETS])
        axes.set_ylabel("Kendall's τ-b, 95 % interval")
        axes.legend(fontsize="small", ncols=2)
        canvas.savefig(path, metadata={"Date": None})


def main() -> None:
    """Compute, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    found = table(options.truth)
    found.to_csv(options.out / "result.csv", index=False, float_format="%.6g")
    write_between(options.out / "result.md", "\n".join(markdown(found)))
    draw(found, options.out / "result.svg")


if __name__ == "__main__":
    main()
