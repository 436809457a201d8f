"""Everything outside the desk: the town's people with their phones, their platforms, and what they were told."""

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from bot.simulation.loop import VirtualClock, VirtualLoop
from bot.simulation.messages import Phone, Said, Shown
from bot.simulation.platforms import LIMITS, Platform
from bot.town.register import Register, read_register
from desk.model import RemoteFile
from incidents.model import Place
from roster.model import Officer

BEGINS_AT = datetime(2025, 12, 31, 16, tzinfo=UTC)  # Midnight of the first day of 2026 in the town.
LAST_LINES = 200


class Player(Protocol):
    """One kind of people's doings; each file in `players` that has `make(world)` brings one."""

    name: str

    def day(self, number: int) -> None:
        """A day begins: plan what to do in it."""

    def sees(self, shown: Shown) -> None:
        """A message came to a phone."""


@dataclass
class Claims:
    """What people know they did, to be held against what the desk has made of it."""

    words: dict[str, Said] = field(default_factory=dict)  # By the mark in the text.
    photos: dict[str, Said] = field(default_factory=dict)  # By the platform's id of the file.
    answered: list[tuple[Said, str]] = field(default_factory=list)  # With what the button named.
    signed: list[tuple[Said, str]] = field(default_factory=list)  # With the id of the incident.
    _count: int = 0

    def new_token(self) -> str:
        """A mark that nobody used before."""
        self._count += 1
        return f"T{self._count:05d}号"


class World:
    """What players act in. It knows the true time, and nothing of the desk's memory."""

    def __init__(self, loop: VirtualLoop, seed: int) -> None:
        self.seed = seed
        self.loop = loop
        self.clock = VirtualClock(loop, BEGINS_AT)
        self.register: Register = read_register()
        self.officers = {one.id: one for one in self.register.people}
        self.players: list[Player] = []
        self.said: list[Said] = []
        self.confirmed: list[Said] = []
        self.shown: list[Shown] = []
        self.claims = Claims()
        # The duty room's screen: the code that an answer to a roll call must show.
        self.duty_room_code: Callable[[str, Phone], str] = lambda roll_call_id, phone: ""
        self.phones: dict[str, list[Phone]] = {}  # By officer, the best first.
        self.trace = hashlib.sha256()
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self.faults: list[Exception] = []  # Of the players, not of the desk.
        self.is_over = False  # Nobody begins anything any more.
        self.platforms = {
            name: Platform(
                name,
                self.clock,
                self.chance(f"platform/{name}"),
                self._arrived,
                self.confirmed.append,
                self.note,
            )
            for name in LIMITS
        }

    def chance(self, name: str) -> Random:
        """Chance of one's own: a new player changes nothing for the others."""
        return Random(f"{self.seed}/{name}")

    @property
    def now(self) -> datetime:
        """The true time."""
        return self.clock.true_now()

    def local(self, at: datetime | None = None) -> datetime:
        """The town's own time."""
        return town_time(at or self.now)

    def later(self, seconds: float, act: Callable[..., object], *words: Any) -> None:
        """Do something later, unless everybody has gone home by then."""
        self.loop.call_later(seconds, self._unless_over, act, words)

    def _unless_over(self, act: Callable[..., object], words: Sequence[Any]) -> None:
        if self.is_over:
            return
        try:
            act(*words)
        except Exception as error:  # A player that fails would make a run that proves nothing.
            self.faults.append(error)
            raise

    def note(self, what: str, *facts: object) -> None:
        """One line of the course of events: two runs of a seed have the same lines."""
        line = f"{self.loop.virtual_seconds:.6f} {what} {' '.join(map(str, facts))}"
        self.trace.update(line.encode())
        self.last_lines.append(line)

    def give_phone(self, officer: Officer | None, channel: str, address: str) -> Phone:
        """Somebody can be reached, and speak, here from now on."""
        phone = Phone(channel, address, officer)
        self.platforms[channel].phones[address] = phone
        if officer is not None:
            self.phones.setdefault(officer.id, []).append(phone)
        return phone

    def phone_of(self, officer_id: str) -> Phone:
        """The phone somebody speaks by."""
        return self.phones[officer_id][0]

    def say(
        self,
        phone: Phone,
        text: str = "",
        *,
        kind: str = "",
        place: Place | None = None,
        files: Sequence[RemoteFile] = (),
        **more: Any,
    ) -> Said:
        """Say something: a text, a place, a picture."""
        facts: dict[str, Any] = {"kind": kind or ("media" if files else "place" if place else "text"), **more}
        if text:
            facts["text"] = text
        if place is not None:
            facts["place"] = {"lat": place.lat, "lon": place.lon}
        if files:
            facts["files"] = [asdict(one) for one in files]
        if phone.channel == "webchat":  # Its server is the desk itself, and so is its clock.
            facts["sent_at"] = self.clock.now().isoformat()
        elif kind != "choice":
            facts["sent_at"] = self.now.replace(microsecond=0).isoformat()
        platform = self.platforms[phone.channel]
        said = Said(phone, f"e{platform.new_id()}", self.now, facts)
        facts.setdefault("message_id", f"m{said.event_id}")
        self.said.append(said)
        self.note("said", said.key, phone.address, facts["kind"], facts.get("verb", ""), text)
        platform.carry(said)
        return said

    def press(self, shown: Shown, verb: str, ref: str = "") -> Said:
        """Tap the button with this verb on a message."""
        ref = ref or shown.ref(verb)
        tap: dict[str, Any] = {"verb": verb, "ref": ref, "message_id": shown.remote_id}
        return self.say(shown.phone, kind="choice", interaction=f"i{shown.remote_id}", **tap)

    def photo(self, phone: Phone, size: int = 400) -> RemoteFile:
        """A picture the platform holds."""
        platform = self.platforms[phone.channel]
        remote_id = f"f{platform.new_id()}"
        platform.files[remote_id] = hashlib.sha256(f"{self.seed}/{remote_id}".encode()).digest() * (
            size // 32
        )
        return RemoteFile("photo", remote_id, bytes_count=len(platform.files[remote_id]))

    def _arrived(self, shown: Shown) -> None:
        self.shown.append(shown)
        if not self.is_over:
            for player in self.players:
                player.sees(shown)


def town_time(at: datetime) -> datetime:
    """A moment as the town's clocks show it."""
    return at.astimezone(ZoneInfo("Asia/Shanghai"))


def until_next_day(world: World) -> float:
    """Seconds until the town's next midnight."""
    local = world.local()
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - local).total_seconds()
