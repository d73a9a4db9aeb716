"""The YAML file of ``--engine slurm:FILE.yaml``: which jobs a cluster is asked for."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from testbed.basis.errors import InputError, did_you_mean
from testbed.basis.foreign_text import described, quoted, shown

__all__ = ["ClusterFile"]

MOST_BYTES = 2**14
SUBMITIT, JOBQUEUE = "submitit", "dask-jobqueue"
MODULES = {SUBMITIT: "submitit", JOBQUEUE: "dask_jobqueue"}
CLUSTERS = {SUBMITIT: ("slurm", "local"), JOBQUEUE: ("slurm", "pbs")}
SUBMITTERS = {"slurm": "sbatch", "pbs": "qsub"}
# Keys that only one of the two understands.
ONLY = {"tasks": SUBMITIT, "interface": JOBQUEUE, "port": JOBQUEUE}


def _number(default: float, least: float, most: float, whole: bool = True) -> Any:
    return field(default=default, metadata={"least": least, "most": most, "whole": whole})


# Options of the submission by which submitit finds its jobs again, and their results.
OURS = (
    "array", "error", "input", "job-name", "nodes", "ntasks", "ntasks-per-node", "open-mode",
    "output", "parsable", "signal", "test-only", "wait", "wrap",
)  # fmt: skip


@dataclass(frozen=True)
class ClusterFile:
    """What is asked of a cluster.

    Attributes:
        by: submitit (job arrays) or dask-jobqueue (a Dask worker a job).
        cluster: slurm, or pbs (dask-jobqueue), or local (submitit: processes of this machine).
        jobs: at a time.
        tasks: of a run in a job of submitit; what a job that dies had done of them is done again.
        minutes: the time limit of a job.
        cpus: cores of a job; give as many as ``--threads``.
        memory_gb: of a job.
        gpus: of a job; 1 at most, for one worker computes on one.
        partition: or queue of the cluster; its default if not given.
        account: that is charged.
        folder: seen from all nodes, for the files and logs of the jobs.
        setup: shell lines in front of a job's command, ``module load cuda`` for instance.
        directives: further options of the submission, ``--constraint=a100`` for instance.
        interface: of the network that workers reach the scheduler by, ``ib0`` for instance.
        port: of Dask's scheduler; any if 0.
    """

    by: str = SUBMITIT
    cluster: str = "slurm"
    jobs: int = _number(1, 1, 1024)
    tasks: int = _number(8, 1, 10_000)
    minutes: int = _number(60, 1, 60 * 24 * 365)
    cpus: int = _number(1, 1, 1024)
    memory_gb: float = _number(4, 0.1, 100_000, whole=False)
    gpus: int = _number(0, 0, 1)
    partition: str | None = None
    account: str | None = None
    folder: str = "runs/jobs"
    setup: tuple[str, ...] = ()
    directives: tuple[str, ...] = ()
    interface: str | None = None
    port: int = _number(0, 0, 65535)

    @property
    def module(self) -> str:
        """The module that submits the jobs."""
        return MODULES[self.by]

    @staticmethod
    def read(path: Path) -> "ClusterFile":
        """Read a file.

        Raises:
            InputError: naming the key that is unknown, or whose value cannot be used.
        """
        given = _mapping(path)
        known = [entry.name for entry in fields(ClusterFile)]
        for key in given:
            if key not in known:
                raise InputError(
                    f"{shown(str(path))}: unknown key {quoted(key)}{did_you_mean(key, known)}; "
                    f"known are {', '.join(known)}"
                )
        values = {
            entry.name: _value(path, entry, given[entry.name])
            for entry in fields(ClusterFile)
            if entry.name in given
        }
        asked = ClusterFile(**values)
        _one_of(path, "by", asked.by, tuple(MODULES))
        _one_of(path, "cluster", asked.cluster, CLUSTERS[asked.by], f" by {asked.by}")
        for key, by in ONLY.items():
            if key in given and asked.by != by:
                raise _refused(path, key, f"is of by: {by}; got by: {asked.by}")
        if asked.by == SUBMITIT:
            _check_options(path, asked.directives)
        return asked

    def check_there(self) -> None:
        """Raise InputError if this machine cannot submit jobs to the cluster."""
        words = [SUBMITTERS[self.cluster]] if self.cluster in SUBMITTERS else []
        if self.by == SUBMITIT and words:
            words.append("srun")
        for word in words:
            if shutil.which(word) is None:
                raise InputError(
                    f"cluster: {self.cluster} needs the command {word}, which is not on the PATH: "
                    "call this where jobs are submitted from, or split the run by --shard K/N"
                )

    def slurm_options(self) -> dict[str, Any]:
        """Return the directives of submitit's way: option → value, True for one without."""
        pairs = (word.removeprefix("--").partition("=") for word in self.directives)
        return {name: value if equals else True for name, equals, value in pairs}


