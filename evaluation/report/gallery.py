"""The figures of a report in their order: what each shows, or why it is left out."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from evaluation.ranking.families import MANY, families, some_of_each
from evaluation.ranking.labels import printable
from evaluation.ranking.score_columns import BASELINES
from evaluation.report.figures.agreement import agreement
from evaluation.report.figures.boxes import attack_boxes, corruption_boxes
from evaluation.report.figures.cell import cell
from evaluation.report.figures.cell_graphs import cell_graphs
from evaluation.report.figures.cost import cost
from evaluation.report.figures.pairs import proxy_pairs
from evaluation.report.figures.proxies import ACROSS, proxy_heat
from evaluation.report.figures.scatter import scatter
from evaluation.report.figures.top_cells import top_cells
from evaluation.report.names import attacks_of, corruptions_of, plain
from evaluation.report.study import ReportNumbers
from evaluation.report.words import records
from evaluation.truths.section33 import top
from evaluation.truths.targets import Target
from testbed.command.numbers import general
from testbed.spaces import registry

__all__ = ["Missing", "Picture", "gallery", "key_targets"]

KEY_TARGETS = ("clean", "fgsm@1", "mean adversarial", "mean corruption")
# What a map of many proxies shows, so that it fits a page.
HEAT = (
    "clean", "fgsm@1", "fgsm@8", "pgd@1", "apgd@1", "square@1", "mean adversarial",
    "mean corruption",
)  # fmt: skip
NARROW = 13  # cells in a row of panels of many proxies: a page and a phone hold them
ROOM = 24  # proxies in figures of all targets
SCATTERS = 6  # proxies at most; the page draws any other


@dataclass(frozen=True)
class Picture:
    """A figure that is drawn when it is asked for.

    Attributes:
        name: the name of its files and its element.
        group: the heading that it stands under.
        caption: the text that explains it.
        make: the function that draws it from ``arguments``.
    """

    name: str
    group: str
    caption: str
    make: Callable[..., Figure]
    arguments: tuple[Any, ...] = field(repr=False)

    def draw(self) -> Figure:
        """Return the figure."""
        return self.make(*self.arguments)


@dataclass(frozen=True)
class Missing:
    """A figure that has no data: the heading it would stand under, and why it is not there."""

    group: str
    why: str


ATTACKS, CORRUPTIONS = "Accuracy under attack", "Accuracy on corrupted images"
AGREEMENT, PROXIES = "Do the attacks agree?", "Which proxy ranks which attack?"
COST, SCATTER = "Which proxy is worth its price?", "Proxies against accuracies"
PAIRS, TOP, CELLS = (
    "Do the proxies say the same?",
    "The most robust of section 3.3’s networks",
    "Cells",
)


def gallery(study: ReportNumbers, architectures: Sequence[Any] = ()) -> Iterator[Picture | Missing]:
    """Yield the figures of a report.

    Args:
        study: the numbers of the report.
        architectures: the names of the networks whose cells are drawn, each into a file of its
            own.
    """
    yield from _of_scores(study)
    yield from _of_truth(study)
    for place, name in enumerate(map(str, architectures)):
        yield _cell(name, place)


def _cell(name: str, place: int) -> Picture | Missing:
    """Return the picture of a network's cells, if its space says how they are drawn."""
    found = registry.parsed(name)
    if found is None:
        return Missing(CELLS, f"{printable(name)} is a network of no known search space")
    space, genotype = found
    graphs = space.cells(genotype)
    if not graphs:
        return Missing(CELLS, f"{space.title} does not say how its networks are drawn")
    if space.key == registry.DEFAULT:
        return Picture(f"cell-{space.number(genotype)}", CELLS, name, cell, (genotype,))
    return Picture(f"cell-{place + 1}", CELLS, printable(name, 400), cell_graphs, (graphs,))


def key_targets(study: ReportNumbers) -> list[str]:
    """Return the few targets that figures with one panel a target show."""
    some = [name for name in KEY_TARGETS if name in study.targets]
    if all(Target.parse(name).level is None for name in some):
        some[1:1] = attacks_of(study.targets)[:1]
    return (some or study.targets)[:3]


def heat_targets(targets: Sequence[str]) -> list[str]:
    """Return the targets of the map of many proxies."""
    return [name for name in HEAT if name in targets] or list(targets[: len(HEAT)])


