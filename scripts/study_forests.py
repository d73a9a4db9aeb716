"""The tables of docs/study/forests.md: what proxies add to structure, once networks are attacked.

    python -m scripts.study_forests --truth DATA/robustness-data --out docs/study

Random forests are fitted to the accuracies of a few networks, and rank those they have not seen;
every set of features is given the same draws. The scores are the package's (`testbed.tables`), so
no network is computed. Writes forests.csv, one row a table, set of features, target and number of
attacked networks, and the tables between the marks of forests.md.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.search.held_out import held_out_taus
from evaluation.search.predictor import proxy_features
from evaluation.truths import open_truth
from evaluation.truths.targets import Target
from scripts.marks import CELL, write_between
from testbed.catalogue.registry import PROXIES
from testbed.spaces import registry
from testbed.spaces.nasbench201.regimes import REGIME_SCORES
from testbed.store import read_scores
from testbed.tables import RANDOM_CIFAR10, STUDY_500

TARGETS = ("clean", "fgsm@1", "pgd@1", "apgd@1")
COUNTS = (32, 172, 1024)
SPLITS = {"all": 5, "study": 20}  # those of a small table differ more
STRUCTURE = "structure"
TITLES = {
    "all": "All unique networks, the proxies that the package has of each of them",
    "study": "The networks of the study of 500, every proxy that looks at a network",
}


def feature_sets(scores: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """Return the features of each set, (n, F), of networks in the order of a table of scores.

    Args:
        scores: one column a proxy that needs a network, by the networks' names.
    """
    space = registry.get("nasbench201")
    genotypes = list(map(space.parse, scores.index))
    columns = {
        name: [score(genotype) for genotype in genotypes] for name, score in space.structure.items()
    }
    known = np.array([v for n, v in columns.items() if n not in REGIME_SCORES], np.float32).T
    regimes = np.array([columns[name] for name in REGIME_SCORES], np.float32).T
    structure = np.hstack([one_hot(genotypes), known])
    proxies = proxy_features(scores.to_numpy(dtype=np.float64))
    return {
        "proxies": proxies,
        STRUCTURE: structure,
        "structure, regime scores": np.hstack([structure, regimes]),
        "structure, proxies": np.hstack([structure, proxies]),
        "structure, regime scores, proxies": np.hstack([structure, regimes, proxies]),
    }


def one_hot(genotypes: list) -> NDArray[np.float32]:
    """Return which operation stands on each edge, (n, 30)."""
    space = registry.get("nasbench201")
    rows = [
        [float(taken == option) for name, taken in space.options(g).items()
         for option in space.choices[name]]
        for g in genotypes
    ]  # fmt: skip
    return np.array(rows, np.float32)


def tables() -> dict[str, pd.DataFrame]:
    """Return the scores that need a network, one column a proxy, by networks' names."""
    found = {}
    for name, path in (("all", RANDOM_CIFAR10), ("study", STUDY_500)):
        frame = read_scores(path)
        baselines = name == "all"  # params and flops are proxies to those who have no structure
        taken = [p for p in frame["proxy"].unique() if baselines or not PROXIES[p].structural]
        frame = frame[frame["proxy"].isin(taken)]
        wide = frame.groupby(["proxy", "network"])["value"].mean().unstack(0)
        whole = wide.notna().mean() > 0.9  # a sparse column is of other networks
        found[name] = wide.loc[:, whole]
    return found


def fitted(scores: pd.DataFrame, accuracies: pd.Series, repeats: int) -> list[dict[str, object]]:
    """Return one row for each set of features and number of attacked networks.

    ``gain`` is the mean difference of τ to structure alone over the same draws.

    Args:
        scores: one column a proxy that needs a network, by the networks' names.
        accuracies: what is predicted, in the order of the scores.
        repeats: the number of draws.
    """
    sets, values, rows = feature_sets(scores), accuracies.tolist(), []
    for count in COUNTS:
        if count > len(values) / 2:
            continue
        taus = {k: held_out_taus(v, values, count, repeats) for k, v in sets.items()}
        for name, found in taus.items():
            gain = found - taus[STRUCTURE]
            rows.append({
                "target": accuracies.name, "attacked": count, "features": name,
                "proxies": scores.shape[1] if "proxies" in name else 0,
                "held_out": len(values) - count, "splits": repeats,
                "tau": found.mean(), "standard_error": _error(found),
                "gain": gain.mean(), "gain_error": _error(gain),
            })  # fmt: skip
    return rows


def _error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / len(values) ** 0.5)


def table(truth: Path, workers: int = 1) -> pd.DataFrame:
    """Return the rows of both tables of scores; the same for any number of processes."""
    accuracies = open_truth(truth, "cifar10").targets()
    space = registry.get("nasbench201")
    with ProcessPoolExecutor(workers) as pool:
        jobs = []
        for name, scores in tables().items():
            numbers = [space.number(space.parse(network)) for network in scores.index]
            for target in TARGETS:
                there = accuracies.loc[numbers, target]
                jobs.append((name, pool.submit(fitted, scores, there, SPLITS[name])))
        rows = [{"table": name, **row} for name, job in jobs for row in job.result()]
    return pd.DataFrame(rows)


def markdown(found: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of the tables: one for each table of scores and number of networks."""
    for (name, count), part in found.groupby(["table", "attacked"]):
        networks = part["held_out"].iloc[0]
        yield f"\n### {TITLES[str(name)]}: {count:,} attacked, {networks:,} ranked\n"
        yield f"| features | {' | '.join(str(Target.parse(target)) for target in TARGETS)} |"
        yield f"| --- |{' ---: |' * len(TARGETS)}"
        for features, own in part.groupby("features", sort=False):
            cells = own.set_index("target").loc[list(TARGETS)]
            words = [_cell(row, features != STRUCTURE) for _, row in cells.iterrows()]
            many = f" ({own['proxies'].iloc[0]})" if own["proxies"].iloc[0] else ""
            yield f"| {features}{many} | {' | '.join(words)} |"


def _cell(row: pd.Series, with_gain: bool) -> str:
    tau = CELL.signed(row["tau"], row["standard_error"]).removeprefix("+")
    return f"{tau} ({CELL.signed(row['gain'], row['gain_error'])})" if with_gain else tau


def main() -> None:
    """Fit, write and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    found = table(options.truth, options.workers)
    kept = options.out / "forests.csv"
    found.to_csv(kept, index=False, float_format="%.6g")
    # From what is kept, so that page and table cannot differ by a rounding.
    write_between(options.out / "forests.md", "\n".join(markdown(pd.read_csv(kept))))


if __name__ == "__main__":
    main()
