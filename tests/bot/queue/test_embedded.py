"""What the embedded engine promises beyond the port: clocks, a database that fails, starts and stops."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.queue.embedded import NEWS_LAST_SECONDS, EmbeddedQueue
from bot.queue.picking import Bounds
from bot.store import StoreUnavailable
from bot.store.memory import MemoryDatabase
from desk.model import Job, Lane, Setting
from desk.ports import Postpone, Store
from tests.bot.queue.parts import NOW, Bench, Heard, SetClock, job, until


class Failing(MemoryDatabase):
    """A store that can be told to fail like a full or locked database."""

    def __init__(self) -> None:
        super().__init__()
        self.no_reading = False
        self.no_writing = False
        self.refused = 0

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Store]:
        self._refuse(self.no_reading)
        async with super().read() as store:
            yield store

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Store]:
        self._refuse(self.no_writing)
        async with super().begin() as store:
            yield store

    def _refuse(self, fails: bool) -> None:
        if fails:
            self.refused += 1
            raise StoreUnavailable("The database is full.")


class Lagging(MemoryDatabase):
    """A store whose readers see what was there when they asked, some time later."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.free.set()
        self.waiting = 0

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Store]:
        async with super().read() as store:
            find = store.find

            async def find_late(kind: type[Any], /, **criteria: Any) -> list[Any]:
                found = await find(kind, **criteria)
                self.waiting += 1
                await self.free.wait()
                self.waiting -= 1
                return found

            store.find = find_late  # type: ignore[method-assign]  # Only this reader is slow.
            yield store


def on(database: MemoryDatabase, bounds: Bounds | None = None) -> Bench:
    clock = SetClock()
    return Bench(database, EmbeddedQueue(database, clock, bounds), clock)


async def test_fault_27_a_clock_one_hour_ahead_runs_each_job_once(bench: Bench) -> None:
    heard = Heard()
    bench.queue.handle("work", heard)
    await bench.put(*(job(f"{n:02}", after=n * 300) for n in range(12)), job("far", after=9000))
    async with bench.running():
        await heard.reach(1)
        bench.move(3600)
        await until(lambda: len(heard.finished) == 12)
        bench.move(-3600)
        await bench.looked()
        bench.move(3600)
        await bench.settle(lambda rows: [one.id for one in rows] == ["far"])
    assert heard.ids == sorted(set(heard.ids))


async def test_fault_27_a_clock_one_hour_back_delays_nothing_that_was_due(bench: Bench) -> None:
    heard, busy = Heard(), Heard().hold()
    bench.queue.handle("work", heard)
    bench.queue.handle("busy", busy, at_once=1)
    jobs = [job(f"{n}", "busy", after=-9 + n, key="k") for n in range(9)]
    await bench.put(*jobs, job("later", after=600))
    async with bench.running():
        await busy.reach(1)
        bench.move(-3600)
        await bench.looked()
        busy.free.set()
        await until(lambda: len(busy.finished) == 9)
        await bench.settle(lambda rows: [one.id for one in rows] == ["later"])
        assert heard.ids == []
        assert (await bench.row("later")).due_at == NOW + timedelta(seconds=600)
    assert busy.ids == [one.id for one in jobs]


async def test_fault_27_a_back_off_keeps_its_length_when_the_clock_steps_back(bench: Bench) -> None:
    heard = Heard(lambda jobs: ValueError("once") if len(heard.ids) == 1 else None)
    bench.queue.handle("work", heard)
    async with bench.running():
        await bench.put(job("a"))
        await bench.settle(lambda rows: rows[0].attempts == 1)
        bench.move(-3600)
        await bench.looked()
        bench.move(1.3)
        await bench.empty()
    assert heard.ids == ["a", "a"]


async def test_fault_27_a_run_that_fails_after_the_clock_stepped_back_is_counted(bench: Bench) -> None:
    heard = Heard(lambda jobs: ValueError("broken")).hold()
    bench.queue.handle("work", heard)
    await bench.put(job("a"))
    async with bench.running():
        await heard.reach(1)
        bench.move(-3600)
        await bench.looked()
        heard.free.set()
        [row] = await bench.settle(lambda rows: rows[0].attempts == 1)
        assert 0 < (row.due_at - bench.clock.now()).total_seconds() <= 1.2
        assert heard.ids == ["a"]


