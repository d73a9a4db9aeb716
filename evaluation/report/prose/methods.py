"""The methods paragraph, from the provenance of scores and accuracies: ready to paste."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from evaluation.ranking.combined import COMBINED
from evaluation.ranking.labels import printable
from evaluation.ranking.score_columns import BASELINES, STRUCTURE, ScoreColumn
from evaluation.report.prose.measured import measured_sentences
from evaluation.report.prose.options import how_computed
from evaluation.report.study import ReportNumbers
from evaluation.truths.facts import NORMAL
from testbed.spaces.registry import DEFAULT

__all__ = ["PUBLISHED", "is_published", "joined", "methods", "short_version"]

PUBLISHED = ("cifar10", "cifar100", "ImageNet16-120")  # data sets of Jung et al.
# What all proxies of one run share; what else is in the settings belongs to one proxy.
_SHARED = (
    "archive", "batch", "batch_norm", "batch_seed", "batch_size", "cells", "channels", "dtype",
    "recipe", "split", "trained_on",
)  # fmt: skip
_COMMIT = re.compile(r"(\+g[0-9a-f]{10})[0-9a-f]+")  # ten digits name a commit well enough
_COMPARED = {"params": "the number of parameters", STRUCTURE: STRUCTURE}
_INIT = {
    "random": "at initialisation",
    "random-kaiming": "at initialisation (Kaiming normal)",
    "random-xavier": "at initialisation (Xavier normal)",
    "trained": "after our own training",
    "pretrained": "with the benchmark’s trained weights",
}
_BATCH_NORM = {
    "calibrated": "batch norm used the statistics of this batch, set in one forward pass, and "
    "was then frozen",
    "running": "batch norm used its running statistics",
    "batch": "batch norm was in training mode",
}


def methods(study: ReportNumbers, measured: pd.DataFrame | None = None) -> list[str]:
    """Return the paragraph's sentences, in parts: scores, accuracies, statistics.

    Args:
        study: the numbers of the report.
        measured: robust accuracies of the same data set, if the results file holds them, see
            :func:`~evaluation.report.runs.measured`.
    """
    parts = [
        " ".join(_scores(study)),
        " ".join(
            [*measured_sentences(study, measured), *_networks(study)]
            if measured is not None and len(measured)
            else _read(study)
        ),
        " ".join(_statistics(study)),
    ]
    return [part for part in parts if part]


def is_published(study: ReportNumbers) -> bool:
    """Say whether the truth is a published one: of all unique networks and a published data set."""
    space = study.roster.space
    if study.dataset not in PUBLISHED or space is None or space.key != DEFAULT:
        return False
    others = study.facts is not None and study.facts.training != NORMAL
    whole = set(study.accuracies.index) == set(map(space.number, space.unique))
    return whole and study.source == "Truth" and not others


def joined(words: Iterable[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def short_version(version: str) -> str:
    """Return a code version with as many digits of its commit as are needed to find it."""
    return _COMMIT.sub(r"\1", version)


def _scores(study: ReportNumbers) -> Iterable[str]:
    groups: dict[tuple, list[ScoreColumn]] = {}
    for column in study.columns.values():
        if column.identity[0] not in BASELINES and column.identity[1] != COMBINED:
            groups.setdefault(_group(column), []).append(column)
    for (init, images, seeds, shared), columns in groups.items():
        yield _group_sentence(init, images, seeds, json.loads(shared), columns, study)
    for names, options in _options_of(study):
        yield f"{how_computed(names, options)}."
    if study.ranking is not None and study.ranking.combined:
        yield f"Of these scores others were made: {' '.join(study.ranking.combined)}"
    if groups and study.runs:
        yield f"Scores were computed with {_versions(study.runs)}."
    if baselines := [c for c in study.columns.values() if c.identity[0] in BASELINES]:
        names = {
            "params": "the number of parameters",
            "flops": "multiply-accumulates (FLOPs)",
            STRUCTURE: "the fewest average poolings on any live path of the cell (paths_pool_min)",
        }
        used = joined(names[name] for name in dict.fromkeys(c.identity[0] for c in baselines))
        yield f"Baselines are {used}."


def _group(column: ScoreColumn) -> tuple:
    _, init, images, settings = column.identity
    facts = _facts(settings)
    shared = {name: facts[name] for name in _SHARED if name in facts}
    return init, images, column.seeds, json.dumps(shared, sort_keys=True)


def _group_sentence(
    init: str, images: str, seeds: int, facts: Mapping[str, Any], columns: Sequence[ScoreColumn],
    study: ReportNumbers,
) -> str:  # fmt: skip
    names = joined(dict.fromkeys(printable(column.identity[0]) for column in columns))
    size = f" (C = {_shown(facts['channels'])}, N = {_shown(facts['cells'])})" if {"channels", "cells"} <= facts.keys() else ""  # fmt: skip # noqa: E501
    of = "" if study.roster.space is None else f" of {study.roster.space.title}"
    sentence = (
        f"We computed {names} for {len(study.values):,} networks{of}{size} "
        f"{_INIT.get(init, f'(weights: {printable(init)})')}{_weights(facts)}"
    )
    if "batch_size" in facts:
        split = {"train": "training ", "test": "test "}.get(str(facts.get("split")), "")
        sentence += (
            f" on one class-balanced batch of {_shown(facts['batch_size'])} {split}images of "
            f"{printable(images)} (batch seed {_shown(facts.get('batch_seed', '?'))}, fingerprint "
            f"{_shown(facts.get('batch', '?'))})"
        )
    elif images:
        sentence += f" on {printable(images)}"
    if "dtype" in facts:
        sentence += f" in {_shown(facts['dtype'])}"
    if "batch_norm" in facts:
        sentence += f"; {_BATCH_NORM.get(mode := _shown(facts['batch_norm']), mode)}"
    if seeds == 1:
        sentence += "; one seed of the weights"
    elif seeds:
        sentence += f"; scores are means over {seeds} seeds of the weights"
    return sentence + "."


def _weights(facts: Mapping[str, Any]) -> str:
    """Say what the weights were trained on and how, or which of an archive they are."""
    on = _mapping(facts.get("trained_on"))
    known = {"count", "name"} <= on.keys()
    which = f" on {_count(on['count'])} images of {_shown(on['name'])}" if known else ""
    details = _plainly({**_mapping(facts.get("recipe")), **_mapping(facts.get("archive"))})
    return which + (f" ({details})" if details else "")


def _plainly(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{_shown(k).replace('_', ' ')} {_shown(v)}" for k, v in sorted(facts.items()))


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a setting that is a mapping; whoever wrote the file may have meant another thing."""
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> str:
    return f"{value:,}" if type(value) is int else _shown(value)


