"""A small office on phones: real jobs, flows, queue and postman over the memory store, and a clock to move."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, TypeVar

from bot import work
from bot.door import OfficeDoor
from bot.fetcher import Fetcher
from bot.intake import TransactionalInbox
from bot.postman import Postman
from bot.scheduler import Scheduler
from bot.store.memory import MemoryDatabase
from bot.switchboard import Switchboard
from bot.wording import Wording
from desk import enrolment
from desk.model import (
    Card,
    Inbound,
    InboxRow,
    InboxState,
    Job,
    Letter,
    Outcome,
    Receipt,
    RemoteFile,
    Rendered,
)
from desk.policy import BulletinPlan, Limits, Policy
from desk.ports import Bell, ChannelLimits, Desk, FetchFailed, Take
from handlers.flow import find_flows
from incidents.model import Incident, Ladder, LogLine, Place, Step
from roster import calendar
from roster.model import Account, Answer, Officer, PostRule, Role, RollCall, RollCallPlan, Shift, Unit
from tests.handlers.steps import StepQueue

T = TypeVar("T")

NIGHT = datetime(2026, 11, 23, 19, 0, tzinfo=UTC)  # 03:00 on Tuesday the 24th in Zhongshan.
OFFICE = Unit("u-office", "市应急办", kind="city_office", lat=22.516, lon=113.3928)
NORTH = Unit("u-north", "北镇", parent_id="u-office", lat=22.6669, lon=113.2434)
EAST = Unit("u-east", "东镇", parent_id="u-office", lat=22.55, lon=113.55)
VILLAGE = Unit("u-village", "北镇一村", parent_id="u-north", kind="village", lat=22.68, lon=113.25)
UNITS = (OFFICE, NORTH, EAST, VILLAGE)
SPOT = Place(22.6741, 113.2402, "泰丰路 12 号")

# Name, role, unit, post on watch for the month.
PEOPLE = (
    ("陈村", Role.officer, NORTH, ""),
    ("邓值", Role.duty, NORTH, "duty_officer"),
    ("李领", Role.leader, NORTH, "duty_leader"),
    ("贝备", Role.duty, NORTH, "standby"),
    ("马同", Role.duty, NORTH, ""),
    ("郭东", Role.duty, EAST, "duty_officer"),
    ("何东", Role.leader, EAST, "duty_leader"),
    ("简局", Role.leader, OFFICE, "duty_leader"),
    ("欧办", Role.office, OFFICE, ""),
    ("郑管", Role.admin, OFFICE, ""),
)
PLAN = RollCallPlan("晚点名", cron="0 20 * * *", posts=("duty_leader", "duty_officer"))
LADDER = Ladder(
    "默认",
    (Step(0, ("post:duty_officer",)), Step(3, ("post:duty_leader",)), Step(10, ("role:office",))),
    repeat=1,
)
POLICY = Policy(
    office="市应急办",
    timezone="Asia/Shanghai",
    language="zh-CN",
    number_prefix="ZS",
    watch_changes_at="08:30",
    ladders=(LADDER,),
    roll_calls=(PLAN,),
    bulletins=(BulletinPlan("每日要情", "0 17 * * *", ("role:office",)),),
    posts=(
        PostRule("duty_leader", "带班领导"),
        PostRule("duty_officer", "值班员"),
        PostRule("standby", "备班"),
    ),
    limits=Limits(),
    calendar=calendar.load(resources.files("roster").joinpath("calendar.toml").read_text("utf-8")),
)


class FakeClock:
    """Stands still until a test moves it."""

    def __init__(self, at: datetime = NIGHT) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class Shown:
    """One message on a phone, as it reads now."""

    id: str
    text: str
    choices: tuple[tuple[str, str], ...]
    asks_place: bool
    changes: int = 0  # How often it was amended.

    @property
    def verbs(self) -> list[str]:
        return [token.partition(":")[0] for _, token in self.choices]


class Line:
    """A channel in memory: what is handed to it stands on a phone at once, unless the phone is gone."""

    name = "line"
    limits = ChannelLimits()

    def __init__(self) -> None:
        self.said: dict[bytes, Inbound] = {}
        self.shown: dict[str, list[Shown]] = {}
        self.gone: set[str] = set()  # Addresses that are refused for good.
        self.settled: list[str] = []
        self.files: dict[str, bytes] = {}
        self.count = 0

    def number(self) -> int:
        self.count += 1
        return self.count

    def parse(self, raw: bytes) -> Inbound | None:
        return self.said[raw]

    async def send(self, message: Rendered, to: Sequence[str], *, key: str) -> list[Receipt]:
        return [self._show(message, address) for address in to]

    def _show(self, message: Rendered, address: str) -> Receipt:
        if address in self.gone:
            return Receipt(Outcome.refused, reason="blocked", address_gone=True)
        shown = Shown(f"out-{self.number()}", message.text, message.choices, message.asks_place)
        self.shown.setdefault(address, []).append(shown)
        return Receipt(Outcome.sent, remote_id=shown.id)

    async def amend(self, message: Rendered, cards: Sequence[Card]) -> list[Receipt]:
        return [self._amend(message, card) for card in cards]

    def _amend(self, message: Rendered, card: Card) -> Receipt:
        for shown in self.shown.get(card.address, []):
            if shown.id == card.remote_id:
                shown.text, shown.choices = message.text, message.choices
                shown.changes += 1
                return Receipt(Outcome.sent, remote_id=card.remote_id)
        return Receipt(Outcome.refused, reason="no such message")

    async def settle(self, interaction: str, text: str) -> None:
        self.settled.append(interaction)

    async def fetch(self, file: RemoteFile) -> AsyncIterator[bytes]:
        if file.remote_id not in self.files:
            raise FetchFailed("the link expired", permanent=True)
        yield self.files[file.remote_id]

    async def run(self, take: Take) -> None:
        """Nothing to receive: phones hand their messages in themselves."""

    async def check(self) -> str:
        return "in memory"


class Shelf:
    """The bytes of attachments, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def keep(self, pieces: AsyncIterator[bytes], bytes_max: int) -> tuple[str, int]:
        whole = b"".join([piece async for piece in pieces])
        if len(whole) > bytes_max:
            raise FetchFailed("too many bytes", permanent=True)
        digest = hashlib.sha256(whole).hexdigest()
        self.kept[digest] = whole
        return digest, len(whole)

    def path(self, digest: str) -> str:
        return digest


