"""A work queue that does what is due when a test says so: the port's promises without a second of waiting."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from desk.model import Job, Lane
from desk.ports import Clock, Depth, Handler, Postpone, Stale, Store, Transactions

STALE_RUNS_MAX = 3
ROUNDS_MAX = 3_000  # At one moment; five hundred people answering at once need fewer.


@dataclass(frozen=True)
class Kind:
    """How jobs of a kind are run."""

    handler: Handler
    batch_max: int


class StepQueue:
    """Implements `desk.ports.WorkQueue`. A job that fails is parked with its error, so that a test sees it."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock
        self._kinds: dict[str, Kind] = {}
        self._running: dict[str, Job] = {}
        self._again: dict[str, Job] = {}
        self._ended: set[str] = set()

    async def put(self, store: Store, jobs: Sequence[Job]) -> None:
        for job, is_new in zip(jobs, await store.add_new(*jobs), strict=True):
            if not is_new and job.id in self._running:
                self._again[job.id] = job

    async def cancel(self, store: Store, ids: Sequence[str]) -> None:
        await store.remove(Job, ids)

    async def done(self, store: Store, jobs: Sequence[Job]) -> None:
        self._ended.update(job.id for job in jobs)
        await store.remove(Job, [job.id for job in jobs])

    async def retry(self, store: Store, ids: Sequence[str]) -> None:
        for job in await store.find(Job, id_in=list(ids), parked=True):
            await store.change(job, parked=False, attempts=0, error="")

    def handle(self, kind: str, handler: Handler, *, batch_max: int = 1, at_once: int = 4) -> None:
        self._kinds[kind] = Kind(handler, batch_max)

    def wake(self) -> None:
        """Whoever wants the work done calls `run_due`."""

    async def depth(self) -> Depth:
        async with self._transactions.read() as store:
            waiting = await store.find(Job, parked=False)
            parked = await store.count(Job, parked=True)
        keys = {(job.lane, job.kind) for job in waiting}
        counts = {key: sum((job.lane, job.kind) == key for job in waiting) for key in keys}
        due = [job.due_at for job in waiting if job.due_at <= self._clock.now()]
        return Depth(counts, parked, min(due, default=None))

    async def run_due(self) -> None:
        """Run what is due and what that makes due: urgent first, then by due time and id; keys in order."""
        rounds = 0
        while batch := await self._next_batch():
            await self._run(batch)
            rounds += 1
            assert rounds < ROUNDS_MAX, f"At one moment the work goes round and round: {batch}"

    async def _next_batch(self) -> list[Job]:
        async with self._transactions.read() as store:
            due = await store.find(Job, parked=False, due_at_to=self._clock.now(), order=("due_at", "id"))
        lane = Lane.urgent if any(job.lane is Lane.urgent for job in due) else Lane.bulk
        batch: list[Job] = []
        held: set[str] = set()
        for job in due:
            if job.lane is not lane:
                continue
            fits = not batch or (job.kind == batch[0].kind and len(batch) < self._kinds[job.kind].batch_max)
            if fits and job.key not in held:
                batch.append(job)
            elif job.key:
                held.add(job.key)
        return batch

    async def _run(self, jobs: list[Job]) -> None:
        self._running = {job.id: job for job in jobs}
        self._again, self._ended = {}, set()
        changed: dict[str, Job] = {}
        try:
            await self._call(jobs)
        except Postpone as later:
            changed = {job.id: replace(job, due_at=later.until) for job in jobs if job.id not in self._ended}
        except Exception as error:
            changed = {job.id: replace(job, parked=True, error=repr(error)) for job in jobs}
        async with self._transactions.begin() as store:
            await store.remove(Job, [job.id for job in jobs])
            await store.add(*changed.values(), *self._again.values())
        self._running = {}

    async def _call(self, jobs: list[Job]) -> None:
        for run in range(1, STALE_RUNS_MAX + 1):
            try:
                await self._kinds[jobs[0].kind].handler(jobs)
                return
            except Stale:
                if run == STALE_RUNS_MAX:
                    raise
