"""What the queue's tests share: a clock one can set, a handler that remembers, a queue that runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.queue.embedded import EmbeddedQueue
from desk.model import Job, Lane
from desk.ports import Transactions

NOW = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
PATIENCE_SECONDS = 20.0


@dataclass
class SetClock:
    """A clock that stands still until it is set."""

    moment: datetime = NOW
    reads: int = 0

    def now(self) -> datetime:
        self.reads += 1
        return self.moment

    def move(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def job(
    job_id: str, kind: str = "work", *, after: float = 0.0, key: str = "", lane: Lane = Lane.urgent
) -> Job:
    """A job due `after` seconds from the start."""
    return Job(job_id, kind, job_id, NOW + timedelta(seconds=after), key, lane)


async def until(check: Callable[[], bool]) -> None:
    """Wait for a condition, not for a time."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not check():
            await asyncio.sleep(0.002)


@dataclass
class Heard:
    """A handler that remembers what it was handed; `fails` says what to raise, `holds` keeps it busy."""

    fails: Callable[[Sequence[Job]], Exception | None] = lambda jobs: None
    batches: list[tuple[str, ...]] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    free: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    running_most: int = 0

    def __post_init__(self) -> None:
        self.free.set()

    def hold(self) -> "Heard":
        """Whoever comes from now on waits until `free` is set."""
        self.free.clear()
        return self

    async def __call__(self, jobs: Sequence[Job]) -> None:
        self.batches.append(tuple(one.id for one in jobs))
        self.running += 1
        self.running_most = max(self.running_most, self.running)
        try:
            await self.free.wait()
            error = self.fails(jobs)
            if error is not None:
                raise error
            self.finished += [one.id for one in jobs]
        finally:
            self.running -= 1

    @property
    def ids(self) -> list[str]:
        """Every id in the order it was handed over."""
        return [job_id for batch in self.batches for job_id in batch]

    async def reach(self, count: int) -> None:
        """Wait until so many jobs were handed over."""
        await until(lambda: len(self.ids) >= count)


@dataclass
class Bench:
    """A queue on a store, with a clock one can set; the queue reads it once whenever it looks for work."""

    transactions: Transactions
    queue: EmbeddedQueue
    clock: SetClock

    async def looked(self) -> None:
        """Wait until the queue has looked for work once more from the beginning."""
        before = self.clock.reads
        self.queue.wake()
        await until(lambda: self.clock.reads > before)
        before = self.clock.reads
        self.queue.wake()
        await until(lambda: self.clock.reads > before)

    async def put(self, *jobs: Job) -> None:
        """Put jobs in a transaction of their own, and wake the queue."""
        async with self.transactions.begin() as store:
            await self.queue.put(store, jobs)
        self.queue.wake()

    async def rows(self) -> list[Job]:
        """Every row, by id."""
        async with self.transactions.read() as store:
            return await store.find(Job)

    async def row(self, job_id: str) -> Job:
        """One row that must be there."""
        async with self.transactions.read() as store:
            found = await store.get(Job, job_id)
        assert found is not None
        return found

    async def empty(self) -> None:
        """Wait until no job is left."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.rows():
                await asyncio.sleep(0.002)

    async def settle(self, check: Callable[[list[Job]], bool]) -> list[Job]:
        """Wait until the rows are as they should be."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not check(rows := await self.rows()):
                await asyncio.sleep(0.002)
        return rows

    def move(self, seconds: float) -> None:
        """Set the clock on, and let the queue look."""
        self.clock.move(seconds)
        self.queue.wake()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The queue runs inside the block and is stopped at its end."""
        task = asyncio.create_task(self.queue.run())
        try:
            yield
            assert not task.done(), "the queue stopped by itself"
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
