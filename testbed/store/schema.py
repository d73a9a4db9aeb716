"""The schema of a results file, and connections that make sure of it."""

import sqlite3
from pathlib import Path

from testbed.files.replacing import replacing
from testbed.store.errors import StoreError

__all__ = ["SCHEMA_VERSION", "SUFFIXES", "connect", "create", "has_robustness", "upgrade"]

SUFFIXES = (".sqlite", ".sqlite3", ".db")
SCHEMA_VERSION = 2
APPLICATION_ID = 0x524F4250  # "ROBP": tells our files from other programs' SQLite files
TIMEOUT = 60.0  # seconds to wait while another connection commits or reads
# Not WAL: its shared memory does not work on the network file systems of clusters.
_FOR_WRITING = ("foreign_keys = ON", "journal_mode = DELETE", "synchronous = FULL")
_FOR_READING = ("query_only = ON",)

# Version 1 had no such table.
_ROBUSTNESS = """
CREATE TABLE robustness (
    digest TEXT PRIMARY KEY,
    network TEXT NOT NULL,
    init TEXT NOT NULL,
    seed INTEGER,
    images TEXT NOT NULL,
    measure TEXT NOT NULL,
    level REAL,
    settings TEXT NOT NULL,
    accuracy REAL NOT NULL,
    count INTEGER NOT NULL,
    confidence_label REAL,
    confidence_prediction REAL,
    confusion TEXT,
    robust TEXT NOT NULL,
    seconds REAL NOT NULL,
    gradients INTEGER NOT NULL,
    queries INTEGER NOT NULL,
    warnings TEXT NOT NULL,
    cross_warnings TEXT NOT NULL,
    details TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES runs (id)
) WITHOUT ROWID;
"""
_SCHEMA = f"""
BEGIN;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    started TEXT NOT NULL,
    finished TEXT,
    status TEXT NOT NULL,
    command TEXT,
    code_version TEXT,
    torch_version TEXT,
    python TEXT,
    platform TEXT,
    device TEXT,
    threads INTEGER,
    provenance TEXT NOT NULL
);
CREATE TABLE scores (
    digest TEXT PRIMARY KEY,
    network TEXT NOT NULL,
    proxy TEXT NOT NULL,
    init TEXT NOT NULL,
    seed INTEGER,
    images TEXT,
    settings TEXT NOT NULL,
    value REAL,
    reason TEXT,
    converged INTEGER,
    iterations INTEGER,
    residual REAL,
    seconds REAL NOT NULL,
    details TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES runs (id)
) WITHOUT ROWID;
{_ROBUSTNESS}
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""


def create(path: Path) -> None:
    """Make an empty results file that is there whole or not at all.

    Raises:
        StoreError: if it cannot be made.
    """
    try:
        with replacing(path) as temporary:
            connection = sqlite3.connect(temporary, isolation_level=None)
            try:
                connection.executescript(_SCHEMA)
            finally:
                connection.close()
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path} cannot be made: {error}") from error


def connect(path: Path, write: bool) -> sqlite3.Connection:
    """Open an existing results file; what is not one is refused and left as it is.

    Raises:
        StoreError: if the file is no results file, or made by a newer version.
    """
    journal = path.with_name(path.name + "-journal")
    try:
        # A first look without the right to write: merely closing another program's file could
        # write to it. A journal may have to be rolled back first, which is writing.
        _open(path, "rw" if journal.exists() else "ro", ()).close()
        # Readers too: after a killed writer, the first one to come rolls its journal back.
        return _open(path, "rw", _FOR_WRITING if write else _FOR_READING)
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be opened as a results file: {error}") from error


def upgrade(connection: sqlite3.Connection) -> None:
    """Add what the file's schema version lacks, in one transaction; what is there stays."""
    if has_robustness(connection):
        return
    connection.executescript(
        f"BEGIN IMMEDIATE; {_ROBUSTNESS} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def has_robustness(connection: sqlite3.Connection) -> bool:
    """Return whether the file has a table of robust accuracies: version 1 had none."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return version >= 2


def _open(path: Path, mode: str, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, timeout=TIMEOUT, isolation_level=None
    )
    try:
        _check(path, connection)
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
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
