"""A process that works a queue until it is killed: python -m tests.bot.queue.crash_worker URL."""

import asyncio
import contextlib
import sys
from collections.abc import Sequence

from bot.clock import SystemClock
from bot.queue.guard import only_process
from bot.queue.opening import open_queue
from bot.store.files import path_of
from bot.store.opening import is_shared, open_database
from desk.model import Job, Setting
from desk.ports import Store

EFFECT = "effect/"


async def main(url: str) -> None:
    database, clock = open_database(url), SystemClock()
    await database.start()
    queue = open_queue(url, database, clock)

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
    alone = (
        contextlib.nullcontext()
        if is_shared(sys.argv[1])
        else only_process(path_of(sys.argv[1]), SystemClock())
    )
    with alone:
        asyncio.run(main(sys.argv[1]))
