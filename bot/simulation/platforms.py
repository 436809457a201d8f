"""The chat platforms, outside the desk: they carry events in and messages out, with the faults of the day."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from bot.intake import IntakeFull
from bot.simulation.life import Life
from bot.simulation.loop import VirtualClock
from bot.simulation.messages import REPEATED, Phone, Said, Shown, read
from desk.model import Card, Inbound, Outcome, Receipt, RemoteFile, Rendered
from desk.ports import ChannelLimits, FetchFailed, Rate, Take, Unavailable

LIMITS = {
    "telegram": ChannelLimits(per_second=30, per_chat_seconds=1, text_max=4096, choices_max=100),
    "wecom": ChannelLimits(
        per_chat=(Rate(15, 60), Rate(500, 3600)),
        busy_minutes=(0, 30),
        batch_max=1000,
        text_max=2048,
        choices_max=6,
        hides_repeats=True,
    ),
    "webchat": ChannelLimits(batch_max=200, text_max=20_000, hides_repeats=True),
}
DELIVER_AGAIN_SECONDS = (1.0, 5.0, 30.0, 60.0)


@dataclass
class Weather:
    """What is wrong with a platform just now. Each figure is a chance per message."""

    away: bool = False  # Nothing goes out, nothing comes in.
    held_until: float = 0.0  # 429 until this virtual second.
    unknown: float = 0.0  # The message may arrive, and nobody is told.
    slow: float = 0.0  # It takes seconds.
    held: float = 0.0  # A 429 begins.
    twice: float = 0.0  # An event comes in twice.
    late: float = 0.0  # An event comes in minutes later, behind younger ones.
    lasting: float = 0.0  # Seconds a message takes when nothing is wrong.


@dataclass
class Platform:
    """One of them. It outlives every life of the desk."""

    name: str
    clock: VirtualClock
    chance: Random
    arrived: Callable[[Shown], None]
    confirmed: Callable[[Said], None]
    note: Callable[..., None]
    weather: Weather = field(default_factory=Weather)
    phones: dict[str, Phone] = field(default_factory=dict)  # All that were ever given out here, by address.
    blocked: set[str] = field(default_factory=set)  # Addresses that want nothing from us.
    shown: dict[str, Shown] = field(default_factory=dict)  # By remote id.
    by_key: dict[tuple[str, str], list[Shown]] = field(default_factory=dict)  # By address and sending.
    owed: dict[str, Said] = field(default_factory=dict)  # Events nobody confirmed yet, by id, in their order.
    files: dict[str, bytes] = field(default_factory=dict)
    life: Life | None = None  # Of the desk that listens.
    take: Take | None = None
    _ids: int = 0

    @property
    def limits(self) -> ChannelLimits:
        """What it allows."""
        return LIMITS[self.name]

    def new_id(self) -> str:
        """Ids of events and messages."""
        self._ids += 1
        return str(self._ids)

    # In: what people say.

    def carry(self, said: Said) -> None:
        """Bring an event to the desk until it confirms, perhaps late, perhaps twice."""
        self.owed[said.event_id] = said
        late = self.chance.random() < self.weather.late
        self._bring(said, self.chance.uniform(20, 400) if late else 0.0)
        if self.chance.random() < self.weather.twice:
            self._bring(said, self.chance.choice((0.0, 0.0, 3.0, 40.0)))

    def listen(self, life: Life, take: Take) -> None:
        """A desk is up: what waits is brought, in its order."""
        self.life, self.take = life, take
        for said in list(self.owed.values()):
            self._bring(said, 0.0)

    def _bring(self, said: Said, after: float) -> None:
        if after:
            asyncio.get_running_loop().call_later(after, self._bring, said, 0.0)
        elif self.life is not None and self.life.is_alive and self.take is not None:
            self.life.start(self._deliver(self.life, self.take, said))

    async def _deliver(self, life: Life, take: Take, said: Said) -> None:
        for pause in (*DELIVER_AGAIN_SECONDS, *[DELIVER_AGAIN_SECONDS[-1]] * 1000):
            if not self.weather.away:
                try:
                    await take(self.name, said.event_id, said.phone.address, said.raw())
                except (IntakeFull, Unavailable):
                    self.note("refused", said.key)
                else:
                    if life.step():
                        self._confirmed(said)
                    return
            await pass_by(pause)

    def _confirmed(self, said: Said) -> None:
        if said.confirmed_at is None:
            said.confirmed_at = self.clock.true_now()
            self.confirmed(said)
        self.owed.pop(said.event_id, None)

    # Out: what the desk sends.

    async def show(self, life: Life, message: Rendered, address: str, key: str) -> Receipt:
        """Bring a message to a phone, as today's weather has it."""
        unknown = await self._under_way(life, address)
        if isinstance(unknown, Receipt):
            return unknown
        if unknown and self.chance.random() < 0.4:  # It was lost, and nobody says so.
            return Receipt(Outcome.unknown, reason="ReadTimeout")
        shown = self._put(message, address, key)
        if not life.step() or unknown:
            return Receipt(Outcome.unknown, reason="ReadTimeout")
        return Receipt(Outcome.sent, shown.remote_id)

    async def change(self, life: Life, message: Rendered, address: str, remote_id: str) -> Receipt:
        """Put other words and buttons on a message that stands on a phone."""
        unknown = await self._under_way(life, address)
        if isinstance(unknown, Receipt):
            return unknown
        shown = self.shown.get(remote_id)
        if shown is None or shown.phone.address != address:
            return Receipt(Outcome.refused, reason="no such message")
        shown.text, shown.choices = message.text, message.choices
        if not life.step() or unknown:
            return Receipt(Outcome.unknown, reason="ReadTimeout")
        return Receipt(Outcome.sent, remote_id)

    async def _under_way(self, life: Life, address: str) -> Receipt | bool:
        """A refusal, or whether the desk will not be told what became of it."""
        weather, chance = self.weather, self.chance
        if not life.step():
            raise asyncio.CancelledError
        now = self.clock.monotonic()
        if weather.away:
            return Receipt(Outcome.not_sent, reason="ConnectError")
        if weather.held and chance.random() < weather.held:
            weather.held_until = now + chance.choice((3, 37))
        if weather.held_until > now:
            seconds = weather.held_until - now
            return Receipt(Outcome.not_sent, reason="429", retry_after_seconds=seconds, whole_channel=True)
        if weather.lasting:
            await pass_by(chance.uniform(0.5, 1.5) * weather.lasting)
        if weather.slow and chance.random() < weather.slow:
            await pass_by(chance.uniform(1, 70))
        if address in self.blocked:
            return Receipt(Outcome.refused, reason="blocked", address_gone=True)
        if weather.unknown and chance.random() < weather.unknown:
            await pass_by(chance.uniform(0, 10))
            return True
        if not life.is_alive:
            raise asyncio.CancelledError
        return False

    def _put(self, message: Rendered, address: str, key: str) -> Shown:
        before = self.by_key.setdefault((address, key), [])
        if before and self.limits.hides_repeats:
            return before[0]
        is_labelled = message.text.startswith(REPEATED)
        shown = Shown(
            self.phones[address],
            f"{self.name[0]}{self.new_id()}",
            key,
            message.text,
            message.choices,
            self.clock.true_now(),
            is_labelled,
        )
        before.append(shown)
        self.shown[shown.remote_id] = shown
        self.note("shown", address, key, len(message.text))
        self.arrived(shown)
        return shown


