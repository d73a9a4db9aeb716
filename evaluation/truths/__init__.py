"""Which truth a path holds: a published one, an archive, one's own results or table.

Nothing here imports torch: of an archive, it is imported when one is opened.
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from evaluation.truths.facts import TruthError, TruthFacts
from evaluation.truths.published import Truth
from evaluation.truths.robbench import RobBench
from evaluation.truths.table import TableTruth
from evaluation.truths.table import Truth as AnyTruth
from testbed.basis.foreign_text import shown
from testbed.spaces.nasbench201.archive_names import is_archive

__all__ = ["AnyTruth", "RobBench", "TableTruth", "Truth", "TruthError", "TruthFacts", "open_truth"]

META = "meta.json"
EXPECTED = (
    "expected the folder of the robustness data with its meta.json, Tiny-RobustBench's with its "
    "robust_bench_seed_*.json, or an archive's with its NNNNNN.pickle.pbz2 or NNNNNN-FULL.pth"
)
STORES = (".sqlite", ".sqlite3", ".db")
TABLES = (".csv", ".parquet")


def open_truth(
    path: str | Path, dataset: str = "cifar10", where: Sequence[str] = (), space: str | None = None
) -> AnyTruth:
    """Open whichever truth a path holds.

    A folder in the published layout, NAS-RobBench-201's JSON file, Tiny-RobustBench's folder or
    one of its lists, NARes' ``.jsonl``, an archive of NATS-Bench (of either space) or of
    NAS-Bench-201, a results file of this toolkit, or a table, ``.csv`` or ``.parquet``.

    Args:
        path: of the file or folder.
        dataset: of the accuracies.
        where: ``key=value`` each: which results of a results file or a table count, see
            `evaluation.truths.results` and `evaluation.truths.own_table`.
        space: the search space of a results file's or a table's networks; ``own`` takes their
            names as they are; None finds out.

    Raises:
        TruthError: as the reader of the layout does; if ``where`` is given for another layout.
        StoreError: if a results file cannot be read.
    """
    path = Path(path)
    if path.suffix in (*STORES, *TABLES) and not path.is_dir():
        from evaluation.truths.own_table import open_table
        from evaluation.truths.results import open_results

        reader = open_results if path.suffix in STORES else open_table
        return reader(path, dataset, where, space)
    if where:
        raise TruthError(
            f"--truth-where chooses among the results of {', '.join((*STORES, *TABLES))}; got "
            f"{path}, which has one for each network"
        )
    if path.suffix == ".jsonl":
        from evaluation.truths.nares import open_nares

        return open_nares(path, dataset)
    from evaluation.truths.tiny_robustbench import is_tiny_robustbench, open_tiny_robustbench

    if is_tiny_robustbench(path):
        return open_tiny_robustbench(path, dataset)
    if not (path / META).is_file():
        if is_archive(path):
            from evaluation.truths.archive import ArchiveTruth

            return ArchiveTruth.open(path, dataset)
        if path.is_dir():
            raise TruthError(f"no {META} in {path}, which holds {_listing(path)}; {EXPECTED}")
    return (RobBench if path.is_file() else Truth).open(path, dataset)


def _listing(folder: Path) -> str:
    try:
        names = sorted(islice((entry.name for entry in folder.iterdir()), 1000))
    except OSError as error:
        raise TruthError(f"cannot read {folder}: {error.strerror or error}") from error
    return ", ".join(shown(name, 60) for name in names[:5]) + ", …" * (len(names) > 5) or "nothing"