def _of_scores(study: ReportNumbers) -> Iterator[Picture | Missing]:
    if study.ranking is None:
        yield Missing(PROXIES, "there are no scores in this report")
        return
    n = study.ranking.population
    many = len(study.labels) > ROOM
    groups = families(study.proxies) if len(study.labels) > MANY else {}
    table = study.table
    if many:
        table = table.loc[table["target"].isin(heat_targets(study.targets))]
    yield Picture(
        "proxies", PROXIES,
        f"Kendall’s τ-b of each proxy with accuracies on {study.dataset}, the sign as measured: "
        f"blue, a larger score goes with a more robust network. n = {n}. Baselines: "
        f"{_baselines(study)}.",
        proxy_heat, (table, groups, NARROW if many else ACROSS),
    )  # fmt: skip
    if any(label in study.seconds for label in study.labels):
        yield Picture(
            "cost", COST,
            "|τ| over the median seconds of one network, all its seeds together. Hollow: τ is "
            "negative. Dashed: the best baseline; what lies under it costs more and ranks no "
            "better. Bars are 95 % intervals.",
            cost, (study.table, dict(study.seconds), key_targets(study), groups),
        )  # fmt: skip
    else:
        yield Missing(COST, "the scores have no seconds")
    labels = [label for label, c in study.columns.items() if c.identity[0] not in BASELINES]
    proxies = {label: study.proxies[label] for label in labels}
    labels = some_of_each(proxies, SCATTERS if not many else SCATTERS // 2) or study.labels[:1]
    rows = {(row["label"], row["target"]): row for row in records(study.table)}
    for place, label in enumerate(labels):
        for target in key_targets(study)[:2]:
            accuracies = study.accuracies.loc[study.values.index, target]
            yield Picture(
                f"scatter-{place + 1}-{re.sub(r'[^A-Za-z0-9.]+', '-', target)}", SCATTER,
                f"{label} and accuracy: {plain(target)}. Each point is a network.",
                scatter, (study.values[label], accuracies, rows[label, target]),
            )  # fmt: skip
    if len(study.labels) > 1:
        there = {*study.pairs["x"], *study.pairs["y"]}
        paired = [label for label in study.labels if label in there]
        some = len(paired) < len(study.labels)
        which = f"{len(paired)} proxies, the best of each family" if some else "every two proxies"
        yield Picture(
            "pairs", PAIRS,
            f"Kendall’s τ-b of {which}, n = {n}: near ±1 the second says what the first "
            "has said.",
            proxy_pairs, (study.pairs, paired),
        )  # fmt: skip


def _baselines(study: ReportNumbers) -> str:
    return ", ".join(n for n in BASELINES if n in study.proxies.values()) or "none"


def _of_truth(study: ReportNumbers) -> Iterator[Picture | Missing]:
    attacks, corruptions = attacks_of(study.targets), corruptions_of(study.targets)
    clean = [name for name in ("clean",) if name in study.targets]
    n = f"{len(study.accuracies):,}"
    boxes = (
        "The box holds the middle half of the networks, the whiskers end within 1.5 times its "
        "height, points are the least and the most robust network."
    )
    guess = "" if study.guessing is None else f" Dashed: guessing ({general(study.guessing)})."
    for name, group, members, make, what in (
        ("attacks", ATTACKS, [*clean, *attacks] if attacks else [], attack_boxes, "attack"),
        ("corruptions", CORRUPTIONS, corruptions, corruption_boxes, "corruption"),
    ):
        if members:
            caption = f"Accuracies on {study.dataset} of {n} networks. {boxes}{guess}"
            arguments = (study.accuracies.filter(members), study.guessing)
            yield Picture(name, group, caption, make, arguments)
        else:
            yield Missing(group, f"the truth holds no {what}, or none was chosen")
    if len(study.agreement):
        count = int(study.agreement["n"].iloc[0])
        yield Picture(
            "agreement", AGREEMENT,
            f"Kendall’s τ-b between accuracies, each pair once; n = {count:,} networks.",
            agreement, (study.agreement, [*clean, *attacks]),
        )  # fmt: skip
    else:
        yield Missing(AGREEMENT, "it takes two among clean accuracy and attacks")
    means = study.section33
    if means is not None:
        yield Picture(
            "section33", TOP,
            f"The first 20 of {len(means)} networks with exactly two 3×3 and no 1×1 convolutions "
            "on live edges, by mean adversarial accuracy: over all attacks and ε, unweighted. "
            "Hollow: the edge is dead.",
            top_cells, (top(means), (float(means.min()), float(means.max()))),
        )  # fmt: skip
    else:
        why = (
            "the truth does not hold all of the 408 networks of section 3.3 of the paper, or no "
            "attack on them"
        )
        if not study.roster.by_number:
            why = "section 3.3 of the paper is of NAS-Bench-201, and these networks are not"
        yield Missing(TOP, why)
