"""Events are on disk before their platform is told ok, many in one commit, and one fault harms nobody else."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.intake import FLOOD_ROWS, GROUP_MAX, WAITING_MAX, IntakeFull, TransactionalInbox
from bot.store.sql import Database
from desk.model import InboxRow, InboxState, Job
from desk.ports import Store, Unavailable
from tests.bot.machine import Machine, open_machine

POISON: Any = object()  # What a channel with a bug may hand in; no database can store it.


class CountedDatabase(Database):
    """The real database, which also counts its writing transactions."""

    commits = 0

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Store]:
        async with super().begin() as store:
            yield store
        self.commits += 1


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    async with open_machine(tmp_path) as opened:
        yield opened


def on_disk(folder: Path) -> list[tuple[str, bytes]]:
    """The inbox as another process sees it."""
    with closing(sqlite3.connect(folder / "desk.db")) as other:
        return list(other.execute("SELECT id, raw FROM inbox ORDER BY received_at"))


async def take_all(inbox: TransactionalInbox, *events: str, sender: str = "a") -> list[BaseException | None]:
    """Take these at once; what became of each."""
    takes = (inbox.take("line", event, sender, event.encode()) for event in events)
    return list(await asyncio.gather(*takes, return_exceptions=True))


async def test_p1_an_event_is_on_disk_before_take_returns(machine: Machine) -> None:
    await machine.inbox.take("line", "7", "a", b"\x00raw")
    assert on_disk(machine.folder) == [("line/7", b"\x00raw")]
    [job] = await machine.find(Job)
    assert (job.id, job.kind, job.ref) == ("sweep", "sweep", "")


async def test_what_a_channel_writes_beside_an_event_stands_or_falls_with_it(machine: Machine) -> None:
    with suppress(RuntimeError):
        async with machine.door.open() as desk:
            await machine.inbox.take_with(desk, "line", "6", "a", b"raw")
            raise RuntimeError
    assert on_disk(machine.folder) == [] and await machine.find(Job) == []
    for _ in range(2):
        async with machine.door.open() as desk:
            await machine.inbox.take_with(desk, "line", "7", "a", b"raw")
    assert on_disk(machine.folder) == [("line/7", b"raw")]
    assert [job.id for job in await machine.find(Job)] == ["sweep"]


async def test_where_processes_share_the_work_each_event_has_its_own_job_in_order_per_sender(
    tmp_path: Path,
) -> None:
    async with open_machine(tmp_path, sweeps=False) as machine:
        await take_all(machine.inbox, "7", "8")
        jobs = await machine.find(Job)
        assert [(job.kind, job.ref, job.key) for job in jobs] == [
            ("hear", "line/7", "from:line:a"),
            ("hear", "line/8", "from:line:a"),
        ]


async def test_arrivals_of_one_moment_keep_their_order_and_a_clock_set_back_is_believed(
    machine: Machine,
) -> None:
    await machine.inbox.take_batch("line", [(str(n), "a", b"x") for n in (9, 10, 100, 11)], ("offset", "1"))
    rows = await machine.find(InboxRow, order=("received_at", "id"))
    assert [row.id for row in rows] == ["line/9", "line/10", "line/100", "line/11"]
    machine.clock.at -= timedelta(hours=1)
    await machine.inbox.take("line", "earlier", "a", b"x")
    [row] = await machine.find(InboxRow, id="line/earlier")
    assert row.received_at == machine.clock.at


async def test_a_commit_that_failed_leaves_no_belief_that_its_work_was_put(machine: Machine) -> None:
    with pytest.raises(TypeError):
        await machine.inbox.take("line", "bad", "a", POISON)
    assert await machine.find(Job) == []
    await machine.inbox.take("line", "good", "a", b"x")
    assert [job.id for job in await machine.find(Job)] == ["sweep"]


async def test_events_that_wait_share_a_commit_and_keep_their_order_of_arrival(tmp_path: Path) -> None:
    async with open_machine(tmp_path) as machine:
        database = CountedDatabase(machine.database.url)
        await database.start()
        inbox = TransactionalInbox(database, machine.queue, SystemClock(), machine.door.bell)
        events = [str(10_000 + number) for number in range(3 * GROUP_MAX)]
        assert await take_all(inbox, *events) == [None] * len(events)
        assert database.commits == 3
        await database.close()
        rows = await machine.find(InboxRow, order=("received_at", "id"))
        assert [row.id for row in rows] == [f"line/{event}" for event in events]


async def test_fault_2_and_7_the_same_event_again_changes_nothing(machine: Machine) -> None:
    assert await take_all(machine.inbox, "1", "1", "2", "1") == [None] * 4
    assert [job.id for job in await machine.find(Job)] == ["sweep"]
    async with machine.door.open() as desk:
        [first] = await desk.store.find(InboxRow, id="line/1")
        await desk.store.change(first, state=InboxState.heard)
    await machine.inbox.take("line", "1", "b", b"another body")
    assert [row.id for row in await machine.find(InboxRow)] == ["line/1", "line/2"]
    [kept] = await machine.find(InboxRow, id="line/1")
    assert (kept.state, kept.raw, kept.sender) == (InboxState.heard, b"1", "a")


async def test_a_batch_and_its_setting_are_stored_together(machine: Machine) -> None:
    batch = [("1", "a", b"1"), ("2", "b", b"2")]
    await machine.inbox.take_batch("line", batch, ("offset", "3"))
    await machine.inbox.take_batch("line", [("2", "b", b"2"), ("3", "b", b"3")], ("offset", "4"))
    await machine.inbox.take_batch("line", (), ("offset", "5"))
    assert [row.id for row in await machine.find(InboxRow)] == ["line/1", "line/2", "line/3"]
    assert await machine.inbox.setting("offset") == "5"
    assert await machine.inbox.setting("unheard of") == ""
    with pytest.raises(TypeError):
        await machine.inbox.take_batch("line", [("8", "a", b"8"), ("9", "a", POISON)], ("offset", "10"))
    assert await machine.inbox.setting("offset") == "5"
    assert await machine.find(InboxRow, id_in=["line/8", "line/9"]) == []


async def test_a_batch_larger_than_a_group_is_one_commit_all_the_same(machine: Machine) -> None:
    batch = [(str(number), "a", b"x") for number in range(GROUP_MAX + 50)]
    await machine.inbox.take_batch("line", batch, ("offset", "9"))
    assert len(await machine.find(InboxRow)) == GROUP_MAX + 50


async def test_an_event_that_cannot_be_stored_keeps_nobody_else_out(machine: Machine) -> None:
    good = [machine.inbox.take("line", str(number), "a", b"x") for number in range(5)]
    bad = machine.inbox.take("line", "bad", "a", POISON)
    later = [machine.inbox.take("line", str(number), "a", b"x") for number in range(5, 10)]
    told = await asyncio.gather(*good, bad, *later, return_exceptions=True)
    assert isinstance(told.pop(5), TypeError)
    assert told == [None] * 10
    assert len(await machine.find(InboxRow)) == 10
    assert machine.inbox.waiting == 0


async def test_fault_21_a_locked_database_is_told_to_all_who_wait_at_once_and_recovers_alone(
    machine: Machine,
) -> None:
    loop = asyncio.get_running_loop()
    with closing(sqlite3.connect(machine.folder / "desk.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = loop.time()
        told = await take_all(machine.inbox, *(str(number) for number in range(50)))
        assert all(isinstance(one, Unavailable) for one in told)
        assert loop.time() - started < 4  # Not one busy time-out after the other.
        other.execute("ROLLBACK")
    assert on_disk(machine.folder) == []
    assert await take_all(machine.inbox, *(str(number) for number in range(50))) == [None] * 50
    assert len(on_disk(machine.folder)) == 50


async def test_fault_23_a_full_disk_refuses_and_resumes_without_a_restart_and_loses_no_row(
    machine: Machine,
) -> None:
    await machine.inbox.take("line", "before", "a", b"x")

    async def limit(pages: int) -> None:
        async with machine.database.begin() as store:
            await store.connection.run(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]  # SQLite's.

    await limit(1)  # SQLite takes the file's present size for it.
    with pytest.raises(Unavailable, match="full"):
        await machine.inbox.take("line", "big", "a", b"x" * 200_000)
    assert [name for name, _ in on_disk(machine.folder)] == ["line/before"]
    await limit(1_000_000)
    await machine.inbox.take("line", "big", "a", b"x" * 200_000)
    assert [name for name, _ in on_disk(machine.folder)] == ["line/before", "line/big"]


async def test_a_request_that_goes_away_takes_no_other_along(machine: Machine) -> None:
    takes = [asyncio.create_task(machine.inbox.take("line", str(number), "a", b"x")) for number in range(20)]
    await asyncio.sleep(0)
    for gone in takes[::2]:
        gone.cancel()
    told = await asyncio.gather(*takes, return_exceptions=True)
    assert [type(one) for one in told[1::2]] == [type(None)] * 10
    await machine.inbox.close()
    stored = {name for name, _ in on_disk(machine.folder)}
    assert {f"line/{number}" for number in range(1, 20, 2)} <= stored
    assert machine.inbox.waiting == 0
    await machine.inbox.take("line", "after", "a", b"x")


async def test_fault_37_more_than_the_desk_can_hold_is_refused_and_what_waits_is_kept(
    machine: Machine,
) -> None:
    async with machine.database.begin():  # Nobody else can commit meanwhile.
        rows = [(str(number), "a", b"x") for number in range(WAITING_MAX - 1)]
        waiting = asyncio.create_task(machine.inbox.take_batch("line", rows, ("offset", "1")))
        last = asyncio.create_task(machine.inbox.take("line", "last", "a", b"x"))
        await asyncio.sleep(0)
        assert machine.inbox.waiting == WAITING_MAX
        with pytest.raises(IntakeFull):
            await machine.inbox.take("line", "too many", "a", b"x")
    await asyncio.gather(waiting, last)
    assert machine.inbox.waiting == 0
    await machine.inbox.take("line", "later", "a", b"x")
    assert len(await machine.find(InboxRow)) == WAITING_MAX + 1


async def test_close_waits_until_all_is_on_disk(machine: Machine) -> None:
    async with machine.database.begin():
        takes = [
            asyncio.create_task(machine.inbox.take("line", str(number), "a", b"x")) for number in range(10)
        ]
        closing_down = asyncio.create_task(machine.inbox.close())
        await asyncio.sleep(0.02)
        assert not closing_down.done()
    await closing_down
    assert len(on_disk(machine.folder)) == 10
    await asyncio.gather(*takes)


async def test_hearing_lets_a_flood_go_first_but_is_never_held_up_for_long(machine: Machine) -> None:
    assert await machine.inbox.calm(1.0)
    await take_all(machine.inbox, *(str(number) for number in range(FLOOD_ROWS)))
    assert not await machine.inbox.calm(0.0)
    assert await machine.inbox.calm(1.0)
    await take_all(machine.inbox, "a", "b")
    assert await machine.inbox.calm(0.0)  # Two are no flood.
    async with machine.database.begin():
        waiting = asyncio.gather(*(machine.inbox.take("line", f"w{n}", "a", b"x") for n in range(FLOOD_ROWS)))
        await asyncio.sleep(0)
        assert not await machine.inbox.calm(0.0)  # What waits for the disk is one, too.
    await waiting


async def test_each_commit_rings_the_bell_and_wakes_the_queue(machine: Machine) -> None:
    async with machine.running():
        before = machine.door.bell.rings
        await machine.inbox.take("line", "1", "a", b"{}")
        assert machine.door.bell.rings > before
        await machine.until(lambda rows: rows[0].state is InboxState.heard, InboxRow)
