"""The database: one fair writer, readers that never wait for it, and a start that refuses what it must not touch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiosqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.store import StoreRefused, StoreUnavailable, files
from bot.store.ending import transaction
from bot.store.migrations import head
from bot.store.soundness import MIGRATE
from bot.store.sqlite import SqliteConnection, open_engine, told
from bot.store.statements import Statements
from desk.ports import Store

READERS = 4
READER_WAIT_SECONDS = 10


class Database:
    """Transactions on SQLite; an implementation of desk.ports.Transactions."""

    def __init__(self, url: str, *, auto_migrate: bool = True) -> None:
        self.url = url
        self.path: Path = files.path_of(url)
        self._auto_migrate = auto_migrate
        self._writers: _Connections | None = None
        self._readers: _Connections | None = None
        self._statements: Statements | None = None
        self._file: tuple[int, int] | None = None
        self._turn = asyncio.Lock()  # First come, first served.
        self._writer: asyncio.Task[Any] | None = None
        self._seats = asyncio.Semaphore(READERS)

    async def start(self) -> None:
        """Opens the database at our schema, made or migrated where that is allowed.

        Raises StoreRefused, the file untouched, when it is corrupt, not ours, newer than this program or read-only."""
        if await files.current(self.url) != head():
            if not self._auto_migrate:
                raise StoreRefused(f"{self.path} is not at schema {head()}. {MIGRATE}")
            await files.upgrade(self.url)
        writers = _Connections(open_engine(self.path, 1, writes=True))
        readers = _Connections(open_engine(self.path, READERS, writes=False))
        try:
            await writers.open(1)
            await readers.open(READERS)
        except BaseException:
            await readers.close()
            await writers.close()
            raise
        self._writers, self._readers = writers, readers
        self._statements, self._file = Statements(writers.engine.dialect), self._identity()

    async def close(self) -> None:
        """Waits for open transactions, then closes the file with nothing left in its write-ahead log."""
        async with self._turn:
            writers, readers, self._writers, self._readers = self._writers, self._readers, None, None
            for _ in range(READERS):
                await self._seats.acquire()
            if readers is not None:
                await readers.close()
            if writers is not None:
                await writers.close()  # The last connection empties the log when it closes.
            for _ in range(READERS):
                self._seats.release()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Store]:
        """A writing transaction, one at a time, first come first served."""
        task = asyncio.current_task()
        if task is not None and task is self._writer:
            raise RuntimeError("This task writes already: a transaction inside another would wait for ever.")
        async with self._turn:
            self._writer = task
            try:
                if self._writers is not None and self._identity() != self._file:
                    raise StoreUnavailable(
                        f"{self.path} was moved, replaced or removed under us: start again."
                    )
                async with self._transaction(self._writers, writes=True) as store:
                    yield store
            finally:
                self._writer = None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Store]:
        """A reading view, as of its first look; it never waits for a writer."""
        if self._seats.locked():
            await self._wait_for_seat()
        else:
            await self._seats.acquire()
        try:
            async with self._transaction(self._readers, writes=False) as store:
                yield store
        finally:
            self._seats.release()

    async def backup(self, target: Path) -> None:
        """A consistent copy of what is committed, made while the desk works; FileExistsError over an existing file."""
        await asyncio.to_thread(files.copy, self.path, target)

    async def integrity(self) -> list[str]:
        """What SQLite finds wrong with the file; empty when it is sound."""
        return await asyncio.to_thread(files.faults, self.path)

    async def _wait_for_seat(self) -> None:
        try:
            async with asyncio.timeout(READER_WAIT_SECONDS):
                await self._seats.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("The database has too many readers at once.") from error

    @asynccontextmanager
    async def _transaction(self, connections: "_Connections | None", *, writes: bool) -> AsyncIterator[Store]:
        if connections is None or self._statements is None:
            raise StoreUnavailable("The database is closed.")
        connection = connections.idle.pop()  # The turn, or the seat, is ours: there is one.
        try:
            begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
            async with transaction(connection, self._statements, begin, writes=writes) as store:
                yield store
        finally:
            connections.idle.append(connection)

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


class _Connections:
    """Connections that stay open as long as the database does: fetching one from a pool costs more than a look."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.idle: list[SqliteConnection] = []
        self._drivers: list[aiosqlite.Connection] = []

    async def open(self, size: int) -> None:
        """Opens them all now: one that is cancelled while it opens would leave its thread behind."""
        try:
            for _ in range(size):
                held = await self.engine.raw_connection()
                self._drivers.append(cast(Any, held.driver_connection))
                held.detach()  # Ours alone: its pool forgets it.
        except DBAPIError as error:
            raise told(error.orig or error) from error
        self.idle = [SqliteConnection(driver) for driver in self._drivers]

    async def close(self) -> None:
        """Closes them all."""
        while self._drivers:
            await self._drivers.pop().close()
        await self.engine.dispose()
