"""What happens to the rows of jobs: ended, tried again later, parked, postponed, moved when the clock steps back."""

import logging
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from desk.model import Job, Lane
from desk.ports import Depth, Store, Transactions

log = logging.getLogger(__name__)

BACK_OFF_SECONDS = (1.0, 5.0, 30.0, 120.0, 600.0)
JITTER = 0.2
ERROR_MAX = 500
TICK = timedelta(microseconds=1)  # The smallest difference between two due times.


def as_failed(job: Job, error: str, now: datetime) -> Job:
    """The job after a failed run: due again after the next back-off, or parked when the last retry failed.

    The jitter follows the key, so that the jobs of one key come back in their order."""
    if job.attempts >= len(BACK_OFF_SECONDS):
        return replace(job, attempts=job.attempts + 1, parked=True, error=error[:ERROR_MAX])
    spread = random.Random(f"{job.key or job.id}/{job.attempts}").uniform(1 - JITTER, 1 + JITTER)
    due_at = now + timedelta(seconds=BACK_OFF_SECONDS[job.attempts] * spread)
    return replace(job, attempts=job.attempts + 1, due_at=due_at, error=error[:ERROR_MAX])


async def unchanged(store: Store, claimed: Collection[Job]) -> list[Job]:
    """The claimed jobs whose rows are as they were: not ended, not cancelled, not put again meanwhile."""
    if not claimed:
        return []
    rows = {row.id: row for row in await store.find(Job, id_in=[job.id for job in claimed])}
    return [job for job in claimed if job.id in rows and rows[job.id].due_at == job.due_at]


async def rewrite(store: Store, claimed: Collection[Job], turn: Callable[[Job], Job]) -> None:
    """Replace the rows that are as they were claimed, whatever their number, in three statements."""
    rows = await unchanged(store, claimed)
    if rows:
        await store.remove(Job, [row.id for row in rows])
        await store.add(*(turn(row) for row in rows))


async def pull_back(store: Store, last: datetime, now: datetime, running: Collection[str]) -> int:
    """The clock stepped back: what was due already stays due, in its order, and back-offs keep their length."""
    due = await store.find(Job, parked=False, due_at_from=now, due_at_to=last, order=("due_at", "id"))
    longest = timedelta(seconds=BACK_OFF_SECONDS[-1] * (1 + JITTER))
    waiting = await store.find(
        Job, parked=False, attempts_from=1, due_at_from=last + TICK, due_at_to=last + longest
    )
    due = [job for job in due if job.id not in running]
    moved = [replace(job, due_at=now - place * TICK) for place, job in enumerate(reversed(due))]
    moved += [replace(job, due_at=job.due_at - (last - now)) for job in waiting]
    await store.remove(Job, [job.id for job in moved])
    if moved:
        await store.add(*moved)
    return len(moved)


async def park_unknown(transactions: Transactions, kinds: Sequence[str]) -> None:
    """Park the waiting jobs of other kinds than these, with the reason."""
    async with transactions.read() as store:
        known = sum([await store.count(Job, parked=False, kind=kind) for kind in kinds])
        if await store.count(Job, parked=False) == known:
            return
        unknown = [job for job in await store.find(Job, parked=False) if job.kind not in kinds]
    names = ", ".join(sorted({job.kind for job in unknown}))
    log.error("%d jobs of unknown kinds are parked: %s", len(unknown), names)
    async with transactions.begin() as store:
        await rewrite(store, unknown, _as_unknown)


def _as_unknown(job: Job) -> Job:
    return replace(job, parked=True, error=f"nothing handles {job.kind!r} in this version")


async def measure(store: Store, kinds: Sequence[str], now: datetime) -> Depth:
    """How much waits and since when."""
    waiting = {}
    due = []
    for lane in Lane:
        due += await store.find(Job, parked=False, lane=lane, due_at_to=now, order=("due_at", "id"), limit=1)
        for kind in kinds:
            waiting[lane, kind] = await store.count(Job, parked=False, lane=lane, kind=kind)
    parked = await store.count(Job, parked=True)
    return Depth(waiting, parked, min((job.due_at for job in due), default=None))
