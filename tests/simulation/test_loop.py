"""Virtual time jumps exactly, only when nobody is busy, and for more than a year; its database is the real one."""

import asyncio
import inspect
import logging
import sqlite3
from collections.abc import Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import pytest

from bot.simulation.inline import Disk, InlineQueue
from bot.simulation.life import CURRENT, Life
from bot.simulation.loop import Stalled, VirtualLoop
from bot.simulation.stand_ins import standing_in
from bot.simulation.world import BEGINS_AT, World
from bot.store import StoreUnavailable
from bot.store.sql import Database
from desk.model import Setting

R = TypeVar("R")
DAY = 86_400.0


def played(work: Coroutine[Any, Any, R], loop: VirtualLoop | None = None) -> R:
    """What a coroutine gives on a virtual loop."""
    with asyncio.Runner(loop_factory=lambda: loop or VirtualLoop()) as runner:
        return runner.run(work)


def test_more_than_194_days_pass() -> None:
    """Beyond 2**24 seconds a float's step is larger than asyncio's own resolution, and a loop would spin for ever."""

    async def year() -> float:
        for _ in range(400):
            await asyncio.sleep(DAY)
            await asyncio.sleep(0.001)
        return asyncio.get_running_loop().time()

    assert played(year()) == pytest.approx(400 * (DAY + 0.001), abs=0.01)


def test_time_stands_still_while_anybody_is_busy() -> None:
    async def work() -> list[float]:
        loop = asyncio.get_running_loop()
        moments = []
        async with asyncio.timeout(0.5):
            for _ in range(1_000):
                await asyncio.sleep(0)
                moments.append(loop.time())
        return moments

    assert set(played(work())) == {0.0}


def test_time_jumps_to_exactly_the_next_moment() -> None:
    async def work() -> list[float]:
        loop = asyncio.get_running_loop()
        rung: list[float] = []
        for seconds in (7.25, 0.1, 3600.0):
            loop.call_later(seconds, lambda: rung.append(loop.time()))
        await asyncio.sleep(4000)
        return rung

    assert played(work()) == [0.1, 7.25, 3600.0]


def test_when_nothing_can_ever_happen_it_says_so_instead_of_waiting() -> None:
    with pytest.raises(Stalled):
        played(asyncio.Event().wait())


def test_work_for_threads_is_done_before_time_moves() -> None:
    async def work() -> tuple[str, float]:
        async with asyncio.timeout(1):
            word = await asyncio.to_thread(str.upper, "done")
        return word, asyncio.get_running_loop().time()

    assert played(work()) == ("DONE", 0.0)


def test_tasks_come_out_of_a_set_by_their_numbers() -> None:
    async def work() -> list[int]:
        tasks = {asyncio.create_task(asyncio.sleep(0, number)) for number in range(50)}
        done, _ = await asyncio.wait(tasks)
        return [task.result() for task in done]

    assert played(work()) == played(work())


def test_aiosqlite_is_still_built_as_the_inline_queue_expects() -> None:
    """A canary: read `bot/simulation/inline.py` again before another version is allowed."""
    assert version("aiosqlite").startswith("0.22.")
    core = aiosqlite.core
    made = inspect.getsource(core.Connection.__init__)
    assert "self._tx: _TxQueue = SimpleQueue()" in made
    assert "self._thread = Thread(target=_connection_worker_thread, args=(self._tx,))" in made
    assert "self._tx.put_nowait((future, function))" in inspect.getsource(core.Connection._execute)
    assert "self._tx.put_nowait((future, self._connector))" in inspect.getsource(core.Connection._connect)
    assert {name for name in ("SimpleQueue", "Thread") if hasattr(core, name)} == {"SimpleQueue", "Thread"}


async def _opened(folder: Path, life: Life) -> Database:
    database = Database(f"sqlite+aiosqlite:///{folder / 'desk.db'}")
    await life.start(database.start())
    return database


async def _put(database: Database, name: str, crash_after: Life | None = None) -> None:
    async with database.begin() as store:
        await store.add(Setting(name, "1"))
        if crash_after is not None:
            crash_after.kill()


def kept(folder: Path) -> set[str]:
    with sqlite3.connect(folder / "desk.db") as connection:
        return {row[0] for row in connection.execute("SELECT id FROM settings")}


def test_a_killed_life_keeps_what_it_committed_and_nothing_else(tmp_path: Path) -> None:
    async def work() -> bool:
        life = Life(1)
        database = await _opened(tmp_path, life)
        await life.start(_put(database, "committed"))
        cut_off = life.start(_put(database, "cut off", crash_after=life))
        await asyncio.wait([cut_off])
        return cut_off.cancelled()

    with standing_in(1, Disk(), logging.NullHandler()):
        assert played(work())
    assert kept(tmp_path) == {"committed"}


def test_a_full_disk_refuses_what_is_written_and_lets_read(tmp_path: Path) -> None:
    disk = Disk()

    async def work() -> int:
        life = Life(1)
        database = await _opened(tmp_path, life)
        await life.start(_put(database, "before"))
        disk.fillings += 1
        with pytest.raises(StoreUnavailable):
            await life.start(_put(database, "meanwhile"))
        async with database.read() as store:
            found = await store.count(Setting)
        disk.fillings -= 1
        await life.start(_put(database, "afterwards"))
        await life.start(database.close())
        return found

    with standing_in(1, disk, logging.NullHandler()):
        assert played(work()) == 1
    assert kept(tmp_path) == {"before", "afterwards"}


def test_outside_any_life_no_database_opens() -> None:
    assert CURRENT.get() is None
    with pytest.raises(RuntimeError):
        InlineQueue()


def test_a_clock_that_was_wrong_is_known_to_have_been() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        clock = World(loop, 1).clock
        await asyncio.sleep(60)
        clock.set_wrong(BEGINS_AT - BEGINS_AT.replace(hour=15))
        await asyncio.sleep(60)
        shown = clock.now()
        assert (shown - clock.true_now()).total_seconds() == 3600
        assert clock.first_true(shown) == clock.true_now()
        assert clock.first_true(BEGINS_AT) == BEGINS_AT

    played(work())
