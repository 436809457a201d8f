"""PostgreSQL ends in the middle of the work and comes back: nothing confirmed is lost, nothing is there twice."""

import asyncio

import pytest

from bot.store import StoreUnavailable, schema
from bot.store.chain import verify
from bot.store.server import ServerDatabase
from desk.model import InboxRow, Setting
from incidents.model import LogLine
from tests.bot.store.samples import entry, event
from tests.postgresql import Server, restart, started

pytestmark = pytest.mark.postgresql

WRITERS = 5
RESTARTS = 2


async def test_fault_22_an_immediate_restart_under_writers_loses_and_doubles_nothing() -> None:
    with started() as one:
        url = Server(one.get_uri()).url("postgres")
        await schema.upgrade(url)
        database = ServerDatabase(url)
        await database.start()
        confirmed: list[str] = []
        failures = 0
        stopping = asyncio.Event()

        async def store_once(event_id: str) -> None:
            """As a platform sends: again under the same id, until it is told ok."""
            nonlocal failures
            while True:
                try:
                    async with database.begin() as store:
                        (is_new,) = await store.add_new(event(event_id))
                        if is_new:
                            number = await store.next_sequence("events")
                            await store.append_log([entry(number=number)])
                            await store.add_later(Setting(f"number/{number}", event_id))
                except StoreUnavailable:
                    failures += 1
                    await asyncio.sleep(0.05)
                else:
                    confirmed.append(event_id)
                    return

        async def write(writer: int) -> None:
            number = 0
            while not stopping.is_set():
                await store_once(f"t/{writer}/{number:05}")
                number += 1

        writers = [asyncio.create_task(write(number)) for number in range(WRITERS)]
        for _ in range(RESTARTS):
            before = len(confirmed)
            async with asyncio.timeout(30):
                while len(confirmed) < before + 25:
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(restart, one)
        before = len(confirmed)
        async with asyncio.timeout(30):
            while len(confirmed) < before + 25:
                await asyncio.sleep(0.01)
        stopping.set()
        await asyncio.gather(*writers)
        async with database.read() as store:
            stored = [row.id for row in await store.find(InboxRow)]
            lines = await store.find(LogLine)
            numbers = await store.count(Setting, id_from="number/", id_to="number0")
        await database.close()
    assert failures, "no writer met the restart"
    assert stored == sorted(confirmed)
    assert verify(lines) == []
    assert len(lines) == numbers == len(stored)
