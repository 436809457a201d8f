"""SQLite as the store needs it: one thread hop per statement, and its errors in the store's words."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.store import AlreadyStored, StoreUnavailable

BUSY_SECONDS = 2.0  # A lock held elsewhere is waited for this long; platforms give us five seconds.
APPLICATION_ID = 0x4D535452  # In the head of every file of ours.
WRITING = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16000",
    "PRAGMA journal_size_limit = 67108864",
)
READING = ("PRAGMA query_only = ON", "PRAGMA cache_size = -4000")
_CLASH = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: "locked by another process",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_IOERR: "not readable or writable (a disk error, or a full disk)",
    sqlite3.SQLITE_CANTOPEN: "not to be opened",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "not a database",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_PROTOCOL: "locked",
    sqlite3.SQLITE_INTERRUPT: "interrupted",
}

Statement = tuple[str, Sequence[Sequence[Any]]]  # SQL, and the values of each run.


def told(error: BaseException) -> BaseException:
    """The error in the store's words; a mistake in our own statements stays what it is."""
    code = getattr(error, "sqlite_errorcode", None)
    if code in _CLASH:
        return AlreadyStored(str(error))
    reason = _UNAVAILABLE.get(code & 0xFF) if code is not None else None
    return error if reason is None else StoreUnavailable(f"The database is {reason}: {error}.")


class SqliteConnection:
    """One open connection; every awaited call is one hop to its thread, and takes along what was put off.

    The thread does one thing after the other, also for whoever is not there any more to hear of it."""

    def __init__(self, driver: aiosqlite.Connection) -> None:
        self._driver = driver
        self._put_off: list[Statement] = []

    def put_off(self, sql: str, rows: Sequence[Sequence[Any]] = ((),)) -> None:
        """Run a statement for each row of values together with the next call; its errors are raised there."""
        self._put_off.append((sql, rows))

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """All rows."""
        found: list[Sequence[Any]] = await self._hop(_fetch, sql, values)
        return found

    async def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """How many rows were touched."""
        count: int = await self._hop(_run, sql, values)
        return count

    async def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """How many rows were touched in all."""
        count: int = await self._hop(_run_many, sql, rows)
        return count

    async def load(self, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Many new rows of a table at once."""
        columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
        sql = f'INSERT INTO "{table}" ({columns}) VALUES ({marks})'  # noqa: S608  # Our own names.
        await self._hop(_run_many, sql, rows)

    async def commit(self) -> None:
        """Returns when the transaction is on disk."""
        await self._hop(sqlite3.Connection.commit)

    async def rollback(self) -> None:
        """Undoes the open transaction, if there is one."""
        self._put_off.clear()
        await self._hop(sqlite3.Connection.rollback)

    async def _hop(self, act: Callable[..., Any], *words: Any) -> Any:
        """Run what was put off and then the act in the connection's thread."""
        before, self._put_off = self._put_off, []
        try:
            # aiosqlite has no public way to run several statements in one hop; a hop costs more than a statement.
            hop: Any = self._driver._execute
            return await hop(_together, self._driver._conn, before, act, words)
        except sqlite3.Error as error:
            raise told(error) from error


def _together(
    connection: sqlite3.Connection, before: Sequence[Statement], act: Callable[..., Any], words: Sequence[Any]
) -> Any:
    for sql, rows in before:
        _run_many(connection, sql, rows)
    return act(connection, *words)


def _fetch(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> list[Any]:
    return connection.execute(sql, values).fetchall()


def _run(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> int:
    return connection.execute(sql, values).rowcount


def _run_many(connection: sqlite3.Connection, sql: str, rows: Sequence[Sequence[Any]]) -> int:
    if len(rows) == 1:  # Also what is no INSERT, such as BEGIN.
        return connection.execute(sql, rows[0]).rowcount
    return connection.executemany(sql, rows).rowcount


def open_engine(path: Path, size: int, *, writes: bool) -> AsyncEngine:
    """An engine whose connections have our settings and no transaction of their own."""
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        pool_size=size,
        max_overflow=0,
        pool_reset_on_return=None,
        connect_args={"isolation_level": None, "timeout": BUSY_SECONDS, "cached_statements": 512},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for pragma in WRITING if writes else READING:
            cursor.execute(pragma)
        cursor.close()

    return engine