@dataclass
class Chat:
    """The office: its door, its queue, its people's phones."""

    clock: FakeClock
    database: MemoryDatabase
    door: OfficeDoor
    queue: StepQueue
    inbox: TransactionalInbox
    line: Line
    scheduler: Scheduler
    phones: dict[str, "Phone"] = field(default_factory=dict)
    may_fail: bool = False  # A test that wants a job parked or a message put aside says so.

    def __getitem__(self, name: str) -> "Phone":
        return self.phones[name]

    def stranger(self, address: str = "stranger") -> "Phone":
        """A phone the office does not know."""
        return self.phones.setdefault(address, Phone(self, address, address))

    async def settle(self) -> None:
        """Let everything happen that is due now."""
        await self.queue.run_due()

    async def advance(self, *, minutes: float) -> None:
        """Time goes by in one step, and what fell due meanwhile is done."""
        self.clock.advance(minutes=minutes)
        await self.settle()

    async def pass_minutes(self, minutes: float) -> None:
        """Time goes by as it does: everything is done at its own moment."""
        ends_at = self.clock.now() + timedelta(minutes=minutes)
        while True:
            async with self.door.read() as store:
                [*coming] = await store.find(Job, parked=False, due_at_to=ends_at, order=("due_at",), limit=1)
            if not coming:
                break
            self.clock.at = max(self.clock.at, coming[0].due_at)
            await self.settle()
        self.clock.at = ends_at

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Desk]:
        """A desk as a job has it; what it leaves due is done at once."""
        async with self.door.open() as desk:
            yield desk
        await self.settle()

    async def find(self, record: type[T], /, **criteria: Any) -> list[T]:
        async with self.door.read() as store:
            return await store.find(record, **criteria)

    async def get(self, kind: type[T], record_id: str) -> T:
        async with self.door.read() as store:
            found = await store.get(kind, record_id)
        assert found is not None
        return found

    async def officer(self, name: str) -> Officer:
        return await self.get(Officer, f"o-{name}")

    async def change_officer(self, name: str, **changes: Any) -> None:
        async with self.desk() as desk:
            officer = await desk.store.get(Officer, f"o-{name}")
            assert officer is not None
            await desk.store.change(officer, **changes)

    async def the(self, record: type[T], /, **criteria: Any) -> T:
        """The only record of its kind."""
        [found] = await self.find(record, **criteria)
        return found

    async def incident(self) -> Incident:
        return await self.the(Incident)

    async def newest(self) -> Incident:
        return (await self.find(Incident, order=("-id",), limit=1))[0]

    async def answers(self) -> dict[str, Answer]:
        """The ledger of the only roll call, by name."""
        lines = await self.find(Answer)
        return {line.officer_id.removeprefix("o-"): line for line in lines}

    async def roll_call(self) -> RollCall:
        return await self.the(RollCall)

    async def logged(self, kind: str) -> list[dict[str, Any]]:
        """The facts of every duty-log line of a kind, in order."""
        lines = await self.find(LogLine, kind=kind, order=("sequence",))
        return [line.facts for line in lines]

    async def letters(self, kind: str, **criteria: Any) -> list[Letter]:
        return await self.find(Letter, kind=kind, amends="", **criteria)

    async def paged(self) -> list[str]:
        """Who was paged, in order, as the duty log has it; as many letters were written."""
        lines = await self.find(
            LogLine, kind_in=["paged", "escalated", "handed_on", "called_in"], order=("sequence",)
        )
        names: list[str] = []
        for line in lines:
            to = line.facts["to"]
            names += [to] if isinstance(to, str) else to
        pages = await self.letters("incident_page")
        assert sorted(f"o-{name}" for name in names) == sorted(page.officer_id for page in pages)
        return names

    async def invite(self, name: str) -> str:
        """A new enrolment code for somebody."""
        async with self.desk() as desk:
            officer = await desk.store.get(Officer, f"o-{name}")
            assert officer is not None
            return await enrolment.invite(desk, officer)

    async def told(self, name: str) -> list[str]:
        """The kinds of what a person was told, in order."""
        letters = await self.find(Letter, officer_id=f"o-{name}", amends="", order=("made_at", "id"))
        return [letter.kind for letter in letters]

    async def roster(self, *shifts: tuple[str, Unit, str]) -> None:
        """Replace the whole roster: (name, unit, post)."""
        async with self.desk() as desk:
            known = await desk.store.find(Shift)
            await desk.store.remove(Shift, [one.id for one in known])
            await desk.store.add(*(_shift(name, unit, post) for name, unit, post in shifts))


