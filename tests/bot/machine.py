"""The machine for its own tests: a real store, queue and door, a clock to set, and a channel that plays a script."""

import asyncio
import contextlib
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from bot import work
from bot.door import OfficeDoor
from bot.fetcher import Fetcher
from bot.intake import TransactionalInbox
from bot.media import MediaFolder
from bot.postman import Postman
from bot.queue.embedded import EmbeddedQueue
from bot.store.sql import Database
from bot.switchboard import Switchboard
from bot.wording import Wording
from desk.letters import tell
from desk.model import (
    Card,
    Choice,
    Inbound,
    Job,
    Lane,
    Letter,
    Notice,
    Outcome,
    Receipt,
    RemoteFile,
    Rendered,
)
from desk.policy import Policy
from desk.ports import Bell, ChannelLimits, Clock, FetchFailed, Take
from handlers.flow import Flow, find_flows
from incidents.model import LogLine
from roster.model import Account, Officer, Role, Shift, Unit
from tests.bot.channels.webchat_parts import POLICY

R = TypeVar("R")

NOW = datetime(2026, 11, 23, 19, 0, tzinfo=UTC)  # 03:00 on Tuesday the 24th in Zhongshan.
PATIENCE_SECONDS = 20.0
UNIT = Unit("u", "小榄镇")
SENT, UNKNOWN = Receipt(Outcome.sent), Receipt(Outcome.unknown, reason="ReadTimeout")
NOT_SENT = Receipt(Outcome.not_sent, reason="ConnectError")
BLOCKED = Receipt(Outcome.refused, reason="Forbidden: bot was blocked by the user", address_gone=True)
ARRIVED_UNKNOWN = Receipt(Outcome.unknown, remote_id="arrived", reason="ReadTimeout")


class SetClock:
    """Stands still until it is set."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@dataclass(frozen=True)
class Handed:
    """One thing handed to the channel."""

    address: str
    text: str
    key: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    amends: str = ""


@dataclass
class Called:
    """One call of the channel, with everything that makes it the same as another."""

    key: str
    to: tuple[str, ...]
    message: Rendered


@dataclass
class Line:
    """A channel whose outcomes are scripted per address (or "" for all), sent when nothing is scripted.

    A script's entry is a receipt, an exception to raise, or an event: it hangs until that is set, then it is sent."""

    name: str = "line"
    limits: ChannelLimits = field(default_factory=ChannelLimits)
    script: dict[str, deque[Receipt | Exception | asyncio.Event]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    handed: list[Handed] = field(default_factory=list)
    arrived: list[Handed] = field(default_factory=list)  # What people see, amended ones included.
    calls: list[Called] = field(default_factory=list)  # What was handed over in one.
    settled: list[str] = field(default_factory=list)
    files: dict[str, deque[bytes | Exception]] = field(default_factory=dict)
    fetches: int = 0
    settle_fault: Exception | asyncio.Event | None = None

    def plan(self, address: str, *outcomes: Receipt | Exception | asyncio.Event) -> None:
        self.script[address].extend(outcomes)

    def texts(self, address: str) -> list[str]:
        return [one.text for one in self.arrived if one.address == address]

    def parse(self, raw: bytes) -> Inbound | None:
        """JSON of an Inbound; {} means nothing to us."""
        found = json.loads(raw)
        return Inbound(channel=self.name, **found) if found else None

    async def send(self, message: Rendered, to: Sequence[str], *, key: str) -> list[Receipt]:
        self.calls.append(Called(key, tuple(to), message))
        return [
            await self._play(Handed(one, message.text, key, message.choices), key + "@" + one) for one in to
        ]

    async def amend(self, message: Rendered, cards: Sequence[Card]) -> list[Receipt]:
        return [
            await self._play(
                Handed(one.address, message.text, "", message.choices, one.remote_id), one.remote_id
            )
            for one in cards
        ]

    async def _play(self, handed: Handed, remote_id: str) -> Receipt:
        assert len(handed.text.encode("utf-16-le")) // 2 <= self.limits.text_max
        self.handed.append(handed)
        script = self.script[handed.address] or self.script[""]
        outcome = script.popleft() if script else SENT
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, asyncio.Event):
            await outcome.wait()
            outcome = SENT
        if outcome.outcome is Outcome.sent or outcome is ARRIVED_UNKNOWN:
            self.arrived.append(handed)
        return Receipt(Outcome.sent, remote_id) if outcome is SENT else outcome

    async def settle(self, interaction: str, text: str) -> None:
        self.settled.append(interaction)
        if isinstance(self.settle_fault, asyncio.Event):
            await self.settle_fault.wait()
        elif self.settle_fault is not None:
            raise self.settle_fault

    async def fetch(self, file: RemoteFile) -> AsyncIterator[bytes]:
        self.fetches += 1
        pieces = self.files.get(file.remote_id)
        if not pieces:
            raise FetchFailed("no such file", permanent=True)
        if isinstance(pieces[0], Exception):
            fault = pieces.popleft()
            assert isinstance(fault, Exception)
            raise fault
        for piece in list(pieces):
            assert isinstance(piece, bytes)
            yield piece

    async def run(self, take: Take) -> None:
        await asyncio.Event().wait()

    async def check(self) -> str:
        return "a line"


