"""Scores of the genotype alone: what lies on a cell's paths, and which operations are alive.

A structural score needs no network and no image. It is the baseline that a proxy of robustness
must beat where attacks are strong: the fewest average poolings on any path rank APGD at ε = 1 with
τ = .41 over NAS-Bench-201, where the number of parameters has .00. Which of them a search space
has, its record says.
"""

from collections.abc import Callable
from functools import partial

from proxies.conditions import UndefinedError
from proxies.probe import Probe, Score
from testbed.networks.copying import unwrapped
from testbed.spaces import SpaceError, design_of, registry

__all__: list[str] = []


def _of_genotype(probe: Probe, *, statistic: str) -> Score:
    try:
        design = probe.shared("design", lambda: design_of(unwrapped(probe.module)))
    except SpaceError as error:
        raise UndefinedError(str(error)) from error
    space = registry.get(design.space)
    if statistic not in space.structure:
        raise UndefinedError(f"{space.title} has no {statistic}: its record names none")
    return Score(float(space.structure[statistic](design.genotype)))


def __getattr__(name: str) -> Callable[[Probe], Score]:
    """Return the proxy of a statistic that the record of a search space names."""
    if any(name in space.structure for space in registry.spaces()):
        return partial(_of_genotype, statistic=name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
