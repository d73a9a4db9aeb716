"""What the scores of a report are, and which papers they come from."""

from dataclasses import dataclass

from testbed.catalogue.registry import PROXIES

__all__ = ["Definition", "definition"]


@dataclass(frozen=True)
class Definition:
    """What a proxy is.

    Attributes:
        text: in a line.
        promise: ``lower`` or ``higher``: which scores promise robustness, by its paper.
        cites: keys of ``assets/references.bib``.
    """

    text: str
    promise: str = ""
    cites: tuple[str, ...] = ()


UNKNOWN = Definition("a score of the file that was read; this toolkit has no definition of it")


def definition(proxy: str) -> Definition:
    """Return what is known of a proxy by its name."""
    spec = PROXIES.get(proxy)
    return UNKNOWN if spec is None else Definition(spec.summary, spec.better, spec.cites)
