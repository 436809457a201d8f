"""The database on a PostgreSQL server: several writers at a time, in this process and in others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout
from sqlalchemy.dialects.postgresql.psycopg import dialect

from bot.store import StoreRefused, StoreUnavailable, schema
from bot.store.ending import to_the_end, transaction
from bot.store.migrations import head
from bot.store.postgres import (
    BEGIN_READING,
    BEGIN_WRITING,
    SETTINGS,
    Pool,
    PostgresConnection,
    make_pool,
    shown,
    take_seat,
)
from bot.store.soundness import MIGRATE
from bot.store.statements import Statements
from desk.ports import Store

WRITERS = 6
READERS = 6
OPEN_SECONDS = 10.0


class ServerDatabase:
    """Transactions on PostgreSQL; an implementation of desk.ports.Transactions.

    Writers run side by side, READ COMMITTED. What holds one promise of many writers: a change compares the version it
    read (`Stale`), unique columns decide who was first (`AlreadyStored`, a `Stale` too), numbers and rates lock their
    row, and the duty log has one appender at a time, until its commit. Whoever is frozen inside a transaction
    loses it after ten seconds."""

    def __init__(self, url: str, *, auto_migrate: bool = True) -> None:
        self.url = url
        self._auto_migrate = auto_migrate
        self._writers: Pool | None = None
        self._readers: Pool | None = None
        self._statements = Statements(dialect(paramstyle="format"))  # type: ignore[no-untyped-call]  # SQLAlchemy left it so.
        self._writing: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Opens the database at our schema, made or migrated where that is allowed. Raises StoreRefused."""
        if await schema.current(self.url) != head():
            if not self._auto_migrate:
                raise StoreRefused(f"{shown(self.url)} is not at schema {head()}. {MIGRATE}")
            await schema.upgrade(self.url)
        writers = make_pool(self.url, WRITERS, SETTINGS)
        readers = make_pool(self.url, READERS, {**SETTINGS, "idle_in_transaction_session_timeout": "10min"})
        try:
            for pool in (writers, readers):
                await pool.open(wait=True, timeout=OPEN_SECONDS)
        except BaseException as error:
            await writers.close()
            await readers.close()
            if isinstance(error, PoolTimeout):
                raise StoreUnavailable(f"{shown(self.url)} has no room for us: {error}.") from error
            raise
        self._writers, self._readers = writers, readers

    async def close(self) -> None:
        """Waits for open transactions, then closes every connection."""
        writers, readers, self._writers, self._readers = self._writers, self._readers, None, None
        for pool in (writers, readers):
            if pool is not None:
                await pool.close()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Store]:
        """A writing transaction beside others."""
        task = asyncio.current_task()
        if task is not None and task in self._writing:
            raise RuntimeError("This task writes already: a transaction inside another would wait for ever.")
        async with self._transaction(self._writers, BEGIN_WRITING, writes=True) as store:
            if task is None:
                yield store
                return
            self._writing.add(task)
            try:
                yield store
            finally:
                self._writing.discard(task)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Store]:
        """A reading view, as of its first look; it never waits for a writer."""
        async with self._transaction(self._readers, BEGIN_READING, writes=False) as store:
            yield store

    @asynccontextmanager
    async def _transaction(self, pool: Pool | None, begin: str, *, writes: bool) -> AsyncIterator[Store]:
        if pool is None:
            raise StoreUnavailable("The database is closed.")
        try:
            driver = await take_seat(pool)
        except (PoolTimeout, PoolClosed, psycopg.OperationalError) as error:
            raise StoreUnavailable(f"The database cannot be reached: {error}.") from error
        try:
            async with transaction(
                PostgresConnection(driver), self._statements, begin, writes=writes
            ) as store:
                yield store
        finally:
            await to_the_end(pool.putconn(driver))
