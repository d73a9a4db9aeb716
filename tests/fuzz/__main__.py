"""``python -m tests.fuzz``: feed readers with malformed inputs, and say what they did."""

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.child import make_input, verdict
from tests.fuzz.driver import Outcome, feed
from tests.fuzz.target import all_targets

PARTS = 6  # of the targets: a process each
MOST = 8  # faults that are shown of a target


def main() -> int:
    """Run, and return 1 if there was a fault."""
    options = _options()
    targets = all_targets()
    names = options.targets or list(targets)
    if unknown := [name for name in names if name not in targets]:
        print(f"error: no target {unknown[0]}; there are {', '.join(targets)}", file=sys.stderr)
        return 2
    if options.only is not None:
        return _again(names[0], options.only, options.keep)
    share = -(-options.count // len(names))
    with ThreadPoolExecutor(options.workers) as pool:
        parts = [names[part::PARTS] for part in range(min(PARTS, len(names)))]
        fed = pool.map(
            lambda part: list(map(_told, feed(part, options.first, options.first + share))), parts
        )
        outcomes = [outcome for part in fed for outcome in part]
    total = sum(sum(o.counts.values()) for o in outcomes)
    faults = sum(o.counts["fault"] for o in outcomes)
    print(f"{total:,} inputs over {len(names)} readers and parsers: {faults} faults")
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="Names; all if not given.")
    parser.add_argument("--count", type=int, default=10_000, help="Inputs, over all targets.")
    parser.add_argument("--first", type=int, default=0, help="Number of the first input.")
    parser.add_argument("--workers", type=int, default=2, help="Processes side by side.")
    parser.add_argument("--only", type=int, help="One input of one target again, in this process.")
    parser.add_argument("--keep", type=Path, help="Folder where that input is kept.")
    return parser.parse_args()


def _told(outcome: Outcome) -> Outcome:
    counts = ", ".join(f"{n:,} {kind}" for kind, n in sorted(outcome.counts.items()))
    print(f"{outcome.name:<24} {counts}", flush=True)
    for number, said in outcome.faults[:MOST]:
        print(f"  --only {number}: {said.strip()}", flush=True)
    return outcome


def _again(name: str, number: int, keep: Path | None) -> int:
    with tempfile.TemporaryDirectory() as folder:
        target, place = all_targets()[name], keep or Path(folder) / "input"
        (Path(folder) / "seeds").mkdir()
        place.mkdir(parents=True, exist_ok=True)
        seeds = list(target.make_seed_files(Path(folder) / "seeds"))
        path = make_input(target, seeds, number, place)
        kind, said = verdict(target, path, target.whole and number < len(seeds))
        print(path, kind, said)
        return kind == "fault"


if __name__ == "__main__":
    sys.exit(main())