async def test_fault_27_a_handler_that_finds_its_moment_not_come_waits_for_it_and_does_not_spin(
    bench: Bench,
) -> None:
    runs = []

    async def close(jobs: Sequence[Job]) -> None:
        runs.append(bench.clock.now())
        if bench.clock.now() < NOW:  # The clock went back while the job was on its way: it puts itself again.
            async with bench.transactions.begin() as store:
                await bench.queue.put(store, [job("close", "close")])

    busy = Heard().hold()
    bench.queue.handle("close", close)
    bench.queue.handle("busy", busy)
    await bench.put(job("0", "busy", after=-1, key="k"), job("close", "close", key="k"))
    async with bench.running():
        await busy.reach(1)
        bench.move(-3600)
        await bench.looked()
        busy.free.set()
        await bench.settle(lambda rows: [one.due_at for one in rows] == [NOW])
        await bench.looked()
        assert len(runs) == 1
        bench.move(3600)
        await bench.empty()
    assert runs == [NOW - timedelta(hours=1), NOW]


async def test_a_forgotten_wake_is_made_good_within_a_second(memory_bench: Bench) -> None:
    heard = Heard()
    memory_bench.queue.handle("work", heard)
    async with memory_bench.running():
        await memory_bench.looked()
        async with memory_bench.transactions.begin() as store:
            await store.add(job("from another process"))
        begun = asyncio.get_running_loop().time()
        await heard.reach(1)
        assert asyncio.get_running_loop().time() - begun < 5


async def test_a_due_moment_is_met_without_being_woken() -> None:
    database, clock, late = MemoryDatabase(), SystemClock(), []
    queue = EmbeddedQueue(database, clock)

    async def handler(jobs: Sequence[Job]) -> None:
        late.append(clock.now() - jobs[0].due_at)

    queue.handle("work", handler)
    bench = Bench(database, queue, SetClock())
    await bench.put(
        *(replace(job(f"{n}"), due_at=clock.now() + timedelta(milliseconds=100 * n)) for n in range(5))
    )
    async with bench.running():
        await until(lambda: len(late) == 5)
    assert min(late) >= timedelta(0)
    assert max(late) < timedelta(milliseconds=500)


async def test_a_due_moment_is_met_however_much_else_is_put_meanwhile() -> None:
    database, clock, late = MemoryDatabase(), SystemClock(), []
    queue = EmbeddedQueue(database, clock)

    async def step(jobs: Sequence[Job]) -> None:
        late.append(clock.now() - jobs[0].due_at)

    queue.handle("step", step)
    queue.handle("busy", Heard())
    bench = Bench(database, queue, SetClock())
    await bench.put(replace(job("s", "step"), due_at=clock.now() + timedelta(seconds=1.7)))
    async with bench.running():
        number = 0
        while not late:
            number += 1
            await bench.put(replace(job(f"{number}", "busy", lane=Lane.bulk), due_at=clock.now()))
            await asyncio.sleep(0.003)
    assert late[0] < timedelta(milliseconds=150)


async def test_a_job_that_ends_makes_nobody_look_unless_something_waited_for_its_end() -> None:
    bench = on(MemoryDatabase())
    bench.queue.reread_seconds = 3600
    alone, held = Heard().hold(), Heard().hold()
    bench.queue.handle("alone", alone)
    bench.queue.handle("held", held)
    bench.queue.handle("behind", behind := Heard())
    async with bench.running():
        await bench.put(job("1", "alone"))
        await alone.reach(1)
        await bench.looked()
        looks = bench.clock.reads
        alone.free.set()
        await bench.settle(lambda rows: not rows)
        await asyncio.sleep(0.1)
        assert bench.clock.reads == looks
        await bench.put(job("2", "held", key="k"), job("3", "behind", key="k"))
        await held.reach(1)
        await asyncio.sleep(NEWS_LAST_SECONDS + 0.1)  # Nobody looks any more for what was put.
        held.free.set()
        await bench.empty()
    assert behind.ids == ["3"]


