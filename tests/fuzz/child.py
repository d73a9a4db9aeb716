"""Reads many inputs of targets, under limits; says before each which one, and what came."""

import json
import resource
import shutil
import sys
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target, all_targets

__all__ = ["MEMORY", "SECONDS", "make_input", "verdict"]

SECONDS = 5  # of CPU, an input
MEMORY = 500 * 2**20
LONGEST = 4000  # characters that a message may have


def make_input(target: Target, seeds: list[Path], number: int, folder: Path) -> Path:
    """Write an input into an empty folder and return its path; the first ones are the seeds."""
    random = Random(f"{target.name}/{number}")
    seed = seeds[number % len(seeds)]
    path = folder / seed.name
    if seed.is_dir():
        shutil.copytree(seed, path)
    else:
        shutil.copy(seed, path)
    if number >= len(seeds) or not target.whole:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        mutate(random, random.choice(files), tuple(target.mutations))
    return path


def verdict(target: Target, path: Path, whole: bool = False) -> tuple[str, str]:
    """Return ``("refused" | "read" | "fault", what there is to say)`` of one input."""
    try:
        result = target.read(path)
    except target.errors as error:
        return _documented(error, whole)
    except BaseException as error:
        return "fault", f"{type(error).__name__}\n{traceback.format_exc(limit=-6)[-3000:]}"
    try:
        target.check(result)
        _check_keys(path)
    except Exception as error:
        return "fault", f"wrong and accepted: {error}\n{traceback.format_exc(limit=-2)[-1500:]}"
    return "read", ""


def _check_keys(path: Path) -> None:
    """Whatever was read: no object of its JSON may have had a key twice, for one would be lost."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len(dict(pairs)) == len(pairs), f"a key twice in {path.name}"
        return dict(pairs)

    for file in [path, *path.rglob("*.json")] if path.is_dir() else [path]:
        if file.suffix == ".json":
            text = file.read_text(encoding="utf-8-sig")
            json.loads(text[text.find("=") + 1 :] if text.startswith("acc=") else text,
                       object_pairs_hook=unique)  # fmt: skip


def _documented(error: BaseException, whole: bool) -> tuple[str, str]:
    message = str(error)
    if whole:
        return "fault", f"a valid input was refused: {message[:1000]}"
    if len(message) > LONGEST:
        return "fault", f"a message of {len(message)} characters: {message[:300]}"
    if not message.replace("\n", " ").isprintable():
        return "fault", f"a message with control characters: {message[:300]!r}"
    seen: BaseException | None = error
    while seen is not None:
        # It took what memory there was before it was refused.
        if isinstance(seen, MemoryError):
            return "fault", f"MemoryError behind: {message[:300]}"
        seen = seen.__cause__ or seen.__context__
    return "refused", ""


def main(number: int, first: int, last: int, folder: Path, names: Sequence[str]) -> None:
    """Read the inputs ``first`` to ``last`` - 1 of targets and print lines of JSON for each.

    Of the first target, those before ``number`` have been read.
    """
    targets = all_targets()
    for place, name in enumerate(names):
        _feed(targets[name], folder / name, range(first if place else number, last))


def _feed(target: Target, folder: Path, numbers: Iterable[int]) -> None:
    seeds_folder = folder / "seeds"
    seeds_folder.mkdir(parents=True)
    _limit_memory(None)
    seeds = list(target.make_seed_files(seeds_folder))
    verdict(target, seeds[0])  # imports, and caches, take their memory before it is counted
    _limit_memory(MEMORY)
    for number in numbers:
        place = folder / "input"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        path = make_input(target, seeds, number, place)
        print(json.dumps([target.name, number, "begun", ""]), flush=True)
        _limit_time()
        kind, said = verdict(target, path, target.whole and number < len(seeds))
        print(json.dumps([target.name, number, kind, said]), flush=True)


def _limit_memory(more: int | None) -> None:
    if more is None:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def _limit_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + SECONDS + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


if __name__ == "__main__":
    at, begin, end = map(int, sys.argv[1:4])
    main(at, begin, end, Path(sys.argv[4]), sys.argv[5:])
