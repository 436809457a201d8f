"""Starts what is due, lane by lane, and remembers what has to wait for the end of something that runs."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime

from bot.queue.picking import Batch, Claims, Elsewhere, Kind, pick
from bot.queue.reading import Reader
from desk.model import Job, Lane
from desk.ports import Store

FAR = datetime.max.replace(tzinfo=UTC)
What = tuple[Lane, str]  # A lane and a kind.


class Starter:
    """Fills free workers with due jobs. Between two looks nothing new can start but what `after` names."""

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
        # Kinds of which something due waits for a worker, a place or one of these keys; None: whatever ends.
        self._held_up: dict[Lane, dict[str, Set[str] | None]] = {lane: {} for lane in Lane}
        self._before = self._held_up  # As it was before this look.
        self._open: set[str] = set()  # The kinds of which this look may still start something.
        self._released: set[str] = set()  # Jobs that ended since the rows were last read.
        self.next_due = dict.fromkeys(Lane, FAR)  # When the first job not due yet falls due, or before it.

    @property
    def elsewhere(self) -> Elsewhere:
        """What other processes ran when this look began."""
        return self._reader.elsewhere

    def begin(self, elsewhere: Elsewhere, lanes: Iterable[Lane]) -> None:
        """The rows of these lanes are read from here on."""
        self._before = {lane: self._held_up[lane] for lane in lanes}
        self._held_up |= {lane: dict.fromkeys(self._kinds) for lane in lanes}  # Whatever ends: look again.
        self._reader.elsewhere = elsewhere
        self._released.clear()
        self._open = set(self._kinds)

    def expect(self, jobs: Sequence[Job], now: datetime) -> None:
        """These jobs are put, if their transaction is committed."""
        for job in jobs:
            if job.due_at > now:
                self.next_due[job.lane] = min(job.due_at, self.next_due[job.lane])

    def wanted(self, lane: Lane, news: Collection[What]) -> list[str]:
        """The kinds to look for in a lane; none when there is news only of what has to wait in any case."""
        wanted = [kind for kind in self._kinds if (lane, kind) in news]
        if self._claims.room(lane) > 0 and not set(wanted).isdisjoint(self._claims.open_kinds(lane)):
            return wanted
        for kind in wanted:
            self._held_up[lane].setdefault(kind, frozenset())
        return []

    def after(self, batch: Batch) -> set[What]:
        """The batch ended: what may start now that waited behind its keys, for a place of its kind, or for a worker."""
        had_room = self._claims.room(Lane.bulk) > 0
        self._claims.release(batch)
        self._released.update(job.id for job in batch.jobs)
        freed = {job.key for job in batch.jobs if job.key}
        return {
            (lane, kind)
            for lane, held_up in self._held_up.items()
            for kind, keys in held_up.items()
            if kind == batch.kind
            or not had_room
            or keys is None
            or (lane is batch.lane and not freed.isdisjoint(keys))
        }

    async def start_lane(self, store: Store, lane: Lane, now: datetime, wanted: Sequence[str]) -> None:
        """Start what may start of a lane, and note what is held up and when the next job falls due."""
        found = await self._reader.all_due(store, lane, now)
        if found is None:
            held_up = {kind: keys for kind, keys in self._before[lane].items() if kind not in wanted}
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
    ) -> dict[str, Set[str] | None]:
        """Fill the lane's free workers. What is due beyond full pages is read when the pages gave all they could.

        Returns what is held up of the kinds that are wanted."""
        for_a_place: dict[str, Set[str] | None] = dict.fromkeys(wanted, frozenset())
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

    def _held_up_of(self, due: Sequence[Job]) -> dict[str, Set[str] | None]:
        """The kinds of due jobs that were not started, or are to run once more, and the keys they wait for."""
        running = self._claims.jobs
        keys: defaultdict[str, set[str]] = defaultdict(set)
        for job in due:
            if running[job.id].due_at != job.due_at if job.id in running else job.id not in self._released:
                keys[job.kind].add(job.key)
        return dict(keys)
