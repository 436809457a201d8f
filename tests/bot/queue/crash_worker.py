"""A process that works a queue until it is killed: python -m tests.bot.queue.crash_worker DATABASE."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.clock import SystemClock
from bot.queue.embedded import EmbeddedQueue
from bot.queue.guard import only_process
from bot.store.sql import Database
from desk.model import Job, Setting
from desk.ports import Store

EFFECT = "effect/"


async def main(path: Path) -> None:
    database, clock = Database(f"sqlite+aiosqlite:///{path}"), SystemClock()
    await database.start()
    queue = EmbeddedQueue(database, clock)

    async def effect(store: Store, job: Job) -> None:
        """As every handler: what is there already is left as it is."""
        if await store.get(Setting, EFFECT + job.ref) is None:
            await store.add(Setting(EFFECT + job.ref, str(await store.next_sequence("effects"))))

    async def with_its_end(jobs: Sequence[Job]) -> None:
        async with database.begin() as store:
            for job in jobs:
                await effect(store, job)
            await queue.done(store, jobs)
        say(jobs)

    async def alone(jobs: Sequence[Job]) -> None:
        async with database.begin() as store:
            await effect(store, jobs[0])
        say(jobs)

    queue.handle("hear", with_its_end, batch_max=7, at_once=1)
    queue.handle("step", alone)
    await queue.run()


def say(jobs: Sequence[Job]) -> None:
    print(*(job.ref for job in jobs), flush=True)


if __name__ == "__main__":
    with only_process(Path(sys.argv[1]), SystemClock()):
        asyncio.run(main(Path(sys.argv[1])))
