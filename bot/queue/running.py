"""Hands jobs to their handlers and writes what became of them."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from bot.queue import rows
from bot.queue.picking import Kind
from bot.store import StoreUnavailable
from desk.model import Job
from desk.ports import Clock, Postpone, Stale, Store, Transactions

log = logging.getLogger(__name__)

REST_SECONDS = 1.0  # After a failure that is not the job's own.
# Within a second or two: a job that failed would be overtaken by those behind it on its key.
STALE_RUNS_MAX = 9
STALE_REST_SECONDS = 0.005  # After the second of them; then twice as long each time.


class Runner:
    """Runs claimed jobs. A run that is cut off changes no row, so that its jobs stay due."""

    def __init__(
        self, transactions: Transactions, clock: Clock, kinds: Mapping[str, Kind], run_seconds_max: float
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._kinds = kinds
        self._run_seconds_max = run_seconds_max
        self.running: set[str] = set()
        self.ended: set[str] = set()  # Running jobs whose handler called `done`.
        self._again: set[str] = set()  # Running jobs that were put again meanwhile.
        self.closing = asyncio.Event()  # Once set, no further handler is called.

    async def run(self, jobs: Sequence[Job]) -> bool:
        """Run jobs of one kind to whatever end; says whether they all ended. Raises nothing but cancellation."""
        ids = {job.id for job in jobs}
        self.running |= ids
        try:
            return await self._hand_over(jobs)
        except StoreUnavailable as error:
            log.warning("%s waits for the database: %s", _named(jobs), error)
            await self._rest()
        except Exception:
            log.exception("What became of %s could not be written: it runs again", _named(jobs))
            await self._rest()
        finally:
            self.running -= ids
            self.ended -= ids
            self._again -= ids
        return False

    async def end(self, store: Store, jobs: Sequence[Job]) -> None:
        """End jobs in an open transaction, except those that were put again."""
        again = [job for job in jobs if job.id in self._again]
        kept = {job.id for job in again} - {job.id for job in await rows.unchanged(store, again)}
        await store.remove(Job, [job.id for job in jobs if job.id not in kept])
        self.ended.update(job.id for job in jobs if job.id in self.running)

    async def keep(self, store: Store, job: Job, claimed: Job) -> None:
        """A running job was put again: its row takes the new due time, and the end of its run leaves it."""
        row = await store.get(Job, job.id)
        if row is not None and not row.parked and row.due_at == claimed.due_at:
            self._again.add(job.id)
            due_at = max(job.due_at, claimed.due_at + rows.TICK)
            await store.change(row, due_at=due_at, attempts=0, error="")

    async def unchanged(self, store: Store, jobs: Sequence[Job]) -> list[Job]:
        """Those of running jobs that are still ours, as they were."""
        return await rows.unchanged(store, jobs)

    async def rewrite(self, store: Store, jobs: Sequence[Job], turn: Callable[[Job], Job]) -> None:
        """Replace the rows of running jobs that are still ours, as they were."""
        await rows.rewrite(store, jobs, turn)

    async def _hand_over(self, jobs: Sequence[Job]) -> bool:
        """Call the handler and do to the rows what its outcome asks for; says whether none is to run again."""
        try:
            await self._call(jobs)
        except Postpone as later:
            until = later.until
            await self._write(lambda store: self.rewrite(store, jobs, lambda job: replace(job, due_at=until)))
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(jobs) == 1:
                await self._fail(jobs[0], error)
            else:
                log.info("%s failed together and run one by one: %r", _named(jobs), error)
                await self._run_one_by_one(jobs)
        else:
            left = [job for job in jobs if job.id not in self.ended]
            if left:
                await self._write(lambda store: self.end(store, left))
            return True
        return False

    async def _call(self, jobs: Sequence[Job]) -> None:
        handler = self._kinds[jobs[0].kind].handler
        spread = random.Random(jobs[0].id)  # Whoever was in the way should not be met again.
        for run in range(1, STALE_RUNS_MAX + 1):
            try:
                async with asyncio.timeout(self._run_seconds_max):
                    return await handler(jobs)
            except Stale:  # Somebody else was first: read again, decide again.
                if run == STALE_RUNS_MAX:
                    raise
            if run > 1:
                await self._rest(STALE_REST_SECONDS * 2 ** (run - 2) * spread.uniform(0.5, 1.5))

    async def _run_one_by_one(self, jobs: Sequence[Job]) -> None:
        async with self._transactions.read() as store:
            waiting = await self.unchanged(store, jobs)
        self.ended.difference_update(job.id for job in waiting)
        for job in waiting:
            if self.closing.is_set():
                return
            await self._hand_over([job])

    async def _fail(self, job: Job, error: Exception) -> None:
        after = rows.as_failed(job, f"{type(error).__name__}: {error}", self._clock.now())
        outcome = "is parked" if after.parked else f"is tried again at {after.due_at.isoformat()}"
        log.error("%s failed %d times and %s", _named([job]), after.attempts, outcome, exc_info=error)
        await self._write(lambda store: self.rewrite(store, [job], lambda _: after))

    async def _write(self, write: Callable[[Store], Awaitable[None]]) -> None:
        """Write what became of jobs as soon as the database serves; at the stop it is left, and they run again."""
        while True:
            try:
                async with self._transactions.begin() as store:
                    await write(store)
                return
            except StoreUnavailable as error:
                if self.closing.is_set():
                    raise
                log.warning("The queue cannot write what became of its jobs: %s", error)
                await self._rest()

    async def _rest(self, seconds: float = REST_SECONDS) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()


def _named(jobs: Sequence[Job]) -> str:
    first = jobs[0]
    return f"{first.kind} {first.id}" if len(jobs) == 1 else f"{len(jobs)} {first.kind} jobs"
