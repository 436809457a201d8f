"""A killed process loses no job, doubles no effect and keeps every order."""

import asyncio
import random
import sys
from collections import defaultdict
from pathlib import Path

from bot.clock import SystemClock
from bot.queue.embedded import EmbeddedQueue
from bot.store.sql import Database
from desk.model import Job, Lane, Setting
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


async def start(path: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", crash_worker.__name__, str(path), stdout=asyncio.subprocess.PIPE
    )


async def lines(worker: asyncio.subprocess.Process, count: int) -> None:
    assert worker.stdout is not None
    for _ in range(count):
        assert await worker.stdout.readline(), "the worker ended by itself"


async def test_fault_3_kill_9_in_the_middle_of_the_work_loses_and_doubles_nothing(tmp_path: Path) -> None:
    path, seed = tmp_path / "muster.db", random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    database = Database(f"sqlite+aiosqlite:///{path}")
    await database.start()
    queue, jobs, cut_off = EmbeddedQueue(database, SystemClock()), [], 0
    for start_number in range(KILLS):
        more = jobs_of(start_number * JOBS_PER_START)
        async with database.begin() as store:
            await queue.put(store, more)
        jobs += more
        worker = await start(path)
        await lines(worker, dice.randrange(1, 12))
        worker.kill()
        assert await worker.wait() == -9
        cut_off += await waiting(database)
    assert cut_off, "every kill came too late to prove anything"
    worker = await start(path)
    try:
        async with asyncio.timeout(30):
            while await waiting(database):
                await asyncio.sleep(0.02)
    finally:
        worker.kill()
        await worker.wait()
    async with database.read() as store:
        effects = {
            one.id.removeprefix(crash_worker.EFFECT): int(one.value) for one in await store.find(Setting)
        }
    await database.close()
    assert sorted(effects) == [one.id for one in jobs]
    assert sorted(effects.values()) == list(range(1, len(jobs) + 1))
    by_key = defaultdict(list)
    for one in jobs:
        by_key[one.key, one.lane].append(effects[one.ref])
    assert all(order == sorted(order) for order in by_key.values())


async def waiting(database: Database) -> int:
    async with database.read() as store:
        return await store.count(Job)
