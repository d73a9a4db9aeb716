"""The unit of ε, 1/255: how a command takes it, and what looks as if another was meant."""

__all__ = ["epsilon_of", "in_pixels"]

LEAST = 0.1  # the smallest published ε
NEAR = 0.02  # 0.031 is 8/255, cut


def epsilon_of(word: str) -> float:
    """Return ε in units of 1/255 as a command takes it: ``8`` and ``8/255`` are 8.

    Raises:
        ValueError: if the word is neither.
    """
    number, slash, unit = word.partition("/")
    if slash and unit.strip() != "255":
        raise ValueError(word)
    return float(number)


def in_pixels(epsilon: float) -> str | None:
    """Return what was meant if an ε looks like one of pixels in [0, 1]: ``8`` for 0.031.

    It is None for the others, and for 0.
    """
    if not 0 < epsilon < LEAST:
        return None
    meant = 255 * epsilon
    whole = round(meant)
    return f"{whole if whole and abs(meant - whole) <= NEAR * whole else meant:.3g}"