async def test_fault_23_while_the_database_takes_no_writes_nothing_is_counted_lost_or_parked() -> None:
    database = Failing()
    bench = on(database)

    async def handler(jobs: Sequence[Job]) -> None:
        async with database.begin() as store:
            await store.add_new(*(Setting(one.id, "done") for one in jobs))

    bench.queue.handle("hear", handler, batch_max=3)
    await bench.put(*(job(f"{n}", "hear") for n in range(6)))
    database.no_writing = True
    async with bench.running():
        await until(lambda: database.refused >= 4)
        assert [one.attempts for one in await bench.rows()] == [0] * 6
        database.no_writing = False
        await bench.empty()
    async with database.read() as store:
        assert await store.count(Setting) == 6


async def test_fault_23_what_ended_while_the_database_failed_is_written_when_it_serves_again() -> None:
    database = Failing()
    bench = on(database)
    heard = Heard().hold()
    bench.queue.handle("work", heard)
    await bench.put(job("a"))
    async with bench.running():
        await heard.reach(1)
        database.no_writing = True
        heard.free.set()
        await until(lambda: database.refused >= 1)
        bench.move(5)
        database.no_writing = False
        await bench.empty()
    assert heard.ids == ["a"]


async def test_fault_21_a_database_that_cannot_be_read_is_asked_again_and_the_queue_says_it_is_not_alive() -> (
    None
):
    database = Failing()
    bench = on(database)
    heard = Heard()
    bench.queue.handle("work", heard)
    await bench.put(job("a"))
    database.no_reading = True
    assert not await bench.queue.alive()
    async with bench.running():
        await until(lambda: database.refused >= 2)
        assert not await bench.queue.alive()
        database.no_reading = False
        await heard.reach(1)
        await bench.looked()
        assert await bench.queue.alive()
    assert not await bench.queue.alive()


async def test_fault_6_a_stop_lets_what_runs_finish_and_starts_nothing_more(bench: Bench) -> None:
    heard = Heard().hold()
    bench.queue.handle("work", heard)
    await bench.put(*(job(f"{n:02}") for n in range(20)))
    task = asyncio.create_task(bench.queue.run())
    await until(lambda: heard.running == 4)
    task.cancel()
    await asyncio.sleep(0)
    heard.free.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(heard.finished) == 4
    assert [one.id for one in await bench.rows()] == sorted(
        {f"{n:02}" for n in range(20)} - set(heard.finished)
    )


async def test_fault_6_a_stop_in_the_middle_of_a_spoilt_batch_leaves_the_rest_due(bench: Bench) -> None:
    heard = Heard()

    def fails(jobs: Sequence[Job]) -> Exception | None:
        if len(jobs) == 1:
            return None
        heard.hold()
        return ValueError("together")

    heard.fails = fails
    bench.queue.handle("hear", heard, batch_max=5)
    await bench.put(*(job(f"{n}", "hear") for n in range(5)))
    task = asyncio.create_task(bench.queue.run())
    await heard.reach(6)
    task.cancel()
    await asyncio.sleep(0)
    heard.free.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    rows = await bench.rows()
    assert sorted([*heard.finished, *(one.id for one in rows)]) == ["0", "1", "2", "3", "4"]
    assert [(one.id, one.attempts) for one in rows] == [(str(n), 0) for n in range(1, 5)]


async def test_fault_6_a_stop_does_not_wait_for_ever_and_what_it_cut_off_runs_again() -> None:
    database = MemoryDatabase()
    bench = on(database, Bounds(finish_seconds=0.05))
    stuck = Heard().hold()
    bench.queue.handle("work", stuck)
    await bench.put(job("a"))
    async with asyncio.timeout(5):
        async with bench.running():
            await stuck.reach(1)
    assert stuck.finished == [] and (await bench.row("a")).attempts == 0
    again = on(database)
    heard = Heard()
    again.queue.handle("work", heard)
    async with again.running():
        await again.empty()
    assert heard.ids == ["a"]


async def test_a_handler_that_never_returns_fails_and_frees_its_place() -> None:
    bench = on(MemoryDatabase(), Bounds(run_seconds_max=0.02))
    stuck = Heard().hold()
    bench.queue.handle("work", stuck, at_once=1)
    await bench.put(job("a", key="k"))
    async with bench.running():
        [row] = await bench.settle(lambda rows: rows[0].attempts == 1)
        assert row.error.startswith("TimeoutError")
        stuck.free.set()
        await bench.put(job("b", key="k"))
        await until(lambda: stuck.finished == ["b"])


