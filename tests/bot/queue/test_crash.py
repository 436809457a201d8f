"""A killed process loses no job, doubles no effect and keeps every order."""

import asyncio
import contextlib
import random
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.queue.embedded import EmbeddedQueue
from bot.queue.procrastinate import ProcrastinateQueue
from bot.store.server import ServerDatabase
from bot.store.sql import Database
from desk.model import Job, Lane, Setting
from desk.ports import Transactions
from tests.bot.queue import crash_worker

JOBS_PER_START = 120
KILLS = 6


def jobs_of(first: int) -> list[Job]:
    """Work of two kinds in two lanes, in order by twenty keys."""
    now = SystemClock().now()
    return [
        Job(
            f"{n:03}",
            ("hear", "step")[n % 2],
            f"{n:03}",
            now,
            key=f"{n % 20}",
            lane=(Lane.urgent, Lane.bulk)[n % 3 == 0],
        )
        for n in range(first, first + JOBS_PER_START)
    ]


async def start(url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", crash_worker.__name__, url, stdout=asyncio.subprocess.PIPE
    )


async def lines(worker: asyncio.subprocess.Process, count: int) -> None:
    assert worker.stdout is not None
    for _ in range(count):
        assert await worker.stdout.readline(), "the worker ended by itself"


async def test_fault_3_kill_9_in_the_middle_of_the_work_loses_and_doubles_nothing(tmp_path: Path) -> None:
    url, seed = f"sqlite+aiosqlite:///{tmp_path}/muster.db", random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    database = Database(url)
    await database.start()
    queue, jobs, cut_off = EmbeddedQueue(database, SystemClock()), [], 0
    for start_number in range(KILLS):
        more = jobs_of(start_number * JOBS_PER_START)
        async with database.begin() as store:
            await queue.put(store, more)
        jobs += more
        worker = await start(url)
        await lines(worker, dice.randrange(1, 12))
        worker.kill()
        assert await worker.wait() == -9
        cut_off += await waiting(database)
    assert cut_off, "every kill came too late to prove anything"
    worker = await start(url)
    try:
        async with asyncio.timeout(30):
            while await waiting(database):
                await asyncio.sleep(0.02)
    finally:
        worker.kill()
        await worker.wait()
    await check(database, jobs)
    await database.close()


@pytest.mark.postgresql
@pytest.mark.timeout(240)
async def test_fault_25_kill_9_of_workers_of_many_loses_and_doubles_nothing(postgresql_url: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    async with shared_work(postgresql_url) as (database, queue):
        jobs: list[Job] = []
        workers = [await start(postgresql_url) for _ in range(3)]
        for start_number in range(KILLS):
            more = jobs_of(start_number * JOBS_PER_START)
            async with database.begin() as store:
                await queue.put(store, more)
            jobs += more
            victim, left = dice.randrange(3), await waiting(database) - dice.randrange(5, 60)
            async with asyncio.timeout(60):
                while await waiting(database) > left:  # Whoever does it: any of them may be idle.
                    await asyncio.sleep(0.01)
            workers[victim].kill()
            assert await workers[victim].wait() == -9
            workers[victim] = await start(postgresql_url)
        await drained(database, workers)
        await check(database, jobs)


@pytest.mark.postgresql
@pytest.mark.timeout(240)
async def test_fault_25_a_frozen_worker_is_replaced_and_changes_nothing_when_it_wakes(
    postgresql_url: str,
) -> None:
    async with shared_work(postgresql_url) as (database, queue):
        jobs = jobs_of(0)
        frozen = await start(postgresql_url)
        async with database.begin() as store:
            await queue.put(store, jobs)
        await lines(frozen, 3)
        frozen.send_signal(signal.SIGSTOP)
        began_at = asyncio.get_running_loop().time()
        left = await waiting(database)
        workers = [await start(postgresql_url), frozen]
        try:
            await drained(database, workers[:1], kill=False)
            took = asyncio.get_running_loop().time() - began_at
            print(f"{left} jobs of a frozen worker done by another after {took:.1f} s")
            assert left > 0 and took < 30
            more = jobs_of(JOBS_PER_START)
            workers[0].kill()  # So that the one that wakes must do the rest.
            frozen.send_signal(signal.SIGCONT)
            async with database.begin() as store:
                await queue.put(store, more)
            await lines(frozen, 1)  # It is a worker again, under another number.
        finally:
            await drained(database, workers)
        await check(database, jobs + more)


@contextlib.asynccontextmanager
async def shared_work(url: str) -> AsyncIterator[tuple[ServerDatabase, ProcrastinateQueue]]:
    database = ServerDatabase(url)
    await database.start()
    try:
        yield database, ProcrastinateQueue(database, SystemClock(), url)
    finally:
        await database.close()


async def drained(
    database: Transactions, workers: Sequence[asyncio.subprocess.Process], *, kill: bool = True
) -> None:
    try:
        async with asyncio.timeout(60):
            while await waiting(database):
                await asyncio.sleep(0.1)
    finally:
        for worker in workers if kill else ():
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            await worker.wait()


async def check(database: Transactions, jobs: Sequence[Job]) -> None:
    """Every effect once, none left out, in order on every key."""
    async with database.read() as store:
        effects = {
            one.id.removeprefix(crash_worker.EFFECT): int(one.value) for one in await store.find(Setting)
        }
    assert sorted(effects) == [one.id for one in jobs]
    assert sorted(effects.values()) == list(range(1, len(jobs) + 1))
    by_key = defaultdict(list)
    for one in jobs:
        by_key[one.key, one.lane].append(effects[one.ref])
    assert all(order == sorted(order) for order in by_key.values())


async def waiting(database: Transactions) -> int:
    async with database.read() as store:
        return await store.count(Job)
