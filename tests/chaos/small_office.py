"""A township on virtual time whose ports stand on a fuse: life after life on what the memory store kept."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from bot import work
from bot.delivery import unknowns_max
from bot.door import OfficeDoor
from bot.fetcher import Fetcher
from bot.intake import TransactionalInbox
from bot.postman import Postman
from bot.simulation.life import Life
from bot.simulation.loop import VirtualClock, VirtualLoop
from bot.simulation.messages import Phone, Said, Shown
from bot.simulation.platforms import Line, Platform, pass_by
from bot.store.chain import verify
from bot.store.memory import MemoryDatabase
from bot.switchboard import Switchboard
from bot.troubles import ChannelTroubles
from bot.wording import Wording
from desk import hearing, pruning
from desk.model import InboxRow, InboxState, Job, Letter, LetterState
from desk.ports import Bell, Store, Unavailable
from handlers.flow import find_flows
from incidents.model import Attachment, Incident, LogLine, Report
from roster.model import Account, Answer, Officer, Role, RollCall, Shift, Unit
from tests.chaos.fuse import Fuse, Ports
from tests.handlers.chat import NIGHT, POLICY

AGAIN_SECONDS = 2.0  # From a kill to the next start.
START_AGAIN_SECONDS = 5.0
UNIT = Unit("u", "北镇", lat=22.6669, lon=113.2434)
PEOPLE = (  # Name, role, post, channel.
    ("陈村", Role.officer, "", "telegram"),
    ("邓值", Role.duty, "duty_officer", "telegram"),
    ("李领", Role.leader, "duty_leader", "wecom"),
    ("欧办", Role.office, "", "wecom"),
)
CHANNELS = ("telegram", "wecom")
FLOWS = find_flows()
RULES = replace(POLICY, roll_calls=(replace(POLICY.roll_calls[0], roles=tuple(role.value for role in Role)),))


@dataclass(frozen=True)
class Books:
    """Everything kept when all is over."""

    inbox: list[InboxRow]
    jobs: list[Job]
    letters: list[Letter]
    reports: list[Report]
    incidents: list[Incident]
    attachments: list[Attachment]
    roll_calls: list[RollCall]
    answers: list[Answer]
    lines: list[LogLine]


class SmallOffice:
    """Four people, two platforms, one desk at a time."""

    def __init__(self, loop: VirtualLoop, fuse: Fuse) -> None:
        self.fuse = fuse
        self.fuse.kill = self._kill
        self.clock = VirtualClock(loop, NIGHT)
        self.said: list[Said] = []
        self.shown: list[Shown] = []
        self.on_shown: Callable[[Shown], None] = lambda _: None
        self.platforms = {
            name: Platform(name, self.clock, Random(0), self._arrived, lambda _: None, lambda *_: None)
            for name in CHANNELS
        }
        self.phones: dict[str, Phone] = {}
        self.lives = 0
        self._life: Life | None = None
        self._loop = loop
        self._database = MemoryDatabase()

    async def begin(self) -> None:
        """People, their watches and phones; then the desk's first life."""
        async with self._database.begin() as store:
            await self._employ(store)
        self._start()

    async def _employ(self, store: Store) -> None:
        day, now = timedelta(days=2), self.clock.now()
        await store.add(UNIT)
        for name, role, post, channel in PEOPLE:
            officer = Officer(name, name, UNIT.id, role=role)
            await store.add(officer, Account(f"a-{name}", name, channel, f"{channel}-{name}", now))
            if post:
                await store.add(Shift(f"s-{name}", UNIT.id, post, name, now - day, now + day))
            self.phones[name] = Phone(channel, f"{channel}-{name}", officer)
            self.platforms[channel].phones[f"{channel}-{name}"] = self.phones[name]

    def _start(self) -> None:
        if self._life is not None and self._life.bury():
            self._loop.call_later(0.001, self._start)
            return
        self.lives += 1
        self._life = Life(self.lives)
        self._life.start(self._live(self._life), "desk")

    async def _live(self, life: Life) -> None:
        """Start, however often it takes, as a service manager does."""
        while True:
            try:
                await self._put_together(life)
            except Unavailable:
                await pass_by(START_AGAIN_SECONDS)
            else:
                return

    async def _put_together(self, life: Life) -> None:
        ports = Ports(self.fuse, life, self._database, self.clock)
        bell = Bell()
        door = OfficeDoor(ports.transactions, ports.queue, self.clock, RULES, bell)
        await door.load_pace()
        async with door.open() as desk:
            pruning.schedule(desk)
            await hearing.note_start(desk)
        inbox = TransactionalInbox(ports.transactions, ports.queue, self.clock, bell)
        lines: dict[str, Line] = {name: ports.line(platform) for name, platform in self.platforms.items()}
        postman = Postman(door, ports.queue, lines, Wording.of(RULES))
        switchboard = Switchboard(door, ports.queue, lines, FLOWS, inbox)
        work.register(ports.queue, door, switchboard, postman, Fetcher(door, lines, ports.media))
        life.start(ports.queue.run(), "queue")
        life.start(ChannelTroubles(door).run(), "troubles")
        for name, line in lines.items():
            life.start(line.run(inbox.take), name)

    def _kill(self) -> None:
        assert self._life is not None
        self._life.kill()
        self._loop.call_later(AGAIN_SECONDS, self._start)

    def end(self) -> None:
        """Everybody goes home."""
        assert self._life is not None
        self._life.kill()

    def say(self, name: str, text: str = "", **facts: Any) -> Said:
        """Somebody says something."""
        phone = self.phones[name]
        platform = self.platforms[phone.channel]
        facts = {"kind": "text", "sent_at": self.clock.now().isoformat(), **facts}
        said = Said(
            phone, f"e{platform.new_id()}", self.clock.now(), {**facts, **({"text": text} if text else {})}
        )
        said.facts.setdefault("message_id", f"m{said.event_id}")
        self.said.append(said)
        platform.carry(said)
        return said

    def press(self, shown: Shown, verb: str) -> Said:
        """Somebody taps a button."""
        name = shown.phone.officer.name if shown.phone.officer else ""
        tap = {"verb": verb, "ref": shown.ref(verb), "message_id": shown.remote_id}
        return self.say(name, kind="choice", interaction=f"i{shown.remote_id}", **tap)

    def later(self, seconds: float, act: Callable[..., object], *words: Any) -> None:
        """Somebody will do something."""
        self._loop.call_later(seconds, act, *words)

    def _arrived(self, shown: Shown) -> None:
        self.shown.append(shown)
        self.on_shown(shown)

    async def books(self) -> Books:
        """Read past the fuse."""
        async with self._database.read() as store:
            return Books(
                await store.find(InboxRow),
                await store.find(Job),
                await store.find(Letter),
                await store.find(Report),
                await store.find(Incident),
                await store.find(Attachment),
                await store.find(RollCall),
                await store.find(Answer),
                await store.find(LogLine, order=("sequence",)),
            )

    def faults(self, books: Books) -> list[str]:
        """What no single failure may leave behind: something lost, doubled unmarked, stuck or given up."""
        now = self.clock.now()
        found = [f"{one.event_id} is not confirmed" for one in self.said if one.confirmed_at is None]
        kept = Counter(row.id for row in books.inbox)
        found += [f"{one.key} is kept {kept[one.key]} times" for one in self.said if kept[one.key] != 1]
        found += [
            f"{row.id} is {row.state}: {row.error}"
            for row in books.inbox
            if row.state is not InboxState.heard
        ]
        found += [f"{job.kind} is parked: {job.error}" for job in books.jobs if job.parked]
        found += [f"{job.kind} {job.ref} is still due" for job in books.jobs if job.due_at < now]
        found += [f"the duty log is broken: {fault}" for fault in verify(books.lines)]
        return found + self._letters(books)

    def _letters(self, books: Books) -> list[str]:
        found: list[str] = []
        shown = {one.remote_id: one for one in self.shown}
        copies = Counter((one.key, one.is_labelled) for one in self.shown)
        for one in books.letters:
            name = f"{one.kind} to {one.officer_id}"
            if one.state not in (LetterState.sent, LetterState.unknown, LetterState.cancelled):
                found.append(f"{name} is {one.state}: {one.reason}")
            if one.state is LetterState.unknown and one.unknowns <= unknowns_max(one):
                found.append(f"{name} was given up")
            if one.state is LetterState.sent and not one.amends and one.remote_id not in shown:
                found.append(f"{name} is called sent and on no phone")
            if copies[one.id, True] > one.unknowns:
                found.append(
                    f"{name} is there {copies[one.id, True]} times marked, after {one.unknowns} unknown"
                )
        by_phone = Counter((one.phone.address, one.key) for one in self.shown if not one.is_labelled)
        found += [
            f"{count} unmarked copies of {key} at {address}"
            for (address, key), count in by_phone.items()
            if count > 1
        ]
        return found
