"""Chooses which due jobs run next: in order per key, urgent before bulk, within what may run at once."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from desk.model import Job, Lane
from desk.ports import Handler


@dataclass(frozen=True)
class Bounds:
    """How much runs at the same time, and how long."""

    workers_max: int = 16
    bulk_max: int = 6  # Of the workers: the rest is always free for what is urgent.
    run_seconds_max: float = 600.0
    finish_seconds: float = 4.0  # What runs at the stop may take this long; the whole desk has ten.


@dataclass(frozen=True)
class Kind:
    """How jobs of a kind are run."""

    handler: Handler
    batch_max: int
    at_once: int


@dataclass(frozen=True)
class Batch:
    """Jobs of one kind and lane that are handed to the handler together."""

    kind: str
    lane: Lane
    jobs: tuple[Job, ...]


class Claims:
    """What runs now, and what may still be started beside it."""

    def __init__(self, kinds: Mapping[str, Kind], bounds: Bounds) -> None:
        self._kinds = kinds
        self._bounds = bounds
        self.jobs: dict[str, Job] = {}
        self._keys: set[tuple[Lane, str]] = set()
        self._lanes: Counter[Lane] = Counter()
        self._kinds_running: Counter[str] = Counter()
        self._bulk_running: Counter[str] = Counter()

    def take(self, batch: Batch) -> None:
        """These jobs, their keys and a worker are taken."""
        self.jobs.update((job.id, job) for job in batch.jobs)
        self._keys.update((job.lane, job.key) for job in batch.jobs if job.key)
        self._count(batch, 1)

    def release(self, batch: Batch) -> None:
        """These jobs ended or wait again."""
        for job in batch.jobs:
            del self.jobs[job.id]
        self._keys.difference_update((job.lane, job.key) for job in batch.jobs if job.key)
        self._count(batch, -1)

    def holds(self, job: Job) -> bool:
        """Whether the job runs, or must wait for one of its key that runs."""
        return job.id in self.jobs or (job.key != "" and (job.lane, job.key) in self._keys)

    def count_in(self, lane: Lane, kind: str | None = None) -> int:
        """How many jobs of a lane, and of a kind, run."""
        return sum(job.lane is lane and kind in (None, job.kind) for job in self.jobs.values())

    def page_for(self, kind: str, lane: Lane) -> int:
        """How many due jobs to read of this kind: what may start, as much again for held keys, and what runs."""
        return 2 * self._kinds[kind].batch_max * self.room_for(kind, lane) + self.count_in(lane, kind)

    def room(self, lane: Lane) -> int:
        """How many more batches of a lane may start; bulk always leaves workers for what is urgent."""
        free = self._bounds.workers_max - self._lanes.total()
        return free if lane is Lane.urgent else min(free, self._bounds.bulk_max - self._lanes[Lane.bulk])

    def room_for(self, kind: str, lane: Lane) -> int:
        """How many more batches of this kind may start in the lane; bulk leaves one place for what is urgent."""
        at_once = self._kinds[kind].at_once
        free = at_once - self._kinds_running[kind]
        if lane is Lane.bulk and at_once > 1:
            free = min(free, at_once - 1 - self._bulk_running[kind])
        return free

    def open_kinds(self, lane: Lane) -> list[str]:
        """The kinds of which another batch may start in this lane."""
        return [kind for kind in self._kinds if self.room_for(kind, lane) > 0]

    def _count(self, batch: Batch, change: int) -> None:
        self._lanes[batch.lane] += change
        self._kinds_running[batch.kind] += change
        if batch.lane is Lane.bulk:
            self._bulk_running[batch.kind] += change


class Elsewhere:
    """What other processes run just now."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._keys: set[tuple[Lane, str]] = set()
        self._counts: Counter[tuple[str, Lane]] = Counter()

    def add(self, job_id: str, kind: str, lane: Lane, key: str) -> None:
        """Somebody has this job, and with it its key."""
        self._ids.add(job_id)
        self._counts[kind, lane] += 1
        if key:
            self._keys.add((lane, key))

    def holds(self, job: Job) -> bool:
        """Whether somebody runs the job, or one of its key."""
        return job.id in self._ids or (job.lane, job.key) in self._keys

    def count(self, lane: Lane, kind: str | None = None) -> int:
        """How many jobs of a lane, and of a kind, others run."""
        if kind is None:
            return sum(count for (_, of), count in self._counts.items() if of is lane)
        return self._counts[kind, lane]


@dataclass
class _Pick:
    """One walk over due jobs."""

    claims: Claims
    kinds: Mapping[str, Kind]
    lane: Lane
    may_start: Set[str]
    batches: list[list[Job]] = field(default_factory=list)
    open: dict[str, list[Job]] = field(default_factory=dict)  # The batch of a kind that still has room.
    keys: dict[str, list[Job] | None] = field(default_factory=dict)  # Who has a key; None: it must wait.

    def offer(self, job: Job) -> None:
        """Put the job into a batch, or leave it and everything behind it on its key."""
        batch = self._open_for(job)
        if job.key and job.key in self.keys:
            # Behind another job of its key: only in the same batch is their order kept.
            if batch is None or self.keys[job.key] is not batch:
                self.keys[job.key] = None
                return
        elif batch is None:
            batch = self._start(job)
        if job.key:
            self.keys[job.key] = batch
        if batch is not None:
            batch.append(job)

    def _open_for(self, job: Job) -> list[Job] | None:
        batch = self.open.get(job.kind)
        if batch is None or job.attempts or len(batch) >= self.kinds[job.kind].batch_max:
            return None
        return batch

    def _start(self, job: Job) -> list[Job] | None:
        if job.kind not in self.may_start:
            return None
        started = sum(batch[0].kind == job.kind for batch in self.batches)
        room = min(
            self.claims.room(self.lane) - len(self.batches),
            self.claims.room_for(job.kind, self.lane) - started,
        )
        if room <= 0:
            return None
        batch: list[Job] = []
        self.batches.append(batch)
        if not job.attempts:  # What failed before runs alone, so that it spoils no batch again.
            self.open[job.kind] = batch
        return batch


def pick(
    due: Sequence[Job],
    claims: Claims,
    kinds: Mapping[str, Kind],
    *,
    may_start: Set[str] | None = None,
    passed_over: Set[str] = frozenset(),
) -> list[Batch]:
    """The batches that may start now from one lane's due jobs, which come in their order; takes nothing yet.

    Jobs of kinds that may not start hold their keys all the same; those passed over are as good as gone."""
    if not due:
        return []
    walk = _Pick(claims, kinds, due[0].lane, kinds.keys() if may_start is None else may_start)
    for job in due:
        if job.kind in kinds and job.id not in passed_over and not claims.holds(job):
            walk.offer(job)
    return [Batch(jobs[0].kind, walk.lane, tuple(jobs)) for jobs in walk.batches]
