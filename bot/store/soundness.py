"""What a database file is, looked at before anything is written: sound, ours, and of which revision."""

import os
import sqlite3
from pathlib import Path

from bot.store import StoreRefused
from bot.store.migrations import REVISIONS, head
from bot.store.sqlite import APPLICATION_ID, BUSY_SECONDS, told
from bot.store.tables import metadata

HEADER = b"SQLite format 3\x00"
RESTORE = "Put back the last backup: python3 run.py restore PATH"
MIGRATE = "Run: python3 run.py migrate"


def inspect(path: Path) -> str | None:
    """The revision of a sound database of ours, or None when there is no file yet.

    Raises StoreRefused when it is corrupt, not ours, newer than this program or not writable. The file is read,
    never written."""
    if not path.exists():
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise StoreRefused(f"{path} is gone, but what was last written is still in {log.name}. {RESTORE}")
        return None
    _check_file(path)
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        try:
            return _check_content(path, connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreRefused(f"{path} is corrupt ({error}). {RESTORE}") from error
        raise told(error) from error


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise StoreRefused(f"{path} is not a file. Name a file in database.url.")
    with path.open("rb") as file:
        start = file.read(len(HEADER))
    if not start:
        raise StoreRefused(
            f"{path} is empty, so what it held is lost. {RESTORE}, or remove the file to begin anew."
        )
    if start != HEADER:
        raise StoreRefused(f"{path} is corrupt or no database. {RESTORE}")
    # Root may write to a file that nobody should write to: the mark counts for root too.
    if not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise StoreRefused(
            f"{path} or its folder is read-only. Let the account that runs the desk write there."
        )


def _check_content(path: Path, connection: sqlite3.Connection) -> str:
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID or "alembic_version" not in names:
        raise StoreRefused(f"{path} is a database, but not this desk's. Name another file in database.url.")
    found = [revision for (revision,) in connection.execute("SELECT version_num FROM alembic_version")]
    if len(found) != 1 or found[0] not in REVISIONS:
        raise StoreRefused(
            f"{path} has the schema {', '.join(found) or 'none'}, which this program (schema {head()}) does not know. "
            "Start the newer program that made it."
        )
    (fault, *_) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if fault != "ok":
        raise StoreRefused(f"{path} is corrupt ({' '.join(fault.split())}). {RESTORE}")
    if found[0] == head():
        _check_columns(path, connection)
    return str(found[0])


def _check_columns(path: Path, connection: sqlite3.Connection) -> None:
    """A database of an unreleased version names our revision and has other columns."""
    for table in metadata.tables.values():
        found = [row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")]
        if found != [column.name for column in table.columns]:
            raise StoreRefused(
                f"{path} was made by an unreleased version: its table {table.name} is another. "
                "Move the file away to begin anew, or start the version that made it."
            )
