"""Claims on jobs, shared by every process: a batch runs on an errand, which is one job of Procrastinate's."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from procrastinate.jobs import Job as ProcrastinateJob
from procrastinate.manager import JobManager

from bot.queue import rows
from bot.queue.picking import Batch, Elsewhere
from bot.queue.running import Runner
from bot.store.postgres import PostgresConnection
from bot.store.transaction import SqlStore
from desk.model import Job, Lane
from desk.ports import Store

CLAIM_TURN = 0x4D535451  # The advisory lock of whoever claims.
PRIORITIES = {Lane.urgent: 1, Lane.bulk: 0}

TURN = f"SELECT pg_advisory_xact_lock({CLAIM_TURN})"
# A claim lost in a crash is only made again: it need not wait for the disk. Its number may be lost too, and be given to
# another: so an errand is ours only under the number of our worker, and what runs on a lost one is told from the new.
UNHURRIED = "SET LOCAL synchronous_commit = off"
PUT = """
INSERT INTO jobs (id, kind, ref, due_at, key, lane, attempts, parked, error)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::bigint[], %s::boolean[], %s::text[])
ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, attempts = 0, error = '', again = true
    WHERE jobs.errand IS NOT NULL AND NOT jobs.again AND NOT jobs.parked
"""
START = """
SELECT (procrastinate_fetch_job_v2(ARRAY[%s]::varchar[], %s)).id FROM generate_series(1, %s)
"""
CLAIM = """
UPDATE jobs SET errand = picked.errand, again = false
FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS picked (id, due_at, errand)
WHERE jobs.id = picked.id AND jobs.due_at = picked.due_at
    AND jobs.id IN (
        SELECT waiting.id FROM jobs AS waiting
        WHERE waiting.id = ANY (%s) AND waiting.errand IS NULL AND NOT waiting.parked FOR UPDATE SKIP LOCKED
    )
    AND NOT (jobs.key <> '' AND EXISTS (
        SELECT 1 FROM jobs AS running
        WHERE running.errand IS NOT NULL AND running.lane = jobs.lane AND running.key = jobs.key
    ))
RETURNING jobs.id
"""
GIVE_BACK = "UPDATE jobs SET errand = NULL WHERE id = ANY (%s)"
RUNNING = "SELECT id, kind, lane, key FROM jobs WHERE errand IS NOT NULL"
# Whoever frees a dead worker's errand deletes it: as long as it is there and locked, the jobs are ours.
FENCE = """
SELECT id FROM procrastinate_jobs WHERE id = ANY (%s) AND worker_id = ANY (%s) AND status = 'doing' FOR KEY SHARE
"""
OURS = """
SELECT id FROM jobs WHERE id = ANY (%s) AND errand = ANY (%s) AND NOT again
    AND EXISTS (SELECT 1 FROM procrastinate_jobs AS ours WHERE ours.id = jobs.errand AND ours.worker_id = ANY (%s))
