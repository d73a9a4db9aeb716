"""Everything a report shows, computed once: figures, tables and page only draw it."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from evaluation.ranking.families import some_of_each
from evaluation.ranking.populations import ACCURATE
from evaluation.ranking.roster import Roster
from evaluation.ranking.score_columns import ScoreColumn, score_columns
from evaluation.ranking.table import Ranking, rank
from evaluation.ranking.target_choice import choose_targets
from evaluation.report.names import attacks_of
from evaluation.report.pairwise import pairwise_tau
from evaluation.truths import AnyTruth, TruthFacts
from evaluation.truths.published import Truth, TruthError
from evaluation.truths.section33 import section33

__all__ = ["CLASSES", "ROOM", "ReportNumbers", "study"]

# Where the truth has no confusion matrices, which show the number of classes.
CLASSES = {"cifar10": 10, "cifar100": 100, "ImageNet16-120": 120, "digits": 10}
ROOM = 2_500  # numbers of a table; beyond, the usual targets are shown
PAIRED = 24  # proxies that are compared with each other
_SCORE = ("network", "proxy", "init", "images", "settings", "seed")

Watch = Callable[[Iterable], Iterable]


@dataclass(frozen=True)
class ReportNumbers:
    """The numbers of a report.

    Attributes:
        dataset: the data set of the accuracies.
        accuracies: the chosen targets of all networks of the truth, by id.
        guessing: the accuracy of guessing; None if the number of classes is unknown.
        agreement: τ of clean accuracy and every attack × ε among each other, over all
            networks of the truth that have them, see
            :func:`~evaluation.report.pairwise.pairwise_tau`; empty with fewer than two.
        section33: see :func:`~evaluation.truths.section33.section33`.
        ranking: the ranking by the proxies; None without scores.
        table: the table of the ranking with a column ``label``; empty without scores.
        columns: the score columns by label, baselines among them.
        values: the scores of the sample, one row for each network, by label.
        pairs: τ of the proxies among each other; of many, the best of each family.
        seconds: the seconds of one network, by label, for the proxies whose time was measured.
        runs: the provenance of the scores, as JSON values.
        source: the class of the truth, which says whose layout it was read from.
        facts: the truth's origin, its networks, and how they were trained.
        roster: whose networks they are.
        left_aside: one sentence for each score column or seed that is not in the report, which
            says why.
    """

    dataset: str
    accuracies: pd.DataFrame
    guessing: float | None
    agreement: pd.DataFrame
    section33: pd.Series | None
    ranking: Ranking | None = None
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    columns: Mapping[str, ScoreColumn] = field(default_factory=dict)
    values: pd.DataFrame = field(default_factory=pd.DataFrame)
    pairs: pd.DataFrame = field(default_factory=pd.DataFrame)
    seconds: Mapping[str, float] = field(default_factory=dict)
    runs: Sequence[Mapping[str, Any]] = ()
    left_aside: tuple[str, ...] = ()
    source: str = "Truth"
    facts: TruthFacts | None = None
    roster: Roster = field(default_factory=Roster.default, repr=False)

    @property
    def targets(self) -> list[str]:
        """Return the names of the targets."""
        return list(map(str, self.accuracies.columns))

    @property
    def truth(self) -> str:
        """Return the truth in one sentence; "" if nothing is known of it."""
        return "" if self.facts is None else self.facts.sentence

    @property
    def labels(self) -> list[str]:
        """Return the names of the score columns, baselines first."""
        return list(self.columns)

    @property
    def proxies(self) -> dict[str, str]:
        """Return the proxy of each score column by its label."""
        return {label: column.identity[0] for label, column in self.columns.items()}

    @property
    def beside(self) -> Ranking | None:
        """Return the ranking of the second population; None if there is none."""
        return None if self.ranking is None else self.ranking.beside

    @property
    def who(self) -> str:
        """Return the populations in words: one, or two that stand side by side."""
        if self.ranking is None:
            return ""
        words = self.ranking.population
        return words if self.beside is None else f"{words}; beside: {self.beside.population}"


def study(
    truth: AnyTruth,
    scores: pd.DataFrame | None = None,
    proxies: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    seeds: Collection[int] | None = None,
    runs: Sequence[Mapping[str, Any]] = (),
    watch: Watch = iter,
    population: str | None = None,
    combine: Sequence[str] = (),
) -> ReportNumbers:
    """Compute the numbers of a report.

    Args:
        truth: an open truth.
        scores: a table of one row for each score; None for a report of the truth alone.
        proxies: the chosen proxies; None takes all but sparse ones, see
            :func:`~evaluation.ranking.table.rank`.
        targets: names as in :func:`~evaluation.ranking.target_choice.choose_targets`; None for all.
        seeds: the chosen seeds; None takes all.
        runs: the provenance of the scores.
        watch: yields the items that it is given one by one, for instance a progress bar.
        population: the condition of the population that stands beside the whole one, or ``all``
            for none, see :func:`~evaluation.ranking.populations.parse_population`. None stands
            for the accurate networks (clean accuracy above .9) where these are 50 or more, and
            not all.
        combine: scores that are made of others, see :mod:`evaluation.ranking.combinations`.

    Raises:
        RankingError: if :func:`~evaluation.ranking.table.rank` raises it.
        TruthError: if a file of the truth is broken.
    """
    everything = truth.targets()
    chosen = choose_targets(everything.columns, targets or ["all"])
    accuracies = everything.filter(items=chosen)
    attacked = [name for name in ("clean", *attacks_of(chosen)) if name in accuracies]
    truth_alone = ReportNumbers(
        dataset=truth.dataset,
        accuracies=accuracies,
        guessing=_guessing(truth),
        agreement=pairwise_tau(accuracies.filter(attacked), watch),
        section33=section33(everything),
        source=type(truth).__name__,
        facts=truth.facts,
        roster=Roster.of(truth, everything),
    )
    if scores is None:
        return truth_alone
    usual = ACCURATE if "clean" in everything else None
    ranking = rank(
        scores, truth, proxies, chosen, (), seeds, watch=watch,
        population=population or usual, unasked=population is None, room=ROOM, combine=combine,
    )  # fmt: skip
    used = scores.loc[scores["proxy"].isin({c.identity[0] for c in ranking.columns.values()})]
    return replace(
        truth_alone,
        ranking=ranking,
        table=ranking.labelled,
        columns=ranking.columns,
        values=ranking.values,
        pairs=pairwise_tau(_some(ranking), watch),
        seconds=_seconds(used, ranking, seeds, truth_alone.roster),
        runs=[run for run in runs if run.get("id") in set(used["run"])],
        left_aside=ranking.set_aside,
    )


def _some(ranking: Ranking) -> pd.DataFrame:
    """Return the scores that are compared with each other: of many, the best of each family."""
    proxies = {label: column.identity[0] for label, column in ranking.columns.items()}
    return ranking.values.filter(items=some_of_each(proxies, PAIRED))


def _guessing(truth: AnyTruth) -> float | None:
    if isinstance(truth, Truth):
        with contextlib.suppress(TruthError):
            return 1 / truth.confusion()[1].shape[-1]
    classes = CLASSES.get(truth.dataset)
    return None if classes is None else 1 / classes


def _seconds(
    scores: pd.DataFrame, ranking: Ranking, seeds: Collection[int] | None, roster: Roster
) -> dict[str, float]:
    """Return the seconds of the median network by label, those of all its seeds together."""
    timed = scores.assign(value=scores["seconds"]).drop_duplicates(list(_SCORE))
    labels = {column.identity: label for label, column in ranking.columns.items()}
    columns = score_columns(timed, None, seeds, roster)[0]
    return {
        labels[c.identity]: float(c.values.median()) * max(1, c.seeds)
        for c in columns
        if c.identity in labels and c.values.notna().any()
    }