@dataclass
class Phone:
    """One person's phone."""

    chat: Chat
    name: str
    address: str

    @property
    def shown(self) -> list[Shown]:
        return self.chat.line.shown.get(self.address, [])

    @property
    def last(self) -> Shown:
        return self.shown[-1]

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.shown]

    def saw(self, *words: str) -> bool:
        """Whether some message has all these words."""
        return any(all(word in one.text for word in words) for one in self.shown)

    def card(self, *words: str) -> Shown:
        """The newest message with all these words."""
        found = [one for one in self.shown if all(word in one.text for word in words)]
        assert found, f"{self.name} never saw {words}; the phone shows:\n" + "\n---\n".join(self.texts)
        return found[-1]

    def message(self, kind: str, text: str = "", **more: Any) -> Inbound:
        """A message as the channel would read it."""
        number = self.chat.line.number()
        facts: dict[str, Any] = {
            "sent_at": self.chat.clock.now(),
            "sender_name": self.name,
            "message_id": f"in-{number}",
            **more,
        }
        return Inbound("line", f"e{number}", self.address, kind, text=text, **facts)

    async def hand_in(self, *messages: Inbound) -> None:
        """Messages reach the inbox; what they cause happens afterwards."""
        for message in messages:
            self.chat.clock.advance(milliseconds=1)  # Two messages never come at one moment.
            raw = f"{message.event_id}".encode()
            self.chat.line.said[raw] = message
            await self.chat.inbox.take("line", message.event_id, message.address, raw)

    async def send(self, kind: str, text: str = "", **more: Any) -> Inbound:
        message = self.message(kind, text, **more)
        await self.hand_in(message)
        await self.chat.settle()
        return message

    async def say(self, text: str, **more: Any) -> Inbound:
        """Write words."""
        return await self.send("text", text, **more)

    async def reply(self, to: str, text: str, **more: Any) -> Inbound:
        """Answer a message by its id."""
        return await self.send("text", text, reply_to=to, **more)

    async def edit(self, before: Inbound, text: str = "", **more: Any) -> Inbound:
        """Change a message sent before."""
        return await self.send("edit", text, edited=True, **{"message_id": before.message_id, **more})

    async def press(self, card: Shown, verb: str) -> Inbound:
        """Press the button that does this."""
        found = [token for _, token in card.choices if token.partition(":")[0] == verb]
        assert found, f"{card.text!r} has {card.choices}"
        return await self.press_token(found[0], card.id)

    async def press_token(self, token: str, message_id: str = "card", **more: Any) -> Inbound:
        """Press a button by what it carries, standing or made by hand."""
        verb, _, ref = token.partition(":")
        facts = {"message_id": message_id, "sent_at": None, "interaction": f"tap-{self.chat.line.count}"}
        return await self.send("choice", verb=verb, ref=ref, **{**facts, **more})

    async def send_place(self, place: Place = SPOT, **more: Any) -> Inbound:
        return await self.send("place", place=place, **more)

    async def photo(self, text: str = "", **more: Any) -> Inbound:
        return await self.send("media", text, files=(self.picture(),), **more)

    def picture(self, kind: str = "photo", **more: Any) -> RemoteFile:
        """A file the platform holds and gives."""
        remote_id = f"file-{self.chat.line.number()}"
        self.chat.line.files[remote_id] = b"bytes of " + remote_id.encode()
        return RemoteFile(kind, remote_id, **{"bytes_count": 20, **more})

    async def start(self, code: str, **more: Any) -> Inbound:
        """Open the deep link of an invite."""
        return await self.send("start", code, **more)