@dataclass
class Machine:
    """The parts, put together as the desk does."""

    folder: Path
    clock: Any  # A SetClock, unless the test brought another.
    database: Database
    door: OfficeDoor
    queue: EmbeddedQueue
    inbox: TransactionalInbox
    media: MediaFolder
    lines: dict[str, Line]
    postman: Postman
    switchboard: Switchboard
    fetcher: Fetcher

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The queue works inside the block; what it does at the end is what a stop does."""
        task = asyncio.create_task(self.queue.run())
        try:
            yield
            assert not task.done(), "the queue stopped by itself"
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self.postman.close()

    def crash(self) -> "asyncio.Task[None]":
        """Start the queue as a task that a test cancels in mid-flight."""
        return asyncio.create_task(self.queue.run())

    def move(self, **span: float) -> None:
        """Time goes by."""
        self.clock.at += timedelta(**span)
        self.queue.wake()

    async def find(self, kind: type[R], /, **criteria: Any) -> list[R]:
        """The rows that match."""
        async with self.door.read() as store:
            return await store.find(kind, **criteria)

    async def log(self, kind: str) -> list[Mapping[str, Any]]:
        """The facts of the lines of a kind, oldest first."""
        return [line.facts for line in await self.find(LogLine, order=("sequence",)) if line.kind == kind]

    async def until(self, check: Callable[[list[R]], bool], kind: type[R], /, **criteria: Any) -> list[R]:
        """Wait until the rows are as they should be."""
        rows: list[R] = []
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not rows or not check(rows):
                    await asyncio.sleep(0.005)
                    rows = await self.find(kind, **criteria)
        except TimeoutError:
            raise AssertionError(f"never as they should be: {str(rows)[:2000]}") from None
        return rows

    async def idle(self) -> None:
        """Wait until no work is left."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.find(Job):
                await asyncio.sleep(0.005)

    async def at_rest(self) -> None:
        """Wait until no work is due now."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.find(Job, due_at_to=self.clock.at):
                await asyncio.sleep(0.005)

    async def settled(self, *ids: str) -> list[Letter]:
        """Wait until these letters are in a final state, in the order given."""
        final = {"sent", "unknown", "failed", "cancelled"}
        rows = await self.until(
            lambda found: len(found) == len(ids) and {one.state.value for one in found} <= final,
            Letter,
            id_in=list(ids),
        )
        by_id = {one.id: one for one in rows}
        return [by_id[one] for one in ids]

    async def people(self, *names: str, channels: Sequence[str] = ("line",), role: Role = Role.duty) -> None:
        """Officers of the unit, each reachable at their name on every channel, in that order."""
        async with self.door.open() as desk:
            if await desk.store.get(Unit, UNIT.id) is None:
                await desk.store.add(UNIT)
            for name in names:
                await desk.store.add(Officer(name, name, UNIT.id, role=role))
                for rank, channel in enumerate(channels):
                    await desk.store.add(
                        Account(f"{channel}/{name}", name, channel, name, desk.now, rank=rank)
                    )

    async def watch(self, name: str, post: str) -> None:
        """Put somebody on watch."""
        day = timedelta(days=1)
        async with self.door.open() as desk:
            await desk.store.add(Shift(f"s/{name}", UNIT.id, post, name, desk.now - day, desk.now + day))

    async def owe(
        self, name: str, kind: str = "follow_up_arrived", *, lane: Lane = Lane.urgent, **more: Any
    ) -> str:
        """Owe somebody a letter; returns its id."""
        facts, choices = more.pop("facts", {}), more.pop("choices", ())
        async with self.door.open() as desk:
            return tell(desk, name, Notice(kind, facts, choices), lane=lane, **more).id

    async def hears(self, name: str, event: str, **inbound: Any) -> None:
        """An event comes in from an address."""
        raw = json.dumps({"event_id": event, "address": name, "kind": "text", **inbound}).encode()
        await self.inbox.take("line", event, name, raw)


def page(ref: str = "i") -> tuple[Choice, ...]:
    """The choices of a letter that asks: a page."""
    return (Choice("sign", ref),)


@asynccontextmanager
async def open_machine(
    folder: Path,
    *lines: Line,
    policy: Policy = POLICY,
    clock: Clock | None = None,
    flows: Sequence[Flow] | None = None,
    sweeps: bool = True,
) -> AsyncIterator[Machine]:
    """The machine on the database of this folder; opened again it is what a restart finds."""
    clock, bell = clock or SetClock(), Bell()
    database = Database(f"sqlite+aiosqlite:///{folder / 'desk.db'}")
    await database.start()
    queue = EmbeddedQueue(database, clock)
    door = OfficeDoor(database, queue, clock, policy, bell)
    inbox = TransactionalInbox(database, queue, clock, bell, sweeps=sweeps)
    media = MediaFolder(folder / "media")
    media.open()
    channels = {line.name: line for line in lines or (Line(),)}
    postman = Postman(door, queue, channels, Wording.of(policy))
    switchboard = Switchboard(door, queue, channels, find_flows() if flows is None else flows, inbox)
    fetcher = Fetcher(door, channels, media)
    work.register(queue, door, switchboard, postman, fetcher)
    try:
        yield Machine(
            folder,
            clock,
            database,
            door,
            queue,
            inbox,
            media,
            channels,
            postman,
            switchboard,
            fetcher,
        )
    finally:
        await inbox.close()
        await database.close()
