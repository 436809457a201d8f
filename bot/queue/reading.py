"""Reads the rows of jobs that may start: in one look when few are due, else page by page of each kind."""

from collections.abc import Mapping, Set
from datetime import datetime

from bot.queue.picking import Claims, Elsewhere, Kind
from bot.queue.rows import TICK
from desk.model import Job, Lane
from desk.ports import Store

FIRST_MAX = 16  # So many waiting jobs of a lane are read at once: what is due is seldom more.
RUNNING_FEW = 32  # With more rows of running jobs among them, each kind is asked for by itself.


class Reader:
    """Reads what is due of a lane, with room for the rows of what runs already."""

    def __init__(self, claims: Claims, kinds: Mapping[str, Kind]) -> None:
        self._claims = claims
        self._kinds = kinds
        self.elsewhere = Elsewhere()  # As it was at the beginning of this look.

    async def all_due(self, store: Store, lane: Lane, now: datetime) -> tuple[list[Job], Job | None] | None:
        """Everything due of a lane in its order, and the job that falls due next, if any.

        None when that is more than one look should read."""
        running = self._claims.count_in(lane) + self.elsewhere.count(lane)
        if running > RUNNING_FEW:
            return None
        limit = FIRST_MAX + running
        first = await store.find(Job, parked=False, lane=lane, order=("due_at", "id"), limit=limit)
        if len(first) == limit and first[-1].due_at <= now:
            return None
        due = [job for job in first if job.due_at <= now]
        return due, first[len(due)] if len(due) < len(first) else None

    async def coming(self, store: Store, lane: Lane, now: datetime) -> Job | None:
        """The job of a lane that falls due next, if any."""
        found = await store.find(
            Job, parked=False, lane=lane, due_at_from=now + TICK, order=("due_at", "id"), limit=1
        )
        return found[0] if found else None

    async def pages(
        self, store: Store, lane: Lane, now: datetime, kinds: Mapping[str, int]
    ) -> tuple[list[Job], list[str]]:
        """The first due jobs of these kinds, so many pages of each, in order; and of which kinds there may be more."""
        pages: list[list[Job]] = []
        full = []
        for kind, times in kinds.items():
            limit = times * (self._claims.page_for(kind, lane) + self.elsewhere.count(lane, kind))
            found = await store.find(
                Job, parked=False, lane=lane, kind=kind, due_at_to=now, order=("due_at", "id"), limit=limit
            )
            pages.append(found)
            if len(found) == limit:
                full.append(kind)
        partly = {*full, *(kind for kind in self._kinds if kind not in kinds)}
        due = {job.id: job for page in pages for job in page}
        for page in pages:
            due |= {job.id: job for job in await self._before(store, page, partly)}
        return sorted(due.values(), key=lambda job: (job.due_at, job.id)), full

    async def _before(self, store: Store, page: list[Job], partly: Set[str]) -> list[Job]:
        """Jobs not read yet, of other kinds, that come before one of a page on its key."""
        others = [kind for kind in partly if page and kind != page[0].kind]
        keys = {job.key for job in page if job.key}
        if not others or not keys:
            return []
        last = page[-1]
        return await store.find(
            Job, parked=False, lane=last.lane, kind_in=others, key_in=list(keys), due_at_to=last.due_at
        )
