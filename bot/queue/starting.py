"""Starts what is due, lane by lane, and remembers what has to wait for the end of something that runs."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.queue.picking import Batch, Claims, Elsewhere, Kind, pick
from bot.queue.reading import Reader
from desk.model import Job, Lane
from desk.ports import Store

FAR = datetime.max.replace(tzinfo=UTC)
What = tuple[Lane, str]  # A lane and a kind.


@dataclass(frozen=True)
class _End:
    """What the end of a batch gave free."""

    lane: Lane
    kind: str
    keys: Set[str]
    had_room: bool  # Before it: a worker alone helps nobody who had one.


class Starter:
    """Fills free workers with due jobs. Until the next look nothing new can start but what `news` names."""

    def __init__(
        self,
        claims: Claims,
        kinds: Mapping[str, Kind],
        claim: Callable[[list[Batch]], Awaitable[list[Batch]]],
        start: Callable[[Batch], None],
    ) -> None:
        self._claims = claims
        self._kinds = kinds
        self._claim = claim
        self._start = start
        self._reader = Reader(claims, kinds)
        # Kinds of which something due waits for a worker, for a place, or for one of these keys.
        self._held_up: dict[Lane, dict[str, Set[str]]] = {lane: {} for lane in Lane}
        self._ends: list[_End] | None = None  # Those of batches that ended while this look goes on.
        self._open: set[str] = set()  # The kinds of which this look may still start something.
        self._released: set[str] = set()  # Jobs that ended since the rows were last read.
        self.news: set[What] = set()  # What may start since something ended.
        self.next_due = dict.fromkeys(Lane, FAR)  # When the first job not due yet falls due, or before it.

    @property
    def elsewhere(self) -> Elsewhere:
        """What other processes run as this look finds it."""
        return self._reader.elsewhere

    @elsewhere.setter
    def elsewhere(self, found: Elsewhere) -> None:
        self._reader.elsewhere = found

    @contextmanager
    def look(self) -> Iterator[None]:
        """The rows are read inside the block, and nothing of them before it."""
        self._released.clear()
        self._open = set(self._kinds)
        self._ends = []
        try:
            yield
            self.news |= {what for end in self._ends for what in self._freed_by(end)}
        finally:
            self._ends = None

    def expect(self, jobs: Sequence[Job], now: datetime) -> None:
        """These jobs are put, if their transaction is committed."""
        for job in jobs:
            if job.due_at > now:
                self.next_due[job.lane] = min(job.due_at, self.next_due[job.lane])

    def wanted(self, lane: Lane, news: Collection[What]) -> list[str]:
        """The kinds to look for in a lane; none when there is news only of what has to wait in any case.

        What has to wait is noted, so that the end it waits for is news."""
        wanted = [kind for kind in self._kinds if (lane, kind) in news]
        if self._claims.room(lane) > 0 and not set(wanted).isdisjoint(self._claims.open_kinds(lane)):
            return wanted
        for kind in wanted:
            self._held_up[lane].setdefault(kind, frozenset())
        return []

    def after(self, batch: Batch) -> None:
        """The batch ended: `news` has what may start now. While a look goes on it knows that only at its end."""
        had_room = self._claims.room(Lane.bulk) > 0
        self._claims.release(batch)
        self._released.update(job.id for job in batch.jobs)
        end = _End(batch.lane, batch.kind, frozenset(job.key for job in batch.jobs if job.key), had_room)
        if self._ends is None:
            self.news |= self._freed_by(end)
        else:
            self._ends.append(end)

    def _freed_by(self, end: _End) -> set[What]:
        return {
            (lane, kind)
            for lane, held_up in self._held_up.items()
            for kind, keys in held_up.items()
            if kind == end.kind or not end.had_room or (lane is end.lane and not end.keys.isdisjoint(keys))
        }

    async def start_lane(self, store: Store, lane: Lane, now: datetime, wanted: Sequence[str]) -> None:
        """Start what may start of a lane, and note what is held up and when the next job falls due."""
        found = await self._reader.all_due(store, lane, now)
        if found is None:
            held_up = {kind: keys for kind, keys in self._held_up[lane].items() if kind not in wanted}
            held_up |= await self._start_pages(store, lane, now, wanted)
            coming = await self._reader.coming(store, lane, now)
        else:
            due, coming = found
            await self._start_some(lane, due)
            held_up = self._held_up_of(due)
        self._held_up[lane] = held_up
        self.next_due[lane] = coming.due_at if coming else FAR

    async def _start_pages(
        self, store: Store, lane: Lane, now: datetime, wanted: Sequence[str]
    ) -> dict[str, Set[str]]:
        """Fill the lane's free workers. What is due beyond full pages is read when the pages gave all they could.

        Returns what is held up of the kinds that are wanted."""
        for_a_place: dict[str, Set[str]] = dict.fromkeys(wanted, frozenset())
        times = 1
        while self._claims.room(lane) > 0:
            kinds = [kind for kind in self._claims.open_kinds(lane) if kind in wanted and kind in self._open]
            due, full = await self._reader.pages(store, lane, now, dict.fromkeys(kinds, times))
            has_started = await self._start_some(lane, due)
            if not full:
                for_keys = self._held_up_of(due)
                return {kind: for_keys[kind] for kind in kinds if kind in for_keys} | {
                    kind: keys for kind, keys in for_a_place.items() if kind not in kinds
                }
            if not has_started:
                times *= 4
        return for_a_place

    async def _start_some(self, lane: Lane, due: Sequence[Job]) -> bool:
        """Start what may start of due jobs of one lane, in their order; says whether anything did."""
        free = [job for job in due if not self.elsewhere.holds(job)]
        batches = await self._claim(
            pick(free, self._claims, self._kinds, may_start=self._open, passed_over=self._released)
        )
        for batch in batches:
            self._claims.take(batch)
            self._start(batch)
        # A place that gets free from here on is not for bulk: what is urgent gets it at the next look.
        self._open.intersection_update(self._claims.open_kinds(lane) if self._claims.room(lane) > 0 else ())
        return bool(batches)

    def _held_up_of(self, due: Sequence[Job]) -> dict[str, Set[str]]:
        """The kinds of due jobs that were not started, or are to run once more, and the keys they wait for."""
        running = self._claims.jobs
        keys: defaultdict[str, set[str]] = defaultdict(set)
        for job in due:
            if running[job.id].due_at != job.due_at if job.id in running else job.id not in self._released:
                keys[job.kind].add(job.key)
        return dict(keys)
