"""A desk is one transaction at one moment: all of it is kept, or nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from bot.door import OfficeDoor
from bot.queue.embedded import EmbeddedQueue
from bot.store.memory import MemoryDatabase
from bot.store.sql import Database
from desk.model import Job, Setting
from desk.policy import Limits, Policy
from desk.ports import Bell, Desk, Door, Transactions
from incidents.model import LogLine
from roster.calendar import Calendar
from tests.bot.queue.parts import NOW, Bench, Heard, SetClock

POLICY = Policy(
    office="",
    timezone="Asia/Shanghai",
    language="zh-CN",
    number_prefix="ZS",
    watch_changes_at="08:30",
    ladders=(),
    roll_calls=(),
    bulletins=(),
    posts=(),
    limits=Limits(),
    calendar=Calendar(),
)


@dataclass
class Office:
    """A door and what it stands on."""

    transactions: Transactions
    clock: SetClock = field(default_factory=SetClock)
    bell: Bell = field(default_factory=Bell)

    def __post_init__(self) -> None:
        self.queue = EmbeddedQueue(self.transactions, self.clock)
        self.door = OfficeDoor(self.transactions, self.queue, self.clock, POLICY, self.bell)


@pytest.fixture(params=["memory", "sqlite"])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    """A door on each store."""
    memory = request.param == "memory"
    database = MemoryDatabase() if memory else Database(f"sqlite+aiosqlite:///{tmp_path}/muster.db")
    await database.start()
    yield Office(database)
    await database.close()


async def stored(office: Office) -> tuple[int, int, int]:
    """How many settings, jobs and log lines there are."""
    async with office.door.read() as store:
        return await store.count(Setting), await store.count(Job), await store.count(LogLine)


async def everything(desk: Desk) -> None:
    """One of each thing a desk can write."""
    await desk.store.add(Setting("now", "x"))
    desk.later(Setting("later", "x"))
    desk.due("work", "ref", desk.now)
    desk.log("something", "desk")


async def fail(office: Office) -> None:
    """Writes one of each thing, then fails."""
    async with office.door.open() as desk:
        await everything(desk)
        raise LookupError


async def test_what_a_desk_collected_is_committed_together(office: Office) -> None:
    async with office.door.open() as desk:
        await everything(desk)
        assert await stored(office) == (0, 0, 0)
    assert await stored(office) == (2, 1, 1)


async def test_a_failing_desk_leaves_nothing_and_rings_nobody(office: Office) -> None:
    waiting = asyncio.create_task(office.bell.wait(0.2))
    await asyncio.sleep(0)
    with pytest.raises(LookupError):
        await fail(office)
    assert await stored(office) == (0, 0, 0)
    assert await waiting is False


async def test_the_bell_rings_after_the_commit(office: Office) -> None:
    seen = []

    async def look() -> None:
        assert await office.bell.wait(20)
        seen.append(await stored(office))

    looking = asyncio.create_task(look())
    await asyncio.sleep(0)
    async with office.door.open() as desk:
        await everything(desk)
    await looking
    assert seen == [(2, 1, 1)]


async def test_the_queue_hears_of_new_work_at_once_and_of_nothing_else(office: Office) -> None:
    heard = Heard()
    office.queue.handle("work", heard)
    bench = Bench(office.transactions, office.queue, office.clock)
    async with bench.running():
        await bench.looked()
        async with office.door.open() as desk:
            desk.due("work", "ref", desk.now)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await heard.reach(1)
        assert loop.time() - begun < 0.5  # It would look by itself only after a second.


async def test_the_moment_is_read_when_the_turn_has_come_and_stands_still(office: Office) -> None:
    first_has_turn, first_may_go = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with office.door.open():
            first_has_turn.set()
            await first_may_go.wait()

    async def second() -> None:
        async with office.door.open() as desk:
            assert desk.now == NOW + timedelta(seconds=9)
            office.clock.move(60)
            assert desk.now == NOW + timedelta(seconds=9)

    one = asyncio.create_task(first())
    await first_has_turn.wait()
    two = asyncio.create_task(second())
    await asyncio.sleep(0)
    office.clock.move(9)
    first_may_go.set()
    await asyncio.gather(one, two)


@pytest.mark.parametrize(("step", "seen"), [(-1.9, 0.0), (-2.0, -2.0), (-3600.0, -3600.0), (0.5, 0.5)])
async def test_fault_27_a_small_step_back_of_the_clock_is_not_seen(
    office: Office, step: float, seen: float
) -> None:
    async with office.door.open() as desk:
        assert desk.now == NOW
    office.clock.move(step)
    async with office.door.open() as desk:
        assert desk.now == NOW + timedelta(seconds=seen)


async def test_time_goes_on_after_a_small_step_back(office: Office) -> None:
    async with office.door.open():
        pass
    moments = []
    for seconds in (-1.5, 0.5, 0.5, 1.0):
        office.clock.move(seconds)
        async with office.door.open() as desk:
            moments.append((desk.now - NOW).total_seconds())
    assert moments == [0.0, 0.0, 0.0, 0.5]


async def test_the_pace_is_kept_over_a_restart_and_every_desk_has_it(office: Office) -> None:
    await office.door.load_pace()
    async with office.door.open() as desk:
        assert desk.minutes(3) == timedelta(minutes=3)
    await office.door.set_pace(60)
    again = OfficeDoor(office.transactions, office.queue, office.clock, POLICY, office.bell)
    await again.load_pace()
    doors: Sequence[OfficeDoor] = (office.door, again)
    for door in doors:
        assert door.pace == 60
        async with door.open() as desk:
            assert desk.minutes(3) == timedelta(seconds=3)
    await again.set_pace(1)
    async with again.open() as desk:
        assert desk.pace == 1


@pytest.mark.parametrize("pace", [0, -1, float("nan"), float("inf")])
async def test_a_pace_that_stops_time_is_refused(office: Office, pace: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        await office.door.set_pace(pace)
    assert office.door.pace == 1
    assert await stored(office) == (0, 0, 0)


async def test_a_reading_view_cannot_write(office: Office) -> None:
    async with office.door.read() as store:
        with pytest.raises(RuntimeError, match="cannot write"):
            await store.add(Setting("x", "y"))


def test_the_office_door_is_a_door() -> None:
    door: Door = Office(MemoryDatabase()).door
    assert door.policy is POLICY