async def test_an_outcome_that_cannot_be_written_is_logged_and_does_not_spin(
    memory_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    naive = NOW.replace(tzinfo=None)
    heard, other = Heard(lambda jobs: Postpone(naive)), Heard()
    memory_bench.queue.handle("work", heard)
    memory_bench.queue.handle("other", other)
    await memory_bench.put(job("a"))
    async with memory_bench.running():
        await until(lambda: "could not be written" in caplog.text)
        await memory_bench.put(job("b", "other"))
        await until(lambda: other.finished == ["b"])
        await memory_bench.looked()
        assert heard.ids == ["a"]
        heard.fails = lambda jobs: None
        await memory_bench.empty()


async def test_a_job_that_ends_while_the_rows_are_read_is_not_run_again() -> None:
    database = Lagging()
    bench = on(database)
    slow, quick = Heard().hold(), Heard()
    bench.queue.handle("slow", slow)
    bench.queue.handle("quick", quick)
    await bench.put(job("a", "slow", after=-1))
    async with bench.running():
        await slow.reach(1)
        await bench.looked()
        database.free.clear()
        await bench.put(job("b", "quick"))
        await until(lambda: database.waiting == 1)
        slow.free.set()
        await until(lambda: not [one for one in asyncio.all_tasks() if one.get_name() == "queue:slow"])
        database.free.set()
        await quick.reach(1)
        await bench.empty()
    assert slow.ids == ["a"]


async def test_bulk_jobs_of_many_kinds_leave_workers_for_urgent_work(memory_bench: Bench) -> None:
    heard = Heard().hold()
    for kind in ("fetch", "bulletin", "send"):
        memory_bench.queue.handle(kind, heard)
    for kind in ("fetch", "bulletin", "send"):
        await memory_bench.put(*(job(f"{kind}{n}", kind, lane=Lane.bulk) for n in range(9)))
    async with memory_bench.running():
        await until(lambda: heard.running == 6)
        await memory_bench.looked()
        assert heard.running == 6
        heard.free.set()
        await memory_bench.empty()
    assert heard.running_most == 6


async def test_a_key_with_more_jobs_than_a_page_holds_back_nobody_else(memory_bench: Bench) -> None:
    heard, other = Heard().hold(), Heard()
    memory_bench.queue.handle("work", heard)
    memory_bench.queue.handle("other", other)
    await memory_bench.put(*(job(f"{n:04}", after=-9, key="flood") for n in range(1500)))
    async with memory_bench.running():
        await heard.reach(1)
        await memory_bench.put(job("o", "other"), job("w", "work"))
        await other.reach(1)
        await heard.reach(2)
        assert heard.ids == ["0000", "w"]
        async with memory_bench.transactions.begin() as store:
            await memory_bench.queue.cancel(store, [f"{n:04}" for n in range(1500)])
        heard.free.set()


async def test_a_kind_nobody_handles_any_more_is_parked_and_said(
    memory_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()
    memory_bench.queue.handle("work", heard)
    await memory_bench.put(job("old", "gone"), job("a"))
    with caplog.at_level(logging.ERROR):
        async with memory_bench.running():
            await heard.reach(1)
            rows = await memory_bench.settle(lambda rows: len(rows) == 1)
    assert [(one.id, one.parked, one.error) for one in rows] == [
        ("old", True, "nothing handles 'gone' in this version")
    ]
    assert "1 jobs of unknown kinds are parked: gone" in caplog.text


async def test_a_failure_is_logged_once_with_its_job(
    memory_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    memory_bench.queue.handle("work", Heard(lambda jobs: ValueError("broken")))
    await memory_bench.put(job("job/7"))
    async with memory_bench.running():
        await memory_bench.settle(lambda rows: rows[0].attempts == 1)
    [record] = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert "work job/7 failed 1 times" in record.getMessage()


@pytest.mark.parametrize("given", [{"batch_max": 0}, {"at_once": 0}])
def test_a_handler_that_could_never_run_is_refused(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="needs one handler"):
        EmbeddedQueue(MemoryDatabase(), SystemClock()).handle("work", Heard(), **given)


def test_a_kind_has_one_handler() -> None:
    queue = EmbeddedQueue(MemoryDatabase(), SystemClock())
    queue.handle("work", Heard())
    with pytest.raises(ValueError, match="'work' needs one handler"):
        queue.handle("work", Heard())
