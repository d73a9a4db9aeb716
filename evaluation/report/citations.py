"""The papers that a report rests on, as BibTeX: data, attacks, corruptions, proxies."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

from evaluation.attacks.names import ATTACKS
from evaluation.ranking.labels import printable
from evaluation.report.definitions import definition
from evaluation.report.names import attacks_of, corruptions_of
from evaluation.report.prose.methods import is_published, short_version
from evaluation.report.study import ReportNumbers
from evaluation.truths.targets import Target
from testbed.command.provenance import code_version

__all__ = ["bibtex", "references"]

TOOLKIT = "robustness_proxies"
DATASETS = {"cifar10": ("krizhevsky2009learning",), "cifar100": ("krizhevsky2009learning",)}


def bibtex(study: ReportNumbers) -> str:
    """Return the entries that a paper with these numbers cites."""
    entries = references()
    keys = dict.fromkeys(_keys(study))
    toolkit = entries[TOOLKIT].replace("VERSION", short_version(code_version()))
    return "\n\n".join([*(_entry(key, entries) for key in keys), toolkit])


@cache
def references() -> dict[str, str]:
    """Return the entries of ``assets/references.bib`` by their keys."""
    path = resources.files("evaluation.report").joinpath("assets").joinpath("references.bib")
    entries = re.split(r"\n\n(?=@)", path.read_text(encoding="utf-8").strip())
    return {re.match(r"@\w+\{([^,]+),", entry)[1]: entry for entry in entries}  # type: ignore[index]


def _entry(key: str, entries: Mapping[str, str]) -> str:
    """Return the entry of a key; an attack of others may bring its own, or have none."""
    if key.lstrip().startswith("@"):
        return key.strip()
    return entries.get(key) or f"% no entry is known of {printable(key)}"


def _keys(study: ReportNumbers) -> Iterator[str]:
    if is_published(study):
        yield "jung2023neural"
    yield from study.facts.cites if study.facts is not None else ()
    yield from () if study.roster.space is None else study.roster.space.cites
    yield from DATASETS.get(study.dataset, ())
    for name in attacks_of(study.targets):
        record = ATTACKS.get(Target.parse(name).name)
        yield from record.cites if record else ()
    if corruptions_of(study.targets):
        yield "hendrycks2019benchmarking"
    for column in study.columns.values():
        yield from definition(column.identity[0]).cites
        if "NAS-Bench-Suite-Zero" in column.identity[3]:
            yield "krishnakumar2022suite"
