"""The desk and the ports it stands on: store, clock, work queue, channels, media."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from desk import ids
from desk.bell import Bell as Bell  # Part of these ports, in a file of its own.
from desk.ids import ulid as ulid  # The same.
from desk.limits import ChannelLimits as ChannelLimits  # The same.
from desk.limits import Rate as Rate
from desk.model import Card, Inbound, Job, Lane, Receipt, RemoteFile, Rendered
from desk.policy import Policy

R = TypeVar("R")


class Stale(Exception):
    """A record was changed by somebody else since it was read: read again, decide again."""


class Unavailable(Exception):
    """The store cannot serve just now; nothing of this transaction is kept, and asking again later may work."""


class Clock(Protocol):
    """The only source of the present."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""


class Store(Protocol):
    """Records in one open transaction. Everything is undone together when the transaction fails.

    Criteria are `field=value`, `field_in=[…]`, `field_not=value`, `field_to=moment` (<=), `field_from=moment` (>=),
    `field_has="text"` (literal substring). Record types are the frozen dataclasses of the model files.
    """

    async def add(self, *records: Any) -> None:
        """Insert records; those of one type go in one statement. An existing id is an error."""

    async def add_later(self, *records: Any) -> None:
        """Like `add`, written with the next statement or the commit; an existing id is an error then."""

    async def add_missing(self, *records: Any) -> None:
        """Insert each record unless its id exists, with the next statement or the commit."""

    async def add_new(self, *records: Any) -> list[bool]:
        """Insert each record unless its id (or the type's unique columns) exists; says which were new."""

    async def get(self, kind: type[R], /, record_id: str) -> R | None:
        """The record with this id, or None."""

    async def find(
        self, kind: type[R], /, *, order: Sequence[str] = ("id",), limit: int | None = None, **criteria: Any
    ) -> list[R]:
        """Records that match, in order; a leading "-" sorts downward."""

    async def hold(self, kind: type[R], /, ids: Sequence[str]) -> list[R]:
        """Those of these ids that there are; nobody else changes them before this transaction ends."""
        ...

    async def count(self, kind: type[Any], /, **criteria: Any) -> int:
        """How many match."""

    async def change(self, record: R, **changes: Any) -> R:
        """Write changes if nobody changed the record since it was read, and return it with version + 1.

        Raises Stale otherwise."""

    async def change_all(self, records: Sequence[R], **changes: Any) -> None:
        """Write the same changes into records of one type. Raises Stale when one was changed since it was read."""
        ...

    async def change_each(self, changes: Sequence[tuple[R, Mapping[str, Any]]]) -> list[R]:
        """Write each record's own changes, those of equal fields in one statement; returns them as they are now.

        Records of one type, each at most once. Raises Stale when one was changed since it was read."""
        ...

    async def remove(self, kind: type[Any], /, ids: Sequence[str]) -> None:
        """Delete by id; ids that are gone already are no error."""

    async def next_sequence(self, name: str) -> int:
        """1, 2, 3 … per name, without gaps: a rolled-back number is given again."""

    async def append_log(self, lines: Sequence["LogEntry"]) -> None:
        """Chain lines to the duty log, in order (sequence, previous hash and hash are made here)."""


@dataclass(frozen=True)
class LogEntry:
    """A line for the duty log before it is chained."""

    at: datetime
    kind: str
    subject: str
    actor: str
    facts: Mapping[str, Any]


class Transactions(Protocol):
    """Opens transactions on the store; commits at the end of the block, undoes it on an exception."""

    def begin(self) -> AbstractAsyncContextManager[Store]:
        """A writing transaction: on SQLite one at a time, in fair turns; on PostgreSQL several, any may be Stale."""

    def read(self) -> AbstractAsyncContextManager[Store]:
        """A reading view that never waits for a writer."""


@dataclass(frozen=True)
class Depth:
    """How much work waits, for those who watch the desk."""

    waiting: Mapping[tuple[Lane, str], int]  # (lane, kind) -> jobs due now or later, running ones included.
    parked: int  # Given up after their last retry; on the desk with their errors.
    oldest_due_at: datetime | None  # Of what is due and not done.


class WorkQueue(Protocol):
    """Durable due work, put inside the caller's transaction. Two engines: embedded and Procrastinate.

    A job runs at least once: handlers compare and set, so that a late, doubled or replayed run does nothing."""

    async def put(self, store: Store, jobs: Sequence[Job]) -> None:
        """Put jobs in the open transaction; an id that is waiting already is left as it is.

        An id that is just running is kept to run once more, so that a handler may put its own job again."""

    async def cancel(self, store: Store, ids: Sequence[str]) -> None:
        """Forget jobs that have not run."""

    async def done(self, store: Store, jobs: Sequence[Job]) -> None:
        """For a handler: what these jobs asked for is in this transaction, and they end with it.

        Optional: what a handler leaves is ended after it returned."""

    async def retry(self, store: Store, ids: Sequence[str]) -> None:
        """Let parked jobs run again, with all their retries; others are left as they are."""

    def handle(self, kind: str, handler: "Handler", *, batch_max: int = 1, at_once: int = 4) -> None:
        """Register the handler of a kind, before the queue runs.

        With batch_max > 1 it is given many jobs at once, in order; when it raises they are given one by one.
        At most `at_once` runs of a kind at the same time; 1 makes the kind serial."""

    def wake(self) -> None:
        """Something was committed: look now."""

    async def depth(self) -> Depth:
        """What waits, what is parked, and since when the oldest is due."""


