"""The tables of a document that a script writes, between two marks, and how they spell τ."""

from pathlib import Path

from evaluation.correlation import TauB, confidence_interval
from testbed.command.numbers import Spelling

__all__ = ["BEGIN", "CELL", "END", "PLAIN_CELL", "told", "write_between"]

BEGIN, END = "<!-- tables -->", "<!-- end of the tables -->"
CELL = Spelling("−", " ± ")
PLAIN_CELL = Spelling("-", " ± ")


def told(tau: TauB) -> dict[str, float]:
    """Return what a table keeps of a τ-b: itself, its standard error and 95 % interval."""
    low, high = confidence_interval(tau)
    return {"tau": tau.tau, "standard_error": tau.standard_error, "low": low, "high": high}


def write_between(page: Path, tables: str) -> None:
    """Put tables between the marks of a page, in place of those that were there."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{tables}\n\n{END}{after or chr(10)}", encoding="utf-8")
