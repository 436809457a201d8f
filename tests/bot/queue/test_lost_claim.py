"""A claim need not wait for the disk, so it may be lost with a server, and its number given to another claim."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from bot.queue.procrastinate import ProcrastinateQueue
from bot.store.server import ServerDatabase
from bot.store.transaction import SqlStore
from desk.model import Job, Setting
from tests.bot.queue.parts import PATIENCE_SECONDS, SetClock, job

pytestmark = pytest.mark.postgresql

EFFECT = "effect/"
# As if the server had died a moment after the claim, and its standby had taken over.
LOSE = (
    "UPDATE jobs SET errand = NULL",
    "DELETE FROM procrastinate_jobs",
    "SELECT setval('procrastinate_jobs_id_seq', {errand}, false)",
)


class Worker:
    """A queue whose jobs wait for a word, and then write one effect each in the transaction that ends them."""

    def __init__(self, database: ServerDatabase, *kinds: str) -> None:
        self.database = database
        self.queue = ProcrastinateQueue(database, SetClock(), database.url)
        self.begun: list[str] = []
        self.go = asyncio.Event()
        for kind in kinds:
            self.queue.handle(kind, self._work)

    async def _work(self, jobs: Sequence[Job]) -> None:
        self.begun += [one.id for one in jobs]
        run = len(self.begun)
        await self.go.wait()
        async with self.database.begin() as store:
            for one in jobs:
                await store.add(Setting(f"{EFFECT}{one.id}/{run}", ""))
            await self.queue.done(store, jobs)

    async def put(self, one: Job) -> int:
        """Put a job and wait until it runs here; says the number of its claim."""
        async with self.database.begin() as store:
            await self.queue.put(store, [one])
        self.queue.wake()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while one.id not in self.begun:
                await asyncio.sleep(0.01)
        return await fetch(self.database, "SELECT errand FROM jobs WHERE id = %s", one.id)


async def fetch(database: ServerDatabase, sql: str, *values: str) -> int:
    """The first value of a statement."""
    async with database.begin() as store:
        assert isinstance(store, SqlStore)
        return (await store.connection.fetch(sql, values))[0][0]


async def lose(database: ServerDatabase, errand: int) -> None:
    """The last claim was never on the disk."""
    async with database.begin() as store:
        assert isinstance(store, SqlStore)
        for sql in LOSE:
            await store.connection.run(sql.format(errand=errand))


@contextlib.asynccontextmanager
async def at_work(worker: Worker) -> AsyncIterator[None]:
    """It runs inside the block."""
    running = asyncio.create_task(worker.queue.run())
    try:
        yield
    finally:
        worker.go.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def effects(database: ServerDatabase) -> list[str]:
    """Once all is done: whose effects are there."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with database.read() as store:
                if not await store.count(Job):
                    return sorted(one.id.split("/")[1] for one in await store.find(Setting))
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("whose", ["another worker's", "its own"])
async def test_fault_22_a_claim_lost_with_the_server_does_nothing_under_a_number_given_anew(
    shared: ServerDatabase, whose: str
) -> None:
    one = Worker(shared, "hold", *(["more"] if whose == "its own" else []))
    other = one if whose == "its own" else Worker(shared, "more")
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(at_work(one))
        errand = await one.put(job("x", "hold"))
        await lose(shared, errand)
        if other is not one:
            await stack.enter_async_context(at_work(other))
        assert await other.put(job("y", "more")) == errand
        one.go.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (
                one.begun.count("x") < 2
            ):  # What it did under the lost claim is not kept, and it begins again.
                await asyncio.sleep(0.01)
        other.go.set()
        assert await effects(shared) == ["x", "y"]
