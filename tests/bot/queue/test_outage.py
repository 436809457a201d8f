"""The server is away for a while: the worker says that it lives as soon as another serves."""

import asyncio

import pytest

from bot.queue.workers import BEAT_SECONDS, Workers, every
from bot.store import schema
from tests.standby import pair

AWAY_SECONDS = 11.0  # Where the pauses of a pool double, it tried a second ago, and next in seven.
AGAIN_SECONDS_MAX = 4.0


@pytest.mark.postgresql
async def test_fault_22_a_worker_says_that_it_lives_soon_after_a_long_outage() -> None:
    with pair() as servers:
        schema.bring_on(servers.url)
        workers, beaten = Workers(servers.url), asyncio.Event()

        async def beat() -> None:
            await workers.beat()
            beaten.set()

        await workers.open()
        beating = asyncio.create_task(every(BEAT_SECONDS, beat, "The worker's heartbeat"))
        try:
            await beaten.wait()
            await asyncio.to_thread(servers.kill)
            await asyncio.sleep(AWAY_SECONDS)
            await asyncio.to_thread(servers.promote)
            beaten.clear()
            async with asyncio.timeout(AGAIN_SECONDS_MAX):
                await beaten.wait()
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await workers.close()
