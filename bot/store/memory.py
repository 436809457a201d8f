"""The store in memory, with the promises of the database: for jobs' tests and for trying things out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bot.store.memory_transaction import MemoryStore, State
from desk.ports import Store


class MemoryDatabase:
    """Transactions in memory; an implementation of desk.ports.Transactions."""

    def __init__(self) -> None:
        self._state = State()
        self._turn = asyncio.Lock()
        self._writer: asyncio.Task[Any] | None = None
        self._readers = 0

    async def start(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Store]:
        """A writing transaction, one at a time, first come first served."""
        task = asyncio.current_task()
        if task is not None and task is self._writer:
            raise RuntimeError("This task writes already: a transaction inside another would wait for ever.")
        async with self._turn:
            self._writer = task
            store = MemoryStore(self._state, writes=True)
            try:
                yield store
                store.end()
                if self._readers:  # They keep looking at the state they began with.
                    self._state = self._state.copy()
                store.commit(self._state)
            finally:
                store.abandon()
                self._writer = None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Store]:
        """A reading view of what is committed now."""
        store = MemoryStore(self._state, writes=False)
        self._readers += 1
        try:
            yield store
        finally:
            store.abandon()
            self._readers -= 1
