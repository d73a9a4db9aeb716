"""The schema of a results file, and connections that make sure of it."""

import sqlite3
from pathlib import Path

from testbed.basis import interrupts
from testbed.basis.foreign_text import shown
from testbed.files.kinds import fault_of_kind
from testbed.files.replacing import replacing
from testbed.store.errors import StoreError
from testbed.store.failures import FAILURES
from testbed.store.foreign import check_schema
from testbed.store.limits import advice
from testbed.store.robustness import ROBUSTNESS
from testbed.store.runs import RUNS
from testbed.store.scores import SCORES

__all__ = ["SUFFIXES", "TABLES", "connect", "create", "upgrade"]

SUFFIXES = (".sqlite", ".sqlite3", ".db")
# The first version had no table of robust accuracies. Columns change no version, nor does the
# table of failures: a program that knows none reads and writes such a file as before.
SCHEMA_VERSION = 2
_VERSION = f"PRAGMA user_version = {SCHEMA_VERSION};"
APPLICATION_ID = 0x524F4250  # "ROBP": tells our files from other programs' SQLite files
TIMEOUT = 60.0  # seconds to wait while another connection commits or reads
# Not WAL: its shared memory does not work on the network file systems of clusters.
_FOR_BOTH = ("trusted_schema = OFF", "cell_size_check = ON")
_FOR_WRITING = ("foreign_keys = ON", "journal_mode = DELETE", "synchronous = FULL")
_FOR_READING = ("query_only = ON",)

TABLES = {table.name: table for table in (RUNS, SCORES, ROBUSTNESS, FAILURES)}


def create(path: Path) -> None:
    """Make an empty results file that is there whole or not at all.

    Raises:
        StoreError: if it cannot be made.
    """
    try:
        with replacing(path) as temporary:
            connection = sqlite3.connect(temporary, isolation_level=None)
            try:
                tables = "\n".join(table.create for table in TABLES.values())
                # Of a process that is killed no journal is left behind; the file is not in use.
                connection.executescript(
                    f"PRAGMA journal_mode = MEMORY; BEGIN; {tables} "
                    f"PRAGMA application_id = {APPLICATION_ID}; {_VERSION} COMMIT;"
                )
            finally:
                connection.close()
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path} cannot be made: {error}{advice(error)}") from error


def connect(path: Path, write: bool) -> sqlite3.Connection:
    """Open an existing results file; what is not one is refused and left as it is.

    Raises:
        StoreError: if the file is no results file, or made by a newer version, or holds what
            this toolkit did not make.
    """
    journal = path.with_name(path.name + "-journal")
    try:
        for one in (path, journal, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            if kind := fault_of_kind(one):
                raise StoreError(f"{one} is {kind}, and not a results file or a part of one")
        # A first look without the right to write: merely closing another program's file could
        # write to it. A journal may have to be rolled back first, which is writing.
        _open(path, "rw" if journal.exists() else "ro", ()).close()
        # Readers too: after a killed writer, the first one to come rolls its journal back.
        return _open(path, "rw", _FOR_WRITING if write else _FOR_READING)
    except (OSError, sqlite3.Error) as error:
        interrupts.check()
        said = f"{shown(str(error))}{advice(error)}"
        raise StoreError(f"{path} cannot be opened as a results file: {said}") from error


def upgrade(connection: sqlite3.Connection) -> None:
    """Add the tables and columns that the file lacks, in one transaction; what is there stays.

    An upgrade that was interrupted is taken up, whatever of it an earlier version had done.
    """
    changes = [sql for table in TABLES.values() for sql in table.changes(connection)]
    if changes or connection.execute("PRAGMA user_version").fetchone() != (SCHEMA_VERSION,):
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {' '.join(changes)} {_VERSION} COMMIT;")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _open(path: Path, mode: str, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, timeout=TIMEOUT, isolation_level=None
    )
    try:
        _check(path, connection)
        for pragma in (*_FOR_BOTH, *pragmas):
            connection.execute(f"PRAGMA {pragma}")
        # Older files lack the other two, and so does an upgrade that was interrupted.
        check_schema(path, connection, TABLES, [RUNS.name, SCORES.name])
    except BaseException:
        connection.close()
        raise
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StoreError(
            f"{path} is not a results file (application id {application}, expected "
            f"{APPLICATION_ID}): it was left untouched; choose another file"
        )
    if version not in (1, SCHEMA_VERSION):
        raise StoreError(
            f"{path} has schema version {version} and this code knows {SCHEMA_VERSION}: "
            "it was left untouched; update the toolkit or choose another file"
        )
