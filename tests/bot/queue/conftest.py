"""The stores the queue's promises are kept on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.queue.embedded import EmbeddedQueue
from bot.store.memory import MemoryDatabase
from bot.store.sql import Database
from tests.bot.queue.parts import Bench, SetClock


@pytest.fixture(params=["memory", "sqlite"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """A queue that does not run yet, on each store."""
    memory = request.param == "memory"
    database = MemoryDatabase() if memory else Database(f"sqlite+aiosqlite:///{tmp_path}/muster.db")
    await database.start()
    clock = SetClock()
    yield Bench(database, EmbeddedQueue(database, clock), clock)
    await database.close()


@pytest.fixture
async def memory_bench() -> Bench:
    """A queue in memory, for promises no store takes part in."""
    clock, database = SetClock(), MemoryDatabase()
    return Bench(database, EmbeddedQueue(database, clock), clock)
