"""What ``--engine`` may say: who computes the items of a run."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from testbed.basis.errors import InputError, did_you_mean
from testbed.basis.foreign_text import quoted, shown
from testbed.basis.version import PACKAGE
from testbed.engine.cluster_file import ClusterFile

__all__ = ["FORMS", "Engine", "need"]

FORMS = ("serial", "processes", "dask", "dask://ADDRESS", "slurm:FILE.yaml")
ADDRESS, FILE = "dask://", "slurm:"
# The module that an engine imports → the extra that brings it.
EXTRAS = {"distributed": "dask", "dask_jobqueue": "dask", "submitit": "slurm", "yaml": "slurm"}


@dataclass(frozen=True)
class Engine:
    """Who computes the items of a run.

    Attributes:
        kind: serial, processes, dask (of this machine, or at an address), jobs (of a cluster); None
            for serial with one worker and processes with more.
        address: of Dask's scheduler, ``tcp://host:8786``.
        cluster: what a file says of a cluster.
    """

    kind: str | None = None
    address: str | None = None
    cluster: ClusterFile | None = None

    @staticmethod
    def parse(text: str | None) -> "Engine":
        """Read one of `FORMS`; None is the default.

        Raises:
            InputError: if it is none, its file says what it may not, or a package that it needs
                is not installed.
        """
        if text is None:
            return Engine()
        word = text.strip()
        if word in ("serial", "processes"):
            return Engine(word)
        if word == "dask":
            need("distributed", "--engine dask")
            return Engine("dask")
        if word.startswith(ADDRESS):
            need("distributed", "--engine dask://ADDRESS")
            return Engine("dask", _address(word.removeprefix(ADDRESS)))
        if word.startswith(FILE):
            return Engine("jobs", cluster=_cluster(word.removeprefix(FILE)))
        guess = did_you_mean(word, ("serial", "processes", "dask"))
        raise InputError(f"--engine is one of {', '.join(FORMS)}; got {quoted(text)}{guess}")

    @property
    def elsewhere(self) -> bool:
        """Whether something else than ``--workers`` says how many workers there are."""
        return self.address is not None or self.cluster is not None


def need(module: str, what: str) -> None:
    """Raise InputError if a package that an engine needs is not installed."""
    if find_spec(module) is None:
        package = {"yaml": "pyyaml"}.get(module, module.replace("_", "-"))
        raise InputError(
            f"{what} needs the package {package}: pip install '{PACKAGE}[{EXTRAS[module]}]'"
        )


def _cluster(name: str) -> ClusterFile:
    if not name:
        raise InputError("--engine slurm:FILE.yaml names a file; got none")
    need("yaml", "--engine slurm:FILE.yaml")
    cluster = ClusterFile.read(Path(name))
    need(cluster.module, f"by: {cluster.by} in {shown(name)}")
    cluster.check_there()
    return cluster


def _address(text: str) -> str:
    """Return a scheduler's address with its protocol."""
    protocol, slashes, rest = text.rpartition("://")
    host, colon, port = rest.rpartition(":")
    good = colon and host and port.isascii() and port.isdecimal() and 0 < int(port[:9]) < 65536
    if not good or (slashes and protocol not in ("tcp", "tls")) or any(map(str.isspace, text)):
        raise InputError(
            "--engine dask://ADDRESS is the address of a scheduler, dask://host:8786 for instance "
            f"(`dask scheduler` prints it); got {quoted(ADDRESS + text)}"
        )
    return f"{protocol or 'tcp'}://{rest}"