def _mapping(path: Path) -> dict[str, Any]:
    import yaml

    name = shown(str(path))
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"--engine slurm:{name}: {error.strerror}") from error
    if len(raw) > MOST_BYTES:
        raise InputError(f"{name} is longer than {MOST_BYTES:,} bytes: no description of jobs")
    try:
        loader = yaml.SafeLoader(raw.decode("utf-8-sig"))
        node = loader.get_single_node()
        data = loader.construct_document(node) if node else None
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        raise InputError(f"{name} is no YAML: {shown(' '.join(str(error).split()))}") from error
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        raise InputError(f"{name} holds no keys with values, such as `jobs: 16`, one a line")
    keys = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    twice = [key for key in data if keys.count(key) > 1]
    if twice:
        raise _refused(path, twice[0], "is given twice")
    return dict(data)


def _value(path: Path, entry: Any, value: Any) -> Any:
    """Return a value of the kind that a key has."""
    if "least" in entry.metadata:
        return _checked_number(path, entry.name, value, entry.metadata)
    if entry.default == ():
        lines = [value] if isinstance(value, str) else value
        if not isinstance(lines, list) or not all(map(_is_line, lines)):
            raise _refused(path, entry.name, f"is a list of lines of text; got {described(value)}")
        return tuple(lines)
    if value is None and entry.default is None:
        return None
    if not isinstance(value, str) or not _is_line(value) or not value.strip():
        raise _refused(path, entry.name, f"is one line of text; got {described(value)}")
    return value


def _checked_number(path: Path, key: str, value: Any, bounds: Mapping[str, Any]) -> float:
    kinds = int if bounds["whole"] else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        noun = "a whole number" if bounds["whole"] else "a number"
        raise _refused(path, key, f"is {noun}; got {described(value)}")
    if not bounds["least"] <= value <= bounds["most"]:  # so that nan is refused too
        raise _refused(
            path, key, f"is from {bounds['least']} to {bounds['most']:,}; got {described(value)}"
        )
    return value


def _check_options(path: Path, directives: tuple[str, ...]) -> None:
    for line in directives:
        name = line.removeprefix("--").partition("=")[0]
        if not line.startswith("--") or not name.replace("-", "").isalnum():
            raise _refused(
                path, "directives", f"are options such as --constraint=a100; got {quoted(line)}"
            )
        if name in OURS:
            raise _refused(
                path, "directives", f"may not hold --{name}, which the engine sets itself"
            )


def _one_of(path: Path, key: str, value: str, known: tuple[str, ...], more: str = "") -> None:
    if value not in known:
        raise _refused(
            path, key,
            f"is {' or '.join(known)}{more}; got {quoted(value)}{did_you_mean(value, known)}",
        )  # fmt: skip


def _refused(path: Path, key: str, why: str) -> InputError:
    return InputError(f"{shown(str(path))}: {key} {why}")


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and len(value.splitlines()) <= 1 and "\0" not in value
