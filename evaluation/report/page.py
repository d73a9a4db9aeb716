"""The report as one HTML file that needs nothing else: no network, no other file."""

import re
from collections.abc import Sequence
from importlib import resources

import jinja2
from markupsafe import Markup, escape

from evaluation.report.explorer import as_script, explorer
from evaluation.report.figures.svg import inline
from evaluation.report.gallery import Missing, Picture
from evaluation.report.prose.doubts import doubts
from evaluation.report.prose.methods import is_published, short_version
from evaluation.report.statistics import main_targets, statistics
from evaluation.report.study import ReportNumbers
from testbed.command.provenance import code_version

__all__ = ["bibtex", "page"]

_JUNG = """@inproceedings{jung2023neural,
  title     = {Neural Architecture Design and Robustness: A Dataset},
  author    = {Jung, Steffen and Lukasik, Jovita and Keuper, Margret},
  booktitle = {International Conference on Learning Representations},
  year      = {2023}
}"""
_DONG = """@inproceedings{dong2020nasbench201,
  title     = {{NAS-Bench-201}: Extending the Scope of Reproducible Neural Architecture Search},
  author    = {Dong, Xuanyi and Yang, Yi},
  booktitle = {International Conference on Learning Representations},
  year      = {2020}
}"""


def page(
    study: ReportNumbers,
    gallery: Sequence[tuple[Picture | Missing, str]],
    methods: Sequence[str],
    files: Sequence[str],
) -> str:
    """Return the page's HTML.

    Args:
        study: the numbers of the report.
        gallery: the figures in order, each with its SVG; a missing one has an empty text.
        methods: the paragraphs on the methods.
        files: the names of the files beside the page.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("evaluation.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    tables, groups, data = statistics(study), _groups(gallery), explorer(study)
    sections = [("warnings", "Warnings"), *([("table", "Table")] if tables else [])]
    sections += [(str(group["id"]), str(group["name"])) for group in groups]
    sections += [("explorer", "Any network"), ("methods", "Methods"), ("cite", "How to cite")]
    return environment.get_template("page.html").render(
        title=f"Robustness report: {study.dataset}",
        lead=_lead(study),
        facts=_facts(study),
        sections=sections,
        warnings=doubts(study),
        statistics=tables,
        targets=study.targets,
        has_more=len(main_targets(study.targets)) < len(study.targets),
        groups=groups,
        explorer=data,
        explorer_json=Markup(as_script(data)),
        methods=methods,
        bibtex=bibtex(study),
        files=files,
        made_by=f"robustness-proxies {short_version(code_version())}",
        css=Markup(_asset("page.css")),
        javascript=Markup(_asset("page.js") + _asset("explorer.js")),
    )


def bibtex(study: ReportNumbers) -> str:
    """Return the entries that a paper with these numbers cites."""
    toolkit = (
        "@software{robustness_proxies,\n"
        "  title   = {robustness-proxies: training-free robustness proxies, robust accuracies, "
        "and how well one ranks the other},\n"
        f"  version = {{{short_version(code_version())}}}\n}}"
    )
    return "\n\n".join([*([_JUNG] if is_published(study) else []), _DONG, toolkit])


def _lead(study: ReportNumbers) -> str:
    if study.ranking is None:
        return (
            f"How robust are {len(study.accuracies):,} networks on {study.dataset}? Accuracies "
            "under attacks and corruptions; there are no scores to rank them by."
        )
    return (
        f"How well do training-free scores rank robust accuracies on {study.dataset}? Kendall’s "
        f"τ-b on one common sample: {study.ranking.population}."
    )


def _facts(study: ReportNumbers) -> list[tuple[str, str]]:
    facts = [("data set", study.dataset), ("networks in the truth", f"{len(study.accuracies):,}")]
    if study.ranking is not None:
        facts.append(("networks ranked (n)", f"{study.ranking.n:,}"))
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
            group["pictures"].append({"name": item.name, "caption": item.caption, "svg": drawn})
    return [
        {"name": name, "id": re.sub(r"\W+", "-", name.lower()).strip("-"), **group}
        for name, group in groups.items()
    ]


def _breakable(name: str) -> Markup:
    """Allow line breaks after the underscores of a name."""
    return escape(name).replace("_", Markup("_<wbr>"))


def _asset(name: str) -> str:
    return (
        resources.files("evaluation.report")
        .joinpath("assets")
        .joinpath(name)
        .read_text(encoding="utf-8")
    )
