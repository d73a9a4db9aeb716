"""The report as one HTML file that needs nothing else: no network, no other file."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import resources

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from evaluation.ranking.families import MANY, families, family
from evaluation.ranking.labels import printable
from evaluation.report.citations import bibtex
from evaluation.report.definitions import definition
from evaluation.report.explorer import as_script, explorer
from evaluation.report.figures.svg import inline
from evaluation.report.gallery import Missing, Picture
from evaluation.report.prose.doubts import doubts
from evaluation.report.prose.headline import headline
from evaluation.report.prose.methods import short_version
from evaluation.report.statistics import main_targets, shown_targets, statistics
from evaluation.report.study import ReportNumbers
from evaluation.report.values import values_of
from testbed.command.provenance import code_version

__all__ = ["Made", "page"]


@dataclass(frozen=True)
class Made:
    """How a report was made.

    Attributes:
        command: the command line; empty if it was made from Python.
        day: the date in UTC, as ISO 8601 writes it.
    """

    command: str = ""
    day: str = field(default_factory=lambda: _today())


def page(
    study: ReportNumbers,
    gallery: Sequence[tuple[Picture | Missing, str]],
    methods: Sequence[str],
    files: Sequence[str],
    made: Made | None = None,
    measured: pd.DataFrame | None = None,
) -> str:
    """Return the page's HTML.

    Args:
        study: the numbers of the report.
        gallery: the figures in order, each with its SVG; a missing one has an empty text.
        methods: the paragraphs on the methods.
        files: the names of the files beside the page.
        made: when and by which command.
        measured: the user's own robust accuracies, if the truth is of them.
    """
    made = made or Made()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("evaluation.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    environment.filters["addresses"] = _addresses
    tables, groups, data = statistics(study), _groups(gallery), explorer(study)
    sections = [("headline", "Finding"), ("warnings", "Warnings")]
    sections += [("table", "Table"), ("definitions", "Proxies")] if tables else []
    sections += [(str(group["id"]), str(group["name"])) for group in groups]
    sections += [("explorer", "Any network"), ("methods", "Methods"), ("cite", "How to cite")]
    return environment.get_template("page.html").render(
        title=f"Robustness report: {study.dataset}",
        lead=_lead(study),
        facts=_facts(study),
        sections=sections,
        headline=headline(study),
        warnings=doubts(study, measured),
        definitions=_definitions(study),
        statistics=tables,
        labels=study.labels,
        grouped=len(study.labels) > MANY,
        families=families(study.proxies),
        targets=study.targets,
        has_more=len(main_targets(study.targets)) < len(shown_targets(study)),
        groups=groups,
        explorer=data,
        explorer_json=Markup(as_script(data)),
        methods=methods,
        bibtex=bibtex(study),
        files=files,
        made=made,
        made_by=f"robustness-proxies {short_version(code_version())}",
        css=Markup(_asset("page.css")),
        javascript=Markup(_asset("page.js") + _asset("explorer.js")),
    )


def _today() -> str:
    """Return the date; that of SOURCE_DATE_EPOCH, where it is set, for pages built anew."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(epoch), timezone.utc) if epoch.isdecimal() else None
    return (now or datetime.now(timezone.utc)).date().isoformat()


def _definitions(study: ReportNumbers) -> list[dict[str, object]]:
    """Return what each proxy of the report is, which scores promise robustness, and its columns."""
    labels: dict[str, list[str]] = {}
    for label, column in study.columns.items():
        labels.setdefault(column.identity[0], []).append(label)
    return [
        {
            "name": printable(proxy),
            "columns": names if names != [proxy] else [],
            "known": definition(proxy),
            "family": family(proxy),
        }
        for proxy, names in labels.items()
    ]


def _lead(study: ReportNumbers) -> str:
    if study.ranking is None:
        return (
            f"How robust are {len(study.accuracies):,} networks on {study.dataset}? Accuracies "
            "under attacks and corruptions. There are no scores to rank them by: this report is of "
            "the truth alone."
        )
    return (
        f"How well do training-free scores rank robust accuracies on {study.dataset}? Kendall’s "
        f"τ-b on one common sample: {study.who}."
    )


def _facts(study: ReportNumbers) -> list[tuple[str, str]]:
    facts = [("data set", study.dataset), ("networks in the truth", f"{len(study.accuracies):,}")]
    if study.ranking is not None:
        facts.append(("networks ranked (n)", f"{study.ranking.n:,}"))
        if study.beside is not None:
            facts.append((f"of these with {study.beside.condition}", f"{study.beside.n:,}"))
        facts.append(("score columns", f"{len(study.labels)}"))
    return [*facts, ("targets", f"{len(study.targets):,}")]


def _groups(gallery: Sequence[tuple[Picture | Missing, str]]) -> list[dict[str, object]]:
    groups: dict[str, dict[str, list]] = {}
    for item, svg in gallery:
        group = groups.setdefault(item.group, {"pictures": [], "missing": []})
        if isinstance(item, Missing):
            group["missing"].append(item.why)
        else:
            drawn = Markup(inline(svg, item.name, item.caption))
            picture = {"name": item.name, "caption": item.caption, "svg": drawn}
            group["pictures"].append({**picture, "told": values_of(svg)})
    return [
        {"name": name, "id": re.sub(r"\W+", "-", name.lower()).strip("-"), **group}
        for name, group in groups.items()
    ]


def _breakable(name: str) -> Markup:
    """Allow line breaks after the underscores of a name."""
    return escape(name).replace("_", Markup("_<wbr>"))


def _addresses(text: str) -> Markup:
    """Write addresses so that they are read but nothing in the source of the page is one.

    The page needs no network, and whoever searches its source for addresses finds that it is so.
    """
    return Markup(str(escape(text)).replace("://", "&#58;//"))


def _asset(name: str) -> str:
    return (
        resources.files("evaluation.report")
        .joinpath("assets")
        .joinpath(name)
        .read_text(encoding="utf-8")
    )
