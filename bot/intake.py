"""The transactional inbox: an event is on disk before its platform is told ok, and all that wait share a commit."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from desk.model import InboxRow, Job, Lane, Setting
from desk.ports import Bell, Clock, Desk, Store, Transactions, Unavailable, WorkQueue

HEAR = "hear"  # One stored event, by a job of its own.
SWEEP = "sweep"  # All stored events that nobody heard yet.
GROUP_MAX = 200  # Rows in one commit.
WAITING_MAX = 5_000  # Beyond this a platform is told to come again.
FLOOD_ROWS = 8  # So many in one commit are a flood, until nothing like it came for a moment.
FLOOD_LASTS_SECONDS = 0.2
TICK = timedelta(microseconds=1)
STEP_BACK_MAX = timedelta(seconds=1)  # A clock that is set back further is believed.


class IntakeFull(Exception):
    """More events wait for the disk than the desk can hold: the platform must send them again."""


@dataclass
class _Group:
    """Events that become durable together."""

    rows: list[InboxRow]
    setting: tuple[str, str] | None = None
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class TransactionalInbox:
    """Implements `bot.channels.Intake` by group commit: one writer takes what waits, commits once, answers all.

    Who hears the events is one job for all that wait (`sweeps`), put with the first of them: a job for each would cost
    more than the event itself. Where several processes share the work each event has its own job."""

    def __init__(
        self, transactions: Transactions, queue: WorkQueue, clock: Clock, bell: Bell, *, sweeps: bool = True
    ) -> None:
        self._transactions = transactions
        self._queue = queue
        self._clock = clock
        self._bell = bell
        self._waiting: deque[_Group] = deque()
        self._count = 0
        self._writer: asyncio.Task[None] | None = None
        self._floods_until = 0.0
        self._sweeps = sweeps
        self._sweep_waits = False  # Its job is stored, and looks at the inbox after this moment.
        self._last_at: datetime | None = None

    async def take(self, channel: str, event_id: str, sender: str, raw: bytes) -> None:
        """Returns once the event is on disk; twice the same event is harmless. Raises IntakeFull, StoreUnavailable."""
        await self._join(_Group([self._row(channel, event_id, sender, raw)]))

    async def take_with(self, desk: Desk, channel: str, event_id: str, sender: str, raw: bytes) -> None:
        """Store the event in the desk's own transaction, with what the channel writes about it."""
        row = self._row(channel, event_id, sender, raw)
        [is_new] = await desk.store.add_new(row)
        if is_new:
            job = self._sweep(desk.now) if self._sweeps else hear_job(row, min(row.received_at, desk.now))
            desk.due(job.kind, job.ref, job.due_at, key=job.key, lane=job.lane, name=job.id)

    async def take_batch(
        self, channel: str, events: Sequence[tuple[str, str, bytes]], setting: tuple[str, str]
    ) -> None:
        """Store (event id, sender, raw) in order, and the setting (name, value), in one transaction."""
        await self._join(_Group([self._row(channel, *event) for event in events], setting))

    async def setting(self, name: str) -> str:
        """The value stored last with a batch; empty when there is none."""
        async with self._transactions.read() as store:
            found = await store.get(Setting, name)
        return found.value if found else ""

    async def close(self) -> None:
        """Wait until everything that came is on disk."""
        while self._writer is not None:
            await asyncio.wait([self._writer])

    async def calm(self, seconds_max: float) -> bool:
        """Waits until no flood of events comes in, at most this long; says whether it is calm.

        Taking is what platforms wait for, so hearing lets it go first, and is never held up for long."""
        loop = asyncio.get_running_loop()
        if self._count >= FLOOD_ROWS:  # They wait while somebody else writes, and are a flood all the same.
            self._floods_until = loop.time() + FLOOD_LASTS_SECONDS
        ends_at = loop.time() + seconds_max
        while (left := min(self._floods_until, ends_at) - loop.time()) > 0:
            await asyncio.wait([loop.create_future()], timeout=left)
        return loop.time() >= self._floods_until

    def swept(self) -> None:
        """For the sweep, in the transaction that ends it: whatever comes next needs a new one."""
        self._sweep_waits = False

    @property
    def waiting(self) -> int:
        """Events that are not on disk yet."""
        return self._count

    def _row(self, channel: str, event_id: str, sender: str, raw: bytes) -> InboxRow:
        return InboxRow(f"{channel}/{event_id}", channel, sender, self._arrival(), raw)

    def _arrival(self) -> datetime:
        """The present, later than every arrival before it: events are heard in this order."""
        now, last = self._clock.now(), self._last_at
        if last is not None and now <= last < now + STEP_BACK_MAX:
            now = last + TICK
        self._last_at = now
        return now

    async def _join(self, group: _Group) -> None:
        if self._count + len(group.rows) > WAITING_MAX:
            raise IntakeFull(f"{self._count} events wait for the disk")
        self._waiting.append(group)
        self._count += len(group.rows)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name="intake")
        await group.done

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                await self._write_some()
        finally:
            self._writer = None

    async def _write_some(self) -> None:
        taken: list[_Group] = []
        try:
            async with self._writing() as store:
                taken = self._next_groups()  # Only now: what came while we waited for our turn goes along.
                await self._store_groups(store, taken)
        except Unavailable as error:
            if not taken:  # Nobody's turn came: all who wait are told now, not one after the other.
                taken, self._waiting = list(self._waiting), deque()
            self._settle(taken, error)
        except Exception as error:
            if len(taken) > 1:  # One of them cannot be stored: that must not keep the others out.
                for group in taken:
                    await self._write_alone(group)
            else:
                self._settle(taken or [self._waiting.popleft()], error)
        else:
            self._succeed(taken)

    async def _write_alone(self, group: _Group) -> None:
        try:
            async with self._writing() as store:
                await self._store_groups(store, [group])
        except Exception as error:  # Its platform is told, and sends it again.
            self._settle([group], error)
        else:
            self._succeed([group])

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Store]:
        try:
            async with self._transactions.begin() as store:
                yield store
        except BaseException:
            self._sweep_waits = False  # Its job may not be stored: the next commit puts it again.
            raise

    def _next_groups(self) -> list[_Group]:
        taken = [self._waiting.popleft()]
        rows = len(taken[0].rows)
        while self._waiting and rows + len(self._waiting[0].rows) <= GROUP_MAX:
            taken.append(self._waiting.popleft())
            rows += len(taken[-1].rows)
        return taken

    async def _store_groups(self, store: Store, groups: list[_Group]) -> None:
        rows = [row for group in groups for row in group.rows]
        if rows:
            await store.add_missing(*rows)
            await self._put_work(store, rows)
        for group in groups:
            if group.setting is not None:
                await put_setting(store, *group.setting)

    async def _put_work(self, store: Store, rows: list[InboxRow]) -> None:
        """Also for what came before: whoever hears it again finds it heard, which costs less than asking first."""
        now = self._clock.now()
        if not self._sweeps:
            await self._queue.put(store, [hear_job(row, min(row.received_at, now)) for row in rows])
        elif not self._sweep_waits:
            await self._queue.put(store, [self._sweep(now)])
            self._sweep_waits = True

    @staticmethod
    def _sweep(now: datetime) -> Job:
        return Job(SWEEP, SWEEP, "", now, lane=Lane.urgent)

    def _succeed(self, groups: list[_Group]) -> None:
        self._settle(groups, None)
        if sum(len(group.rows) for group in groups) >= FLOOD_ROWS:
            self._floods_until = asyncio.get_running_loop().time() + FLOOD_LASTS_SECONDS
        self._queue.wake()
        self._bell.ring()

    def _settle(self, groups: list[_Group], error: Exception | None) -> None:
        for group in groups:
            self._count -= len(group.rows)
            if group.done.done():
                continue
            if error is None:
                group.done.set_result(None)
            else:
                group.done.set_exception(error)


def hear_job(row: InboxRow, at: datetime) -> Job:
    """The work of hearing one inbox row, in order per sender."""
    return Job(f"{HEAR}/{row.id}", HEAR, row.id, at, f"from:{row.channel}:{row.sender}", Lane.urgent)


async def put_setting(store: Store, name: str, value: str) -> None:
    """Write a setting, new or changed."""
    found = await store.get(Setting, name)
    if found is None:
        await store.add(Setting(name, value))
    elif found.value != value:
        await store.change(found, value=value)
