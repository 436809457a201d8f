"""The database: one fair writer, readers that never wait for it, and a start that refuses what it must not touch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.store import StoreUnavailable
from bot.store.sqlite import SqliteConnection, open_engine
from bot.store.statements import Statements
from bot.store.tables import metadata
from bot.store.transaction import SqlStore
from desk.ports import Store

READERS = 8
READER_WAIT_SECONDS = 10


class Database:
    """Transactions on SQLite; an implementation of desk.ports.Transactions."""

    def __init__(self, url: str, *, auto_migrate: bool = True) -> None:
        self.url = make_url(url)
        self._auto_migrate = auto_migrate
        self._writers: AsyncEngine | None = None
        self._readers: AsyncEngine | None = None
        self._turn = asyncio.Lock()  # First come, first served.
        self._writer: asyncio.Task[Any] | None = None
        self._seats = asyncio.Semaphore(READERS)

    async def start(self) -> None:
        """Opens the database, brought to our schema."""
        self._writers = open_engine(self.url, 1, writes=True)
        self._readers = open_engine(self.url, READERS, writes=False)
        async with self._writers.begin() as connection:
            await connection.run_sync(metadata.create_all)
        self._statements = Statements(self._writers.dialect)

    async def close(self) -> None:
        """Waits for open transactions, empties the write-ahead log into the file and closes it."""
        async with self._turn:
            for _ in range(READERS):
                await self._seats.acquire()
            writers, readers, self._writers, self._readers = self._writers, self._readers, None, None
            if readers is not None:
                await readers.dispose()
            if writers is not None:
                try:
                    async with self._connected(writers) as connection:
                        await connection.fetch("PRAGMA wal_checkpoint(TRUNCATE)")
                finally:
                    await writers.dispose()
            for _ in range(READERS):
                self._seats.release()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Store]:
        """A writing transaction, one at a time, first come first served."""
        task = asyncio.current_task()
        if task is not None and task is self._writer:
            raise RuntimeError(
                "This task writes already: a transaction inside a transaction would wait for ever."
            )
        async with self._turn:
            self._writer = task
            try:
                async with (
                    self._connected(self._writers) as connection,
                    self._open(connection, True) as store,
                ):
                    yield store
            finally:
                self._writer = None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Store]:
        """A reading view, as of its first look; it never waits for a writer."""
        try:
            async with asyncio.timeout(READER_WAIT_SECONDS):
                await self._seats.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("Too many readers at once.") from error
        try:
            async with self._connected(self._readers) as connection, self._open(connection, False) as store:
                yield store
        finally:
            self._seats.release()

    @asynccontextmanager
    async def _open(self, connection: SqliteConnection, writes: bool) -> AsyncIterator[Store]:
        store = SqlStore(connection, self._statements, writes=writes)
        try:
            await connection.run(connection.begin_writing if writes else connection.begin_reading)
            yield store
            store.end()
            await _to_the_end(connection.commit())
        except BaseException:
            store.abandon()
            await _to_the_end(connection.rollback())
            raise

    @asynccontextmanager
    async def _connected(self, engine: AsyncEngine | None) -> AsyncIterator[SqliteConnection]:
        if engine is None:
            raise StoreUnavailable("The database is closed.")
        held = await engine.raw_connection()
        try:
            driver: Any = held.driver_connection
            yield SqliteConnection(driver)
        finally:
            held.close()


async def _to_the_end(work: Awaitable[None]) -> None:
    """Lets the work finish even when we are cancelled meanwhile: a half-told COMMIT would spoil the connection."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()
        raise