class Postpone(Exception):
    """Raised by a handler: not now, try again then (those it has not called done); no failed attempt."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until.isoformat())
        self.until = until


Handler = Callable[[Sequence[Job]], Awaitable[None]]
# (channel, event id, sender, raw): returns once durable
Take = Callable[[str, str, str, bytes], Awaitable[None]]


class Channel(Protocol):
    """A way to people. It knows its vendor and no flow."""

    name: str
    limits: ChannelLimits

    def parse(self, raw: bytes) -> Inbound | None:
        """What a stored event means; None when it means nothing to us. Pure. Raises ValueError on nonsense."""

    async def send(self, message: Rendered, to: Sequence[str], *, key: str) -> list[Receipt]:
        """Hand a message to the platform for up to `batch_max` addresses; one receipt each, in their order.

        `key` names this sending: a repeat has the same key, message and addresses, in the same order."""

    async def amend(self, message: Rendered, cards: Sequence[Card]) -> list[Receipt]:
        """Replace the words and buttons of up to `batch_max` messages sent before; one receipt each, in order."""

    async def settle(self, interaction: str, text: str) -> None:
        """Answer a button press so that the phone stops waiting; failures are not errors."""

    def fetch(self, file: RemoteFile) -> AsyncIterator[bytes]:
        """The bytes of a remote file in pieces. Raises FetchFailed."""

    async def run(self, take: Take) -> None:
        """Receive until cancelled: every event goes through `take` before the platform is told ok."""

    async def check(self) -> str:
        """One line saying the channel is reachable and as who. Raises ChannelFault with the cure."""


class FetchFailed(Exception):
    """A remote file could not be had; `permanent` when asking again is useless."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


class ChannelFault(Exception):
    """A channel cannot work as configured; the text names the cure."""


class Media(Protocol):
    """Bytes on disk by digest, written and flushed before the row that names them."""

    async def keep(self, pieces: AsyncIterator[bytes], bytes_max: int) -> tuple[str, int]:
        """Store bytes; returns (SHA-256 hex, count). Raises FetchFailed when there are too many."""

    def path(self, digest: str) -> str:
        """Where the bytes are."""


class Door(Protocol):
    """Opens desks. The switchboard, the queue and the web hold one; only they read the clock."""

    bell: Bell
    clock: Clock
    policy: Policy

    def open(self) -> AbstractAsyncContextManager["Desk"]:
        """A desk: one writing transaction at one frozen moment, flushed and committed at the end."""

    def read(self) -> AbstractAsyncContextManager[Store]:
        """A reading view."""


@dataclass
class Desk:
    """One open transaction at one frozen moment; all a job may touch."""

    store: Store
    now: datetime
    policy: Policy
    queue: WorkQueue
    pace: float = 1.0  # The demonstration's fast clock: 60 makes a minute last a second.
    doubts_clock: bool = (
        False  # A second clock disagrees: nothing that harms a person happens by `now` alone.
    )
    clock_jump: tuple[datetime, timedelta] | None = (
        None  # When and how far the clock last went ahead at once.
    )
    _lines: list[LogEntry] = field(default_factory=list)
    _jobs: list[Job] = field(default_factory=list)
    _records: list[Any] = field(default_factory=list)
    _last_id: int = 0

    def new_id(self) -> str:
        """A new id: 26 characters, sorts by time, within one desk in the order of making, not guessable."""
        self._last_id = ids.after(self._last_id, self.now)
        return ids.written(self._last_id)

    def minutes(self, count: float) -> timedelta:
        """A span of office minutes, shorter when the fast clock is on."""
        return timedelta(minutes=count / self.pace)

    def log(self, kind: str, subject: str, actor: str = "system", **facts: Any) -> None:
        """Write a line into the duty log; it is stored with the transaction."""
        self._lines.append(LogEntry(self.now, kind, subject, actor, facts))

    def due(
        self, kind: str, ref: str, at: datetime, *, key: str = "", lane: Lane = Lane.urgent, name: str = ""
    ) -> None:
        """Something must happen at a moment. With `name` the same work is never queued twice."""
        self._jobs.append(Job(name or self.new_id(), kind, ref, at, key, lane))

    def later(self, *records: Any) -> None:
        """New records nobody reads again in this transaction: stored together at its end."""
        self._records.extend(records)

    def collected(self, kind: type[R]) -> list[R]:
        """The records of a type that `later` collected and nothing has written yet."""
        return [record for record in self._records if isinstance(record, kind)]

    async def write_records(self) -> None:
        """Write what `later` collected now, because somebody in this transaction looks for it."""
        if self._records:
            await self.store.add_later(*self._records)
            self._records.clear()

    async def flush(self) -> bool:
        """Write what was collected and say whether work was put; called by the door at the end of the transaction."""
        has_work = bool(self._jobs)
        await self.write_records()
        if self._jobs:
            await self.queue.put(self.store, self._jobs)
            self._jobs.clear()
        if self._lines:
            await self.store.append_log(self._lines)
            self._lines.clear()
        return has_work