def _shift(name: str, unit: Unit, post: str) -> Shift:
    month = timedelta(days=30)
    return Shift(f"s-{name}-{post}", unit.id, post, f"o-{name}", NIGHT - month, NIGHT + month)


async def settle_people(door: OfficeDoor) -> None:
    """The office's units, people, phones and watches."""
    async with door.open() as desk:
        await desk.store.add(*UNITS)
        for number, (name, role, unit, post) in enumerate(PEOPLE, 1):
            phone = f"199-0000-{number:04d}"
            await desk.store.add(
                Officer(f"o-{name}", name, unit.id, phone, role=role),
                Account(f"a-{name}", f"o-{name}", "line", f"p-{name}", desk.now),
            )
            if post:
                await desk.store.add(_shift(name, unit, post))


@asynccontextmanager
async def open_chat(policy: Policy = POLICY, **limits: Any) -> AsyncIterator[Chat]:
    """The office at work; at the end nothing may have failed in silence."""
    policy = replace(policy, limits=replace(policy.limits, **limits))
    clock, database, line = FakeClock(), MemoryDatabase(), Line()
    queue = StepQueue(database, clock)
    bell = Bell()
    door = OfficeDoor(database, queue, clock, policy, bell)
    shelf = Shelf()
    channels = {"line": line}
    inbox = TransactionalInbox(database, queue, clock, bell)
    switchboard = Switchboard(door, queue, channels, find_flows(), inbox)
    postman = Postman(door, queue, channels, Wording.of(policy))
    work.register(queue, door, switchboard, postman, Fetcher(door, channels, shelf))
    chat = Chat(clock, database, door, queue, inbox, line, Scheduler(door))
    await settle_people(door)
    chat.phones = {name: Phone(chat, name, f"p-{name}") for name, *_ in PEOPLE}
    yield chat
    if not chat.may_fail:
        jobs = await chat.find(Job)
        assert [job.error for job in jobs if job.error] == []
        dead = await chat.find(InboxRow, state=InboxState.dead)
        assert [row.error for row in dead] == []
