"""What a ranking is: the table, the population that it is of, and what is to be said of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from evaluation.correlation import Winner
from evaluation.ranking.score_columns import ScoreColumn, other_images, row_labels
from evaluation.truths.targets import Target

__all__ = ["FEW", "RESTRICTED", "Ranking", "listed", "plus_minus"]

FEW = 50  # networks: below, a standard error of τ is about .1
VERY_FEW = 10
# Whoever chooses networks by an accuracy, narrows what goes with it.
RESTRICTED = (
    "They are chosen by an accuracy: τ with it, and with what goes along with it, is that of a "
    "narrower range."
)
LISTED = 8  # names in one sentence


@dataclass(frozen=True)
class Ranking:
    """How every score column ranks every target.

    Attributes:
        table: one row for each column and target. The row is of dataset, proxy, init, images,
            settings, seeds, target, n, population, condition. Its statistics are:

            - tau, standard_error, and the ends of the 95 % interval low, high;
            - tie_fraction of the target, ties_flag (more than half of its pairs tied),
              score_tie_fraction, degenerate ("constant score; tied target", or "");
            - spearman; weighted_tau, in which the best under the target weigh most;
              top_precision, of the best 10 % (the score turned around where τ < 0);
            - partial_clean, partial_params and partial_paths: τ-b given clean accuracy, given
              the number of parameters, and given ``paths_pool_min``; partial_both: given the
              last two; each with its _error;
            - ceiling: the τ-b that a perfect score reaches; NaN without enough twins;
            - difference_params and difference_paths: by how much |τ| exceeds that of the number
              of parameters, and of ``paths_pool_min``, with _error, _p, and _holm, corrected
              over the table, each by itself; NaN for baselines;
            - winner: the largest |τ| of its target, and winner_holm, the p of its comparison
              with the closest rival, corrected over the table; NaN for others.
        n: the number of networks, the same in every row.
        population: a description of these networks in words.
        left_out: one sentence for each kind of scored networks that are not in the sample,
            which says why.
        set_aside: one sentence for each score column, or seed, that too few networks have.
        winners: the winner of each target, by the names that
            :func:`~evaluation.ranking.score_columns.labels` gives; None where no τ-b is defined.
        columns: the score columns by these names, baselines first.
        values: the scores of the sample, one row for each network, by id and name.
        condition: what chose these networks from the whole population, ``clean > 0.9``; ""
            for the whole one.
        combined: one sentence for each score that is made of others: of which, and what it was
            fitted to.
        truth: sentences on the truth: origin, networks, their training, and what else is to be
            said of its accuracies.
        beside: the ranking of the same columns and targets on a chosen population, whose
            winners and corrections are its own; None where there is no second population.
    """

    table: pd.DataFrame
    n: int
    population: str
    left_out: tuple[str, ...]
    set_aside: tuple[str, ...] = ()
    winners: dict[str, Winner | None] = field(default_factory=dict)
    columns: dict[str, ScoreColumn] = field(default_factory=dict, repr=False)
    values: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    condition: str = ""
    combined: tuple[str, ...] = ()
    truth: tuple[str, ...] = ()
    beside: "Ranking | None" = None

    @property
    def populations(self) -> "list[Ranking]":
        """The whole population's ranking, and the one beside it if there is one."""
        return [self] if self.beside is None else [self, self.beside]

    @property
    def whole_table(self) -> pd.DataFrame:
        """The rows of all populations, with a further column ``label``; the whole one first."""
        return pd.concat([one.labelled for one in self.populations], ignore_index=True)

    @property
    def other_images(self) -> list[str]:
        """A sentence if scores are ranked that were computed on images of another data set."""
        return other_images(self.columns.values(), self.table["dataset"].iloc[0])

    @property
    def few(self) -> list[str]:
        """A sentence if the networks are so few that τ, or its standard error, says little."""
        if self.n == 2:
            return [
                "n = 2: with two networks τ is 1 or −1 whatever the score, and has no standard "
                "error: nothing follows from it."
            ]
        if self.n < FEW:
            rough = " Below 10, and near τ = ±1, so are not even the intervals to be trusted."
            return [
                f"The sample is of {self.n} networks only: read the intervals, not the values of τ."
                + (rough if self.n < VERY_FEW else "")
            ]
        return []

    @property
    def constant(self) -> str:
        """The names of the score columns and targets of which all values are equal."""
        missing = self.labelled.loc[self.table["tau"].isna()]
        constant = missing["degenerate"].str.contains("constant score")
        scores = list(dict.fromkeys(missing.loc[constant, "label"]))
        targets = list(dict.fromkeys(missing.loc[~constant, "target"]))
        names = [*scores, *(str(Target.parse(target)) for target in targets)]
        return listed(names)

    @property
    def labelled(self) -> pd.DataFrame:
        """Return the table with a further column ``label``: the name of each row's score column."""
        return self.table.assign(label=row_labels(self.table))


def listed(words: Iterable[str]) -> str:
    """Return words on one line, and how many more there are than a sentence bears."""
    words = list(words)
    rest = len(words) - LISTED
    return ", ".join(words[:LISTED]) + (f" and {rest} more" if rest > 0 else "")


def plus_minus(table: pd.DataFrame, value: str = "tau", error: str = "standard_error") -> str:
    """Return what ± means in a table, without a full stop, and what ? does where one stands in it.

    Args:
        table: the rows that are shown.
        value: the column of the numbers.
        error: the column of their standard errors.
    """
    unknown = table[value].notna() & table[error].isna()
    return "± is one standard error" + (", ? where it is unknown" if unknown.any() else "")