class Line:
    """A platform as one life of the desk sees it: the Channel port."""

    def __init__(self, platform: Platform, life: Life) -> None:
        self._platform = platform
        self._life = life
        self.name = platform.name
        self.limits = platform.limits

    def parse(self, raw: bytes) -> Inbound | None:
        """What a stored event means. Raises ValueError on nonsense."""
        return read(self.name, raw)

    async def send(self, message: Rendered, to: Sequence[str], *, key: str) -> list[Receipt]:
        """One receipt each."""
        return [await self._platform.show(self._life, message, address, key) for address in to]

    async def amend(self, message: Rendered, cards: Sequence[Card]) -> list[Receipt]:
        """Replace messages that were sent before."""
        return [
            await self._platform.change(self._life, message, card.address, card.remote_id) for card in cards
        ]

    async def settle(self, interaction: str, text: str) -> None:
        """The phone stops waiting; nobody sees it here."""

    async def fetch(self, file: RemoteFile) -> AsyncIterator[bytes]:
        """The bytes of a file. Raises FetchFailed."""
        if self._platform.weather.away:
            raise FetchFailed("ConnectError", permanent=False)
        found = self._platform.files.get(file.remote_id)
        if found is None:
            raise FetchFailed("no such file", permanent=True)
        yield found

    async def run(self, take: Take) -> None:
        """Listen until cancelled."""
        self._platform.listen(self._life, take)
        await asyncio.Event().wait()

    async def check(self) -> str:
        """It is there."""
        return self.name


class DigestBox:
    """Files by their digest and nothing else: what is tested here is that every file is fetched, not the disk."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}

    async def keep(self, pieces: AsyncIterator[bytes], bytes_max: int) -> tuple[str, int]:
        """Digest and count. Raises FetchFailed when there are too many bytes."""
        whole = b"".join([piece async for piece in pieces])
        if len(whole) > bytes_max:
            raise FetchFailed(f"more than {bytes_max} bytes", permanent=True)
        digest = hashlib.sha256(whole).hexdigest()
        self.kept[digest] = len(whole)
        return digest, len(whole)

    def path(self, digest: str) -> str:
        """Nowhere: it only names the file."""
        return digest


async def pass_by(seconds: float) -> None:
    """Let virtual time go by."""
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)
