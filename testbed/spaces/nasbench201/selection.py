"""The choice of architectures by the words of ``--archs``."""

from pathlib import Path

import numpy as np
import torch

from testbed.basis.errors import did_you_mean
from testbed.basis.foreign_text import quoted, shown
from testbed.basis.seeding import generator
from testbed.spaces.nasbench201.cost import parameters
from testbed.spaces.nasbench201.genotype import Genotype, GenotypeError, enumerate_space
from testbed.spaces.nasbench201.isomorphism import unique_ids
from testbed.spaces.nasbench201.names import SELECTION_HELP, SELECTION_WORDS

__all__ = ["select"]


def select(words: str) -> list[Genotype]:
    """Return the architectures that ``words`` name, each once, in the order named.

    Raises:
        GenotypeError: if a word names no architecture; the message says what is possible.
    """
    words = words.strip()
    if words == "all":
        return list(enumerate_space())
    if words == "unique":
        return [Genotype.from_index(index) for index in unique_ids()]
    if words.startswith("sample:"):
        return _sample(*_drawn(words))
    if words.startswith("spread:"):
        return _spread(*_drawn(words))
    if words.startswith(("|", "(")):
        return [_architecture(words)]
    if _is_file(words):
        return _from_file(Path(words))
    return list(dict.fromkeys(_from_ids(words)))


def _architecture(word: str) -> Genotype:
    """Return the architecture of a string, or of NASLib's ``(4, 0, 3, 1, 4, 3)``."""
    if word.startswith("|"):
        return Genotype.parse(word)
    numbers = [number.strip() for number in word.strip("()").split(",")]
    if not word.endswith(")") or not all(map(_is_number, numbers)):
        raise GenotypeError(
            f"expected six operations such as (4, 0, 3, 1, 4, 3); got {quoted(word)}"
        )
    return Genotype.from_naslib([int(number) for number in numbers])


def _is_file(words: str) -> bool:
    try:
        return Path(words).is_file()
    except (OSError, ValueError):  # too long for a file name, or with a NUL in it
        return False


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 100  # other scripts have digits too


def _drawn(words: str) -> tuple[int, list[Genotype]]:
    """Return N, and the unique architectures in the order that the seed draws."""
    kind, *numbers = words.split(":")
    unique = unique_ids()
    if not all(map(_is_number, numbers)) or not 1 <= len(numbers) <= 2:
        raise GenotypeError(
            f"expected {kind}:N or {kind}:N:SEED with whole numbers; got {quoted(words)}"
        )
    count, seed = int(numbers[0]), int(numbers[1]) if len(numbers) == 2 else 0
    if not 1 <= count <= len(unique):
        raise GenotypeError(f"a {kind} has 1 to {len(unique)} architectures; got {count}")
    order = torch.randperm(len(unique), generator=generator("sample", seed))
    return count, [Genotype.from_index(unique[i]) for i in order.tolist()]


def _sample(count: int, drawn: list[Genotype]) -> list[Genotype]:
    # The first N of one permutation: a larger sample of the same seed contains a smaller.
    return drawn[:count]


def _spread(count: int, drawn: list[Genotype]) -> list[Genotype]:
    """Return architectures of as many sizes as there are, smallest first.

    The numbers of parameters that occur are taken evenly, from the least to the largest, each
    once; if there are fewer than ``count``, what is left begins anew. Of several architectures
    of one number the first drawn is taken.
    """
    of_size: dict[int, list[Genotype]] = {}
    for genotype in drawn:
        of_size.setdefault(parameters(genotype), []).append(genotype)
    found: list[Genotype] = []
    while left := count - len(found):
        sizes = sorted(size for size, there in of_size.items() if there)
        places = np.linspace(0, len(sizes) - 1, min(left, len(sizes))).round()
        found += [of_size[sizes[int(place)]].pop(0) for place in places]
    return sorted(found, key=parameters)


def _from_ids(words: str) -> list[Genotype]:
    found = []
    for word in words.split(","):
        first, dash, last = word.strip().partition("-")
        if not _is_number(first) or (dash and not _is_number(last)):
            raise GenotypeError(
                f"cannot read {quoted(word.strip())} as architectures, and there is no such file"
                f"{_hint(word)}; expected {SELECTION_HELP}"
            )
        span = range(int(first), int(last or first) + 1)
        if not span:
            raise GenotypeError(f"the range {quoted(word.strip())} runs backwards")
        found += [Genotype.from_index(index) for index in span]
    return found


def _hint(word: str) -> str:
    name, colon, _ = word.strip().partition(":")
    if not colon and name in ("sample", "spread"):
        return f" (did you mean '{name}:24'?)"
    return did_you_mean(name, SELECTION_WORDS)


def _from_file(path: Path) -> list[Genotype]:
    found = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GenotypeError(
            f"cannot read architectures from {path}: {shown(str(error))}"
        ) from error
    for number, line in enumerate(lines, 1):
        word = line.strip()
        if not word or word.startswith("#"):
            continue
        try:
            found += [_architecture(word)] if word.startswith(("|", "(")) else _from_ids(word)
        except GenotypeError as error:
            raise GenotypeError(f"{path}, line {number}: {error}") from error
    if not found:
        raise GenotypeError(f"{path} names no architecture")
    return list(dict.fromkeys(found))
