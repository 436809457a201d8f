"""The stores and engines the queue's promises are kept on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.queue.embedded import EmbeddedQueue
from bot.queue.procrastinate import ProcrastinateQueue
from bot.store.memory import MemoryDatabase
from bot.store.server import ServerDatabase
from bot.store.sql import Database
from tests.bot.queue.parts import Bench, SetClock


class NeverRereads(EmbeddedQueue):
    """Without the look each second that would find whatever the others have missed."""

    reread_seconds = 3600.0


@pytest.fixture(
    params=["memory", "never rereads", "sqlite", pytest.param("procrastinate", marks=pytest.mark.postgresql)]
)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """A queue that does not run yet, of each engine on each store."""
    clock = SetClock()
    if request.param == "procrastinate":
        url = request.getfixturevalue("postgresql_url")
        server = ServerDatabase(url)
        await server.start()
        yield Bench(server, ProcrastinateQueue(server, clock, url), clock)
        await server.close()
        return
    is_file = request.param == "sqlite"
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/muster.db") if is_file else MemoryDatabase()
    await database.start()
    engine = NeverRereads if request.param == "never rereads" else EmbeddedQueue
    yield Bench(database, engine(database, clock), clock)
    await database.close()


@pytest.fixture
async def memory_bench() -> Bench:
    """A queue in memory, for promises no store takes part in."""
    clock, database = SetClock(), MemoryDatabase()
    return Bench(database, EmbeddedQueue(database, clock), clock)