def _shown(value: Any) -> str:
    return printable(str(value))


def _options_of(study: ReportNumbers) -> list[tuple[str, dict[str, Any]]]:
    """Return the options that are a proxy's own, with the names of the proxies that have them."""
    groups: dict[str, dict[str, None]] = {}
    for column in study.columns.values():
        if column.identity[0] not in BASELINES and column.identity[1] != COMBINED:
            facts = _facts(column.identity[3])
            options = {name: value for name, value in facts.items() if name not in _SHARED}
            if options:
                text = json.dumps(options, sort_keys=True)
                groups.setdefault(text, {})[printable(column.identity[0])] = None
    return [(joined(names), json.loads(text)) for text, names in groups.items()]


def _facts(settings: str) -> dict[str, Any]:
    try:
        facts = json.loads(settings)
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _versions(runs: Sequence[Mapping[str, Any]]) -> str:
    def every(name: str) -> list[str]:
        return list(dict.fromkeys(short_version(str(run[name])) for run in runs if run.get(name)))

    said = {"code_version": "robustness-proxies", "torch_version": "PyTorch", "python": "Python"}
    parts = [f"{what} {joined(found)}" for name, what in said.items() if (found := every(name))]
    devices = every("device")
    return ", ".join(parts or ["an unknown version"]) + (
        f", on {joined(devices)}" if devices else ""
    )


def _read(study: ReportNumbers) -> Iterable[str]:
    count = f"{len(study.accuracies):,}"
    if is_published(study):
        yield (
            f"Accuracies on {study.dataset} of all {count} unique networks of NAS-Bench-201 are "
            "those that Jung, Lukasik and Keuper published (ICLR 2023); ε is in units of 1/255."
        )
    else:
        origin = "a file" if study.facts is None else study.facts.origin
        yield (
            f"Accuracies on {study.dataset} of {count} networks were read from {origin}; ε is in "
            "units of 1/255."
        )
    yield from _networks(study)


def _networks(study: ReportNumbers) -> Iterable[str]:
    """Yield which networks the truth is of, and how they were trained."""
    if study.facts is not None:
        yield f"These are {study.facts.population}; training: {study.facts.training}."
        yield from study.facts.notes


def _statistics(study: ReportNumbers) -> Iterable[str]:
    if study.ranking is None:
        n = int(study.agreement["n"].iloc[0]) if len(study.agreement) else 0
        if n:
            yield f"Agreement between attacks is Kendall’s τ-b over {n:,} networks."
        return
    beside = ""
    if study.beside is not None:
        beside = (
            f" Beside them stand, with tests of their own, the networks with "
            f"{study.beside.condition}: {study.beside.n:,}."
        )
    yield (
        "We report Kendall’s τ-b between scores and accuracies, with the sign as measured, on "
        f"one common sample for all: {study.ranking.population}.{beside} Standard errors and 95 % "
        "intervals come from the influence function; they cover the choice of networks, not the "
        "noise of scores and accuracies."
    )
    if study.table["ceiling"].notna().any():
        yield (
            "The noise ceiling is what a perfect score would reach, estimated from networks "
            "that are the same function and were trained separately."
        )
    proxies = study.proxies.values()
    to = [f"to {words}, " for name, words in _COMPARED.items() if name in proxies]
    to += ["and of each winner to its rivals," if to else "of each winner to its rivals"]
    yield (
        f"Differences of |τ| {''.join(to)} are tested on the same networks, with Holm’s correction "
        "for all comparisons of each kind."
    )