"""
END = "DELETE FROM jobs WHERE id = ANY (%s) AND errand = ANY (%s) AND NOT again"
FINISH = """
SELECT procrastinate_finish_job_v1(id, 'succeeded', true) FROM procrastinate_jobs
WHERE id = ANY (%s) AND worker_id = ANY (%s) AND status = 'doing'
"""
LOST = 0  # No errand has this number.


class TakenOver(Exception):
    """This worker was thought dead, and another runs its jobs: nothing of ours is kept."""


def connection_of(store: Store) -> PostgresConnection:
    """The connection of a transaction on PostgreSQL."""
    if not (isinstance(store, SqlStore) and isinstance(store.connection, PostgresConnection)):
        raise TypeError("This work queue needs PostgreSQL.")
    return store.connection


def put(store: Store, jobs: Sequence[Job]) -> None:
    """Put jobs in the open transaction, with its next statement.

    One that waits is locked until the end of the transaction, so that whoever runs it sees what is written here."""
    new = sorted({job.id: job for job in reversed(jobs)}.values(), key=lambda job: job.id)
    assert isinstance(store, SqlStore)
    encode = store.statements.codec(Job).encode
    columns = [list(column) for column in zip(*(encode(job) for job in new), strict=True)]
    connection_of(store).put_off(PUT, [columns])


async def look_elsewhere(store: Store, ours: Collection[str]) -> Elsewhere:
    """What other workers run."""
    found = Elsewhere()
    for job_id, kind, lane, key in await connection_of(store).fetch(RUNNING):
        if job_id not in ours:
            found.add(job_id, kind, Lane(lane), key)
    return found


class ErrandRunner(Runner):
    """Runs jobs on errands: whatever is written of a job is written only while its errand is ours."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.errands: dict[str, int] = {}  # Of each running job.
        self.workers: set[int] = set()  # The numbers we have had in the register.

    async def claim(
        self, store: Store, manager: JobManager, worker: int, batches: Sequence[Batch]
    ) -> tuple[list[Batch], list[Job]]:
        """The batches that are ours now, each on its errand, and the jobs somebody else was faster with."""
        self.workers.add(worker)
        connection = connection_of(store)
        connection.put_off(UNHURRIED)
        await connection.fetch(TURN)
        errands = await self._send_off(connection, manager, worker, batches)
        on = [(job, errand) for errand, batch in zip(errands, batches, strict=True) for job in batch.jobs]
        due_at = store.statements.codec(Job).encoders["due_at"] if isinstance(store, SqlStore) else None
        assert due_at is not None
        ids = [job.id for job, _ in on]
        values = [ids, [due_at(job.due_at) for job, _ in on], [errand for _, errand in on], ids]
        got = {job_id for (job_id,) in await connection.fetch(CLAIM, values)}
        ours, lost = _in_order(batches, got)
        if lost:
            connection.put_off(GIVE_BACK, [[[job.id for job in lost]]])
        given_anew = set(errands)
        self.errands = {one: LOST if errand in given_anew else errand for one, errand in self.errands.items()}
        self.errands.update((job.id, errand) for job, errand in on)
        return ours, lost

    async def _send_off(
        self, connection: PostgresConnection, manager: JobManager, worker: int, batches: Sequence[Batch]
    ) -> list[int]:
        """One errand for each batch, deferred and started in this transaction."""
        queue = f"muster/{worker}"
        deferred = await manager.batch_defer_jobs_async(
            [
                ProcrastinateJob(
                    id=None,
                    queue=queue,
                    lock=None,
                    queueing_lock=None,
                    task_name=batch.kind,
                    priority=PRIORITIES[batch.lane],
                    task_kwargs={"jobs": [job.id for job in batch.jobs]},
                )
                for batch in batches
            ],
            connection=connection.driver,
        )
        await connection.fetch(START, [queue, worker, len(batches)])
        return [job.id for job in deferred if job.id is not None]

    def left(self, jobs: Sequence[Job]) -> set[int]:
        """Forget jobs that run no more; says their errands."""
        return {self.errands.pop(job.id) for job in jobs if job.id in self.errands}

    async def end(self, store: Store, jobs: Sequence[Job]) -> None:
        """End jobs in an open transaction, except those that were put again. Raises TakenOver."""
        ours = [job for job in jobs if job.id in self.errands]
        rest = [job for job in jobs if job.id not in self.errands]
        if rest:
            await store.remove(Job, [job.id for job in await rows.unchanged(store, rest)])
        if ours:
            errands = sorted({self.errands[job.id] for job in ours})
            connection = connection_of(store)
            if len(await connection.fetch(FENCE, [errands, sorted(self.workers)])) < len(errands):
                raise TakenOver(f"another worker runs {ours[0].kind} {ours[0].id}")
            connection.put_off(END, [[[job.id for job in ours], errands]])
        self.ended.update(job.id for job in jobs if job.id in self.running)

    async def unchanged(self, store: Store, jobs: Sequence[Job]) -> list[Job]:
        """Those of running jobs that are still ours, as they were."""
        return await self._ours(store, jobs, OURS)

    async def rewrite(self, store: Store, jobs: Sequence[Job], turn: Callable[[Job], Job]) -> None:
        """Replace the rows of running jobs that are still ours, as they were."""
        ours = await self._ours(store, jobs, f"{OURS} FOR UPDATE")
        if ours:
            await store.remove(Job, [job.id for job in ours])
            await store.add(*(turn(job) for job in ours))

    async def _ours(self, store: Store, jobs: Sequence[Job], query: str) -> list[Job]:
        errands = sorted({self.errands[job.id] for job in jobs if job.id in self.errands})
        values = [[job.id for job in jobs], errands, sorted(self.workers)]
        found = await connection_of(store).fetch(query, values)
        ids = {job_id for (job_id,) in found}
        return [job for job in jobs if job.id in ids]


def _in_order(batches: Sequence[Batch], got: Collection[str]) -> tuple[list[Batch], list[Job]]:
    """Each batch without what was not got, and without what would overtake that on its key."""
    ours, lost = [], []
    for batch in batches:
        held_up: set[str] = set()
        kept = []
        for job in batch.jobs:
            if job.id in got and job.key not in held_up:
                kept.append(job)
                continue
            lost.append(job)
            if job.key:
                held_up.add(job.key)
        if kept:
            ours.append(Batch(batch.kind, batch.lane, tuple(kept)))
    return ours, lost
