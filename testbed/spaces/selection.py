"""The choice of networks by the words of ``--archs``, in any search space."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.basis.errors import did_you_mean
from testbed.basis.foreign_text import quoted, shown
from testbed.spaces import registry
from testbed.spaces.errors import GenotypeError
from testbed.spaces.space import SearchSpace

__all__ = ["select", "space_of_words"]

WORDS = ("all", "unique", "sample", "spread")
TRIES = 100  # draws for each network that is asked for
POOL = 20  # of a space that cannot be listed, so many are drawn for each that a spread takes


def select(space: SearchSpace[Any], words: str) -> list[Any]:
    """Return the genotypes that ``words`` name, each once, in the order named.

    Raises:
        GenotypeError: if a word names no network; the message says what is possible.
    """
    words = words.strip()
    if words in ("all", "unique"):
        return list(space.genotypes if words == "all" else space.unique)
    for kind, choose in (("sample", _sample), ("spread", _spread)):
        if words.startswith(f"{kind}:"):
            return choose(space, *_count_and_seed(kind, words))
    if space.claims(words):
        return [space.parse(words)]
    if _is_file(words):
        return _from_file(space, Path(words))
    return list(dict.fromkeys(_from_list(space, words)))


def space_of_words(words: str | None) -> SearchSpace[Any]:
    """Return the space that the words of ``--archs`` speak of: the default if they do not say."""
    found: list[SearchSpace[Any]] = []
    if words is not None and not words.startswith(tuple(f"{word}:" for word in WORDS)):
        lines = [words.strip()]
        if _is_file(words.strip()):
            try:
                text = Path(words.strip()).read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError):
                text = ""  # `select` says why
            lines = [line.strip() for line in text.splitlines() if line.strip()]
        known = registry.spaces()
        found = [space for line in lines[:10] for space in known if space.claims(line)]
    return found[0] if found else registry.get(registry.DEFAULT)


def _is_file(words: str) -> bool:
    try:
        return Path(words).is_file()
    except (OSError, ValueError):  # too long for a file name, or with a NUL in it
        return False


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 100  # other scripts have digits too


def _count_and_seed(kind: str, words: str) -> tuple[int, int]:
    numbers = words.split(":")[1:]
    if not all(map(_is_number, numbers)) or not 1 <= len(numbers) <= 2:
        raise GenotypeError(
            f"expected {kind}:N or {kind}:N:SEED with whole numbers; got {quoted(words)}"
        )
    return int(numbers[0]), int(numbers[1]) if len(numbers) == 2 else 0


def _drawn(space: SearchSpace[Any], count: int, seed: int, kind: str) -> Sequence[Any]:
    """Return ``count`` or more different networks in the order that the seed draws.

    All of the space, if it can be listed. A larger count of the same seed begins with a smaller.
    """
    if space.listed:
        import torch

        from testbed.basis.seeding import generator

        unique = space.unique
        if not 1 <= count <= len(unique):
            raise GenotypeError(f"a {kind} has 1 to {len(unique)} architectures; got {count}")
        order = torch.randperm(len(unique), generator=generator("sample", seed))
        return [unique[place] for place in order.tolist()]
    from testbed.basis.seeding import derive_seed

    if not 1 <= count <= (most := 100_000):
        raise GenotypeError(f"a {kind} has 1 to {most} architectures; got {count}")
    count *= POOL if kind == "spread" else 1
    source = random.Random(derive_seed("sample", space.key, seed))
    found: dict[Any, None] = {}
    for _ in range(TRIES * count):
        if len(found) == count:
            break
        found.setdefault(space.representative(space.draw(source)))
    return list(found)


def _sample(space: SearchSpace[Any], count: int, seed: int) -> list[Any]:
    # The first N of one permutation: a larger sample of the same seed contains a smaller.
    return list(_drawn(space, count, seed, "sample")[:count])


def _spread(space: SearchSpace[Any], count: int, seed: int) -> list[Any]:
    """Return networks of as many sizes as there are, smallest first.

    The numbers of parameters that occur are taken evenly, from the least to the largest, each
    once; if there are fewer than ``count``, what is left begins anew. Of several networks of one
    number the first drawn is taken.
    """
    import numpy as np

    of_size: dict[int, list[Any]] = {}
    for genotype in _drawn(space, count, seed, "spread"):
        of_size.setdefault(space.parameters(genotype), []).append(genotype)
    found: list[tuple[int, Any]] = []
    while (left := count - len(found)) and any(of_size.values()):
        sizes = sorted(size for size, there in of_size.items() if there)
        places = map(int, np.linspace(0, len(sizes) - 1, min(left, len(sizes))).round())
        found += [(sizes[place], of_size[sizes[place]].pop(0)) for place in places]
    return [genotype for _, genotype in sorted(found, key=lambda pair: pair[0])]


def _from_list(space: SearchSpace[Any], words: str) -> list[Any]:
    found: list[Any] = []
    for word in map(str.strip, words.split(",")):
        first, dash, last = word.partition("-")
        if space.listed and _is_number(first) and (not dash or _is_number(last)):
            span = range(int(first), int(last or first) + 1)
            if not span:
                raise GenotypeError(f"the range {quoted(word)} runs backwards")
            found += [space.numbered(number) for number in span]
        elif space.claims(word):
            found.append(space.parse(word))
        else:
            raise GenotypeError(
                f"cannot read {quoted(word)} as architectures, and there is no such file"
                f"{_hint(word)}; expected {space.words}"
            )
    return found


def _hint(word: str) -> str:
    name, colon, _ = word.partition(":")
    if not colon and name in ("sample", "spread"):
        return f" (did you mean '{name}:24'?)"
    return did_you_mean(name, WORDS)


def _from_file(space: SearchSpace[Any], path: Path) -> list[Any]:
    found: list[Any] = []
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
            found += [space.parse(word)] if space.claims(word) else _from_list(space, word)
        except GenotypeError as error:
            raise GenotypeError(f"{path}, line {number}: {error}") from error
    if not found:
        raise GenotypeError(f"{path} names no architecture")
    return list(dict.fromkeys(found))
