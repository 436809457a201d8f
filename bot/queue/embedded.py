"""The embedded engine of the work queue: rows in our own database, one process."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from bot.queue import rows
from bot.queue.picking import Batch, Bounds, Claims, Elsewhere, Kind
from bot.queue.running import Runner
from bot.queue.starting import Starter, What
from bot.store import StoreUnavailable
from desk.model import Job, Lane
from desk.ports import Clock, Depth, Handler, Store, Transactions

log = logging.getLogger(__name__)

REREAD_SECONDS = 1.0  # However quiet it is: the clock may jump, another process may have put work.
NAP_SECONDS = 0.001  # However near the next moment is: a clock that is held back must not make us spin.
LOOK_GAP_SECONDS = 0.01  # What comes in bunches is looked at together, unless a worker got free.
NEWS_LAST_SECONDS = 1.5  # A kind that was put stays of interest so long: its commit may be told late.
ALIVE_SECONDS_MAX = 15.0


class EmbeddedQueue:
    """Implements `desk.ports.WorkQueue` for one process (`bot.queue.guard` refuses a second one).

    Truth is in the rows; only what runs just now is kept in memory, so that after a crash everything that had not
    ended is simply due again. Jobs of one key and lane run one at a time, by due time, then id. A job that fails is
    tried again after 1 s, 5 s, 30 s, 2 min and 10 min (± 20 %), then it is parked with its error until `retry`. The
    jobs behind it on its key go on at once: one bad message must not silence its sender. When the database
    cannot serve (`StoreUnavailable`) the job waits a second and no attempt is counted."""

    reread_seconds = REREAD_SECONDS

    def __init__(self, transactions: Transactions, clock: Clock, bounds: Bounds | None = None) -> None:
        self._transactions = transactions
        self._clock = clock
        self._bounds = bounds or Bounds()
        self._kinds: dict[str, Kind] = {}
        self._claims = Claims(self._kinds, self._bounds)
        self._starter = Starter(self._claims, self._kinds, self._claim, self._start)
        self._runner = Runner(transactions, clock, self._kinds, self._bounds.run_seconds_max)
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._freed = asyncio.Event()
        self._news: dict[What, float] = {}  # What may start now, and until when to look for it.
        self._knows_kinds = False
        self._now: datetime | None = None
        self._looked_at: float | None = None
        self._has_looked = asyncio.Event()
        self._read_all_at = 0.0

    async def put(self, store: Store, jobs: Sequence[Job]) -> None:
        """Put jobs in the open transaction; one that waits is left as it is, one that runs runs once more."""
        self._expect(jobs)
        if not any(job.id in self._claims.jobs for job in jobs):
            await store.add_missing(*jobs)
            return
        are_new = await store.add_new(*jobs)
        for job, is_new in zip(jobs, are_new, strict=True):
            claimed = self._claims.jobs.get(job.id)
            if claimed is not None and not is_new:
                await self._runner.keep(store, job, claimed)

    def _expect(self, jobs: Sequence[Job]) -> None:
        """These jobs are put, if their transaction is committed."""
        self._look_for((job.lane, job.kind) for job in jobs)
        self._starter.expect(jobs, self._clock.now())

    async def cancel(self, store: Store, ids: Sequence[str]) -> None:
        """Forget jobs that have not run."""
        await store.remove(Job, ids)

    async def done(self, store: Store, jobs: Sequence[Job]) -> None:
        """End these jobs in the handler's own transaction."""
        await self._runner.end(store, jobs)

    async def retry(self, store: Store, ids: Sequence[str]) -> None:
        """Let parked jobs run again, with all their retries."""
        for job in await store.find(Job, id_in=list(ids), parked=True):
            await store.change(job, parked=False, attempts=0, error="")

    def handle(self, kind: str, handler: Handler, *, batch_max: int = 1, at_once: int = 4) -> None:
        """Register the handler of a kind, before the queue runs."""
        if kind in self._kinds or batch_max < 1 or at_once < 1:
            raise ValueError(f"{kind!r} needs one handler, and at least one job at a time.")
        self._kinds[kind] = Kind(handler, batch_max, at_once)

    def wake(self) -> None:
        """Look now."""
        self._woken.set()

    def wake_all(self) -> None:
        """Somebody elsewhere committed something: look at everything now."""
        self._read_all_at = float("-inf")
        self.wake()

    async def depth(self) -> Depth:
        """What waits, what is parked, and since when the oldest is due."""
        async with self._transactions.read() as store:
            return await rows.measure(store, list(self._kinds), self._clock.now())

    async def alive(self) -> bool:
        """Whether the queue has looked at its rows within the last seconds."""
        looked_at = self._looked_at
        return looked_at is not None and asyncio.get_running_loop().time() - looked_at < ALIVE_SECONDS_MAX

    async def first_look(self) -> None:
        """Returns when it has looked at its rows, or soon."""
        await _within(2 * REREAD_SECONDS, self._has_looked)

    async def run(self) -> None:
        """Work until cancelled; then nothing more is started, and what runs may finish within its bound."""
        self._runner.closing.clear()
        try:
            is_news = False
            while True:
                self._woken.clear()
                self._freed.clear()
                is_news = await self._rest(await self._look(is_news))
        finally:
            self._runner.closing.set()
            self._looked_at = None
            self._has_looked.clear()
            await self._finish()

    async def _rest(self, seconds: float) -> bool:
        """Until something may be due; says whether only what has news need be looked at."""
        loop = asyncio.get_running_loop()
        next_due_at = loop.time() + seconds
        if await _within(seconds, self._woken) and self._looked_at is not None:
            await _within(self._looked_at + LOOK_GAP_SECONDS - loop.time(), self._freed)
        # What falls due by itself has no news.
        return loop.time() < min(next_due_at, self._read_all_at + self.reread_seconds)

    def _look_for(self, what: Iterable[What]) -> None:
        self._news |= dict.fromkeys(what, asyncio.get_running_loop().time() + NEWS_LAST_SECONDS)

    async def _finish(self) -> None:
        running = set(self._tasks)
        try:
            if running:
                await asyncio.wait(running, timeout=self._bounds.finish_seconds)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self, is_news: bool) -> float:
        """Start what is due, of what was put or ended or of all; returns in how many seconds to look again."""
        try:
            pause = await self._start_due(is_news)
        except Exception as error:
            is_surprise = not isinstance(error, StoreUnavailable)
            log.warning("The queue looks for work again in a second: %s", error, exc_info=is_surprise)
            return REREAD_SECONDS
        self._looked_at = asyncio.get_running_loop().time()
        self._has_looked.set()
        return pause

    async def _start_due(self, is_news: bool) -> float:
        now, loop_now = self._clock.now(), asyncio.get_running_loop().time()
        if self._now is not None and now < self._now:
            moved = await self._pull_back(self._now, now)
            log.warning("The clock stepped back from %s to %s: %d jobs moved", self._now, now, moved)
            is_news = False
        self._now = now
        if not is_news:
            self._read_all_at = loop_now
        self._news = {what: until for what, until in self._news.items() if until > loop_now}
        if not self._knows_kinds:
            await self._park_unknown()
        await self._start_lanes(now, is_news)
        pauses = [(due_at - now).total_seconds() for due_at in self._starter.next_due.values()]
        return max(min(self.reread_seconds, *pauses), NAP_SECONDS)

    async def _start_lanes(self, now: datetime, is_news: bool) -> None:
        news = self._starter.news | self._news.keys()
        self._starter.news = set()
        lanes = {lane: self._starter.wanted(lane, news) if is_news else list(self._kinds) for lane in Lane}
        if not any(lanes.values()):
            return
        with self._starter.look():
            async with self._transactions.read() as store:
                self._starter.elsewhere = await self._look_elsewhere(store)
                for lane, wanted in lanes.items():
                    if wanted:
                        await self._starter.start_lane(store, lane, now, wanted)
        if self._starter.news:  # Of what ended meanwhile.
            self._freed.set()
            self.wake()

    async def _pull_back(self, last: datetime, now: datetime) -> int:
        async with self._transactions.begin() as store:
            return await rows.pull_back(store, last, now, self._claims.jobs.keys())

    async def _look_elsewhere(self, store: Store) -> Elsewhere:
        """What other processes run; there are none."""
        return Elsewhere()

    async def _claim(self, batches: list[Batch]) -> list[Batch]:
        """The batches that are ours to start; with one process, all."""
        return batches

    async def _park_unknown(self) -> None:
        """Jobs of an earlier version whose kind nobody handles any more would wait for ever: they are shown."""
        await rows.park_unknown(self._transactions, list(self._kinds))
        self._knows_kinds = True

    def _start(self, batch: Batch) -> None:
        task = asyncio.create_task(self._work(batch), name=f"queue:{batch.kind}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, batch: Batch) -> None:
        is_over = False
        try:
            is_over = await self._runner.run(batch.jobs)
        finally:
            self._starter.after(batch)
            if not is_over:  # A row of theirs has another moment now.
                self._read_all_at = float("-inf")
            if self._starter.news or not is_over:
                self._freed.set()
                self.wake()


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether the event came within these seconds."""
    if not event.is_set() and seconds > 0:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
    return event.is_set()
