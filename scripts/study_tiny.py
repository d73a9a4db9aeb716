"""The table of docs/tiny_robustbench.md: proxies on the 223 networks of Tiny-RobustBench.

    python -m scripts.study_tiny --truth DATA/tiny-robustbench --out docs

The scores are the package's (`testbed.tables.TINY_ROBUSTBENCH`), so no network is computed. Writes
tiny_robustbench.csv, one row a τ with intervals and partial τ, and the table between the page's
marks.
"""

import argparse
from pathlib import Path

from evaluation.ranking.table import rank
from evaluation.truths import open_truth
from scripts.marks import write_between
from scripts.study_500 import markdown
from testbed.store import read_scores
from testbed.tables import TINY_ROBUSTBENCH


def main() -> None:
    """Rank and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    truth = open_truth(options.truth, "cifar10")
    ranking = rank(read_scores(TINY_ROBUSTBENCH), truth, targets=list(truth.targets()))
    table = ranking.whole_table
    page = options.out / "tiny_robustbench.md"
    table.drop(columns="label").to_csv(page.with_suffix(".csv"), index=False, float_format="%.6g")
    title = f"\n### Trained adversarially: {table['n'].iloc[0]} networks\n"
    ceilings = table.groupby("target")["ceiling"].first()
    write_between(page, "\n".join([title, *markdown(table, ceilings, True)]))


if __name__ == "__main__":
    main()
