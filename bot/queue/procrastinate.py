"""The Procrastinate engine of the work queue: any number of processes on one PostgreSQL."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from bot.queue import errands, rows
from bot.queue.embedded import EmbeddedQueue
from bot.queue.errands import FINISH, TURN, UNHURRIED, ErrandRunner, connection_of
from bot.queue.picking import Batch, Bounds, Elsewhere
from bot.queue.workers import BEAT_SECONDS, Workers, every
from bot.store import StoreUnavailable
from desk.model import Job
from desk.ports import Clock, Store, Transactions

log = logging.getLogger(__name__)

REST_SECONDS = 1.0
OTHERS = "SELECT count(*) FROM procrastinate_workers WHERE id <> %s"


class ProcrastinateQueue(EmbeddedQueue):
    """Implements `desk.ports.WorkQueue` for many processes, with every promise of the embedded engine.

    Truth is in our rows, as there. Procrastinate (3.10) has the workers and the claims: a batch that starts is one
    job of its own, an *errand*, deferred and started in the transaction that marks our rows with it. Its register of
    workers with their heartbeats says whose errands are left behind; freeing one frees our rows. An errand is also
    the fence: a job ends only in a transaction that holds its errand, so a worker that was thought dead and wakes
    late changes nothing (`TakenOver`).

    Our rows are not Procrastinate jobs one by one because its `lock` lets a job of the future hold up all that came
    after it on its key, because it knows no batches, and because it cannot put again what just runs. `at_once` and
    the lanes' room count within one process; the order of a key holds across all of them."""

    def __init__(
        self, transactions: Transactions, clock: Clock, url: str, bounds: Bounds | None = None
    ) -> None:
        super().__init__(transactions, clock, bounds)
        self._runner: ErrandRunner = ErrandRunner(
            transactions, clock, self._kinds, self._bounds.run_seconds_max
        )
        self._workers = Workers(url)
        self._to_finish: set[int] = set()

    async def put(self, store: Store, jobs: Sequence[Job]) -> None:
        """Put jobs in the open transaction; one that waits is left as it is, one that runs runs once more."""
        if jobs:
            self._expect(jobs)
            errands.put(store, jobs)

    async def alive(self) -> bool:
        """Whether the queue has looked at its rows, and said that it lives, within the last seconds."""
        return await super().alive() and self._workers.is_trusted

    async def run(self) -> None:
        """Work until cancelled; then nothing more is started, and what runs may finish within its bound."""
        await self._workers.open()
        beats = asyncio.create_task(every(BEAT_SECONDS, self._beat, "The worker's heartbeat"), name="beats")
        try:
            await super().run()
        finally:
            beats.cancel()
            await asyncio.gather(beats, return_exceptions=True)
            try:
                await self._finish_errands()
            except StoreUnavailable as error:
                log.warning("Errands are left for others to free: %s", error)
            await self._workers.close()

    async def _beat(self) -> None:
        await self._workers.beat()
        freed = await self._workers.rescue()
        if freed:
            log.warning("%d errands of dead workers are free again", freed)
            self.wake_all()

    async def _start_due(self, is_news: bool) -> float:
        if not self._workers.is_trusted:  # Others may have taken over: first we must be known again.
            return REST_SECONDS
        await self._finish_errands()
        return await super()._start_due(is_news)

    async def _finish_errands(self) -> None:
        finished = set(self._to_finish)
        if finished:
            async with self._transactions.begin() as store:
                connection_of(store).put_off(UNHURRIED)
                await connection_of(store).fetch(FINISH, [sorted(finished), sorted(self._runner.workers)])
            self._to_finish -= finished

    async def _look_elsewhere(self, store: Store) -> Elsewhere:
        return await errands.look_elsewhere(store, self._claims.jobs.keys())

    async def _claim(self, batches: list[Batch]) -> list[Batch]:
        if not batches:
            return []
        jobs = [job for batch in batches for job in batch.jobs]
        ours: list[Batch] = []
        try:
            async with self._transactions.begin() as store:
                ours, lost = await self._runner.claim(
                    store, self._workers.manager, self._workers.number, batches
                )
        except BaseException:  # Perhaps it was committed all the same.
            self._to_finish |= self._runner.left(jobs)
            raise
        kept = {job.id for batch in ours for job in batch.jobs}
        used = {self._runner.errands[job_id] for job_id in kept}
        self._to_finish -= used  # Of the same number, and lost with a server.
        self._to_finish |= self._runner.left([job for job in jobs if job.id not in kept]) - used
        for job in lost:
            self._starter.elsewhere.add(job.id, job.kind, job.lane, job.key)
        return ours

    async def _work(self, batch: Batch) -> None:
        try:
            await super()._work(batch)
        finally:
            self._to_finish |= self._runner.left(batch.jobs)

    async def _pull_back(self, last: datetime, now: datetime) -> int:
        async with self._transactions.begin() as store:
            await connection_of(store).fetch(TURN)
            running = {row[0] for row in await connection_of(store).fetch(errands.RUNNING)}
            return await rows.pull_back(store, last, now, running)

    async def _park_unknown(self) -> None:
        """Not while others work: they may be a newer version, whose jobs these are."""
        async with self._transactions.read() as store:
            ((others,),) = await connection_of(store).fetch(OTHERS, [self._workers.number])
        if others:
            self._knows_kinds = True
            return
        await super()._park_unknown()
