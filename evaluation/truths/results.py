"""The toolkit's own results: what ``attack`` and ``corrupt`` wrote, as a truth."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from evaluation.truths.choosing import chosen, conditions, facts_of, one_of_each
from evaluation.truths.facts import Training, TruthError, TruthFacts, one_training
from evaluation.truths.networks import recognised
from evaluation.truths.table import TableTruth
from evaluation.truths.targets import Target
from evaluation.truths.training_note import training_of_result
from testbed.basis.foreign_text import shown
from testbed.files.strict_json import parse_json
from testbed.store import read_robustness
from testbed.store.robustness import stored_doubts

__all__ = ["open_results"]

WEIGHTS = "weights"  # of one network: a fingerprint
CHOOSE = "choose by --truth-where training=normal or init=trained, for instance"


def open_results(
    path: str | Path, dataset: str, where: Sequence[str] = (), space: str | None = None
) -> TableTruth:
    """Read the robust accuracies of a results file, or of an export of its table.

    Args:
        path: ending in ``.sqlite``, ``.sqlite3``, ``.db``, ``.csv`` or ``.parquet``.
        dataset: the image set of the results.
        where: ``key=value`` each: init, seed, or a setting such as count, mode, steps or
            recipe.epochs, see `evaluation.truths.choosing`.
        space: see :func:`~evaluation.truths.networks.recognised`.

    Raises:
        StoreError: if the file cannot be read.
        TruthError: if it holds no result on these images, or several for a network and target that
            differ in more than the seed, or networks of two trainings.
    """
    path = Path(path)
    everything = read_robustness(path)
    if everything.empty:
        raise TruthError(
            f"{path} holds no robust accuracies: measure some with robustness-proxies attack "
            f"--store {path}"
        )
    rows = everything.loc[everything["images"].eq(dataset)].reset_index(drop=True)
    if rows.empty:
        there = shown(", ".join(map(str, sorted(set(everything["images"])))))
        raise TruthError(f"no results on {shown(dataset)!r} in {path}; there: {there}")
    facts = _facts(rows)
    kept = chosen(facts, conditions(where), str(path))
    rows, facts = rows.loc[kept], facts.loc[kept]
    trainings = [_training(str(init), text) for init, text in zip(*_origins(rows), strict=True)]
    training = one_training(trainings, str(path), CHOOSE)
    one_of_each(facts, str(path), (WEIGHTS,))
    _refuse_two_weights(facts, str(path))
    networks = recognised(map(str, rows["network"]), str(path), space)
    truth = TruthFacts(
        f"results of this toolkit ({path.name}), {_inits(rows)}, {_images(rows)}",
        training, networks.population, networks.space, _doubts(rows), sizes=_sizes(facts),
    )  # fmt: skip
    entries = [
        (networks.names[str(network)], Target.of_measure(str(measure), _level(level)).key,
         "" if pd.isna(seed) else str(int(seed)), float(accuracy))
        for network, measure, level, seed, accuracy in zip(
            *(rows[name] for name in ("network", "measure", "level", "seed", "accuracy")),
            strict=True,
        )
    ]  # fmt: skip
    return TableTruth.of(entries, path, dataset, truth, networks)


def _facts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what results may be chosen by, and the network and measure of each."""
    had = [_training(str(init), text) for init, text in zip(*_origins(rows), strict=True)]
    return facts_of(rows).assign(
        network=rows["network"].astype("object"),
        measure=rows["measure"].astype("object"),
        training=[one.word for one in had],
    )


def _origins(rows: pd.DataFrame) -> tuple[list[str], list[str]]:
    return rows["init"].tolist(), rows["settings"].tolist()


def _sizes(facts: pd.DataFrame) -> dict[str, int]:
    """Return channels and cells of the networks, where the results record them."""
    found = {name: set(facts[name].dropna()) for name in ("channels", "cells") if name in facts}
    return {name: int(values.pop()) for name, values in found.items() if len(values) == 1}


def _level(level: float) -> float | None:
    return None if pd.isna(level) else float(level)


def _training(init: str, settings: str) -> Training:
    return training_of_result(init, parse_json(settings, "settings", TruthError))


def _refuse_two_weights(facts: pd.DataFrame, where: str) -> None:
    """Refuse two results of one network whose weights are not the same."""
    if WEIGHTS not in facts:
        return
    found: dict[tuple[str, str], set[str]] = {}
    cells = (facts[name].tolist() for name in ("network", "seed", WEIGHTS))
    for network, seed, weights in zip(*cells, strict=True):
        if weights is not None:
            found.setdefault((str(network), str(seed)), set()).add(str(weights))
    several = {
        network: sorted(weights) for (network, _), weights in found.items() if len(weights) > 1
    }
    if not several:
        return
    network, found_there = next(iter(several.items()))
    raise TruthError(
        f"{where}: {shown(network)} was measured with {len(found_there)} different weights "
        f"({', '.join(shown(one, 20) for one in found_there[:4])}); expected one of each network: "
        "choose by --truth-where weights=…, naming those of every network, or measure into another "
        "file"
    )


def _inits(rows: pd.DataFrame) -> str:
    words = {"own": "a user’s own networks"}
    inits = [str(init) for init in dict.fromkeys(rows["init"])]
    return ", ".join(words.get(init, f"{init} weights") for init in inits)


def _images(rows: pd.DataFrame) -> str:
    counts = sorted({int(count) for count in rows["count"].dropna()})
    return f"{' and '.join(f'{count:,}' for count in counts)} images"


def _doubts(rows: pd.DataFrame) -> tuple[str, ...]:
    doubtful = sum(
        bool(stored_doubts({"warnings": one, "cross_warnings": other}))
        for one, other in zip(rows["warnings"], rows["cross_warnings"], strict=True)
    )
    if not doubtful:
        return ()
    share = f"{doubtful:,} of its {len(rows):,} results"
    return (f"In the truth, {share} carry a warning of the measurement.",)
