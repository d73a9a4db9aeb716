"""ε, in units of 1/255: which make sense, and which look as if another unit was meant."""

from collections.abc import Sequence

from testbed.basis.errors import InputError
from testbed.basis.units import in_pixels

__all__ = ["check_epsilons", "unit_notes"]


def check_epsilons(epsilons: Sequence[float], norm: str) -> None:
    """Check ε before any work is done.

    Args:
        epsilons: in units of 1/255, in ℓ2 too.
        norm: ``Linf`` or ``L2``.

    Raises:
        InputError: if there is none, one is negative or not finite, or in ℓ∞ more than the
            range of a pixel.
    """
    if not epsilons or not all(0 <= epsilon < float("inf") for epsilon in epsilons):
        raise InputError(f"ε are numbers from 0, in units of 1/255; got {list(epsilons)}")
    if norm == "Linf" and max(epsilons) > 255:
        raise InputError(
            f"ε is in units of 1/255, and pixels are in [0, 1]: at most 255; got {max(epsilons):g}"
        )


def unit_notes(epsilons: Sequence[float]) -> list[str]:
    """Return a note if an ε looks like one of pixels in [0, 1]: those of RobustBench do."""
    for epsilon in epsilons:
        if (meant := in_pixels(epsilon)) is not None:
            return [
                f"note: ε is in units of 1/255, so that {epsilon:.3g} changes a pixel by "
                f"{epsilon / 255:.1g}: if {meant}/255 was meant, give {meant}"
            ]
    return []
