"""The WeCom channel by long connection: the AI bot, for an office that nobody can reach from outside."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from bot.channels import Services
from bot.channels.redaction import Redaction
from bot.channels.troubles import Troubles, pause
from bot.channels.wecom.cards import CHOICES_MAX
from bot.channels.wecom.directory import Directory
from bot.channels.wecom.envelope import NOBODY, Chosen
from bot.channels.wecom.faults import CallFailed, Refused
from bot.channels.wecom.long_connection import files, frames
from bot.channels.wecom.long_connection.events import read_inbound, row_of, words_of
from bot.channels.wecom.long_connection.frames import Json
from bot.channels.wecom.long_connection.incoming import Incoming, Waiting
from bot.channels.wecom.long_connection.line import Line
from bot.channels.wecom.long_connection.moments import Moments
from bot.channels.wecom.long_connection.places import Places
from bot.channels.wecom.long_connection.seat import Seat
from bot.channels.wecom.long_connection.sender import Sender
from bot.channels.wecom.long_connection.settings import (
    FILE_BYTES_MAX,
    TEXT_UNITS_MAX,
    LongConnectionSettings,
)
from bot.channels.wecom.messages import CHANNEL
from bot.channels.wecom.sent import SentBook
from bot.channels.wecom.words import trouble
from desk.limits import Rate
from desk.model import Card, Inbound, Receipt, RemoteFile, Rendered
from desk.ports import Channel, ChannelFault, ChannelLimits, Take

log = logging.getLogger(__name__)

LOOK_SECONDS_MAX = 1.0  # What is only nice to know is not waited for long.


def make(settings: Mapping[str, Any], services: Services) -> Channel | None:
    """The channel of the table [wecom] in this mode; None without a bot. Raises ChannelFault naming every fault."""
    if not settings.get("bot_secret"):
        return None
    known = {field.name for field in fields(LongConnectionSettings)}
    chosen = LongConnectionSettings(**{name: value for name, value in settings.items() if name in known})
    return LongConnectionChannel(chosen, services)


class LongConnectionChannel:
    """One bot: a line out, and everything by it."""

    name = CHANNEL
    limits = ChannelLimits(
        text_max=TEXT_UNITS_MAX,
        choices_max=CHOICES_MAX,
        file_bytes_max=FILE_BYTES_MAX,
    )

    def __init__(self, settings: LongConnectionSettings, services: Services) -> None:
        if found := settings.faults():
            raise ChannelFault("; ".join(found))
        self.settings = settings
        rates = (Rate(settings.member_per_minute, 60), Rate(settings.member_per_hour, 3600))
        self.limits = replace(self.limits, per_chat=rates)
        self._door, self._clock, self._intake = services.door, services.clock, services.intake
        self._troubles = Troubles(CHANNEL, services.trouble)
        Redaction(settings.bot_secret).install()
        self._book, self._moments = SentBook(self._door), Moments(settings.pace)
        self._places = Places(settings, self._door, self._clock)
        self._directory = Directory(settings.language, None, self._door, self._clock, self._troubles)
        self._seat = Seat(self._door, self._clock, settings.pace.holder_seconds)
        self.line = Line(settings, self._clock, self._troubles, self._seat, self._hear)
        self._sender = Sender(settings, self.line, self._moments, self._book, self._places, self._clock)
        self._client = files.client_for(settings)
        self._incoming: Incoming | None = None
        self._welcomes: set[asyncio.Task[None]] = set()

    def parse(self, raw: bytes) -> Inbound | None:
        """What a stored frame means; None when nothing to us. Raises ValueError on nonsense."""
        return read_inbound(raw, self.settings.language)

    async def send(self, message: Rendered, to: Sequence[str], *, key: str) -> list[Receipt]:
        """Send to each. The bot knows no idempotency key: sending twice shows twice."""
        return await self._sender.send(message, to, key)

    async def amend(self, message: Rendered, cards: Sequence[Card]) -> list[Receipt]:
        """Change a card within five seconds of its press; refused later."""
        return [await self._sender.amend(message, card) for card in cards]

    async def settle(self, interaction: str, text: str) -> None:
        """Nothing to do: no spinner turns, the change of the card is what the phone shows."""

    def fetch(self, file: RemoteFile) -> AsyncIterator[bytes]:
        """The bytes of a file in pieces. Raises FetchFailed."""
        return files.fetch(self._client, self.settings, file)

    async def run(self, take: Take) -> None:
        """Receive until cancelled; what had come by then is stored before it ends."""
        words = trouble(self.settings.language, "store_waits")

        async def store(event_id: str, sender: str, raw: bytes) -> None:
            await take(CHANNEL, event_id, sender, raw)

        self._incoming = Incoming(store, self._troubles, self.settings.pace, words)
        storing = asyncio.create_task(self._incoming.run(), name="wecom incoming")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.line.run())
                group.create_task(self._keep_people())
        finally:
            self._incoming.end()
            await asyncio.wait({storing}, timeout=self.settings.pace.stop_seconds)
            if not storing.done():
                log.error("wecom: the desk stops before everything is stored")
                storing.cancel()

    async def check(self) -> str:
        """One line saying how the bot is connected. Raises ChannelFault with the cure.

        While a desk has the line, nobody else signs in: that would take it away."""
        language = self.settings.language
        held = await self._seat.held()
        known = await self._directory.reachable_count()
        if held is not None and held.until > self._clock.now():
            return trouble(language, "bot_ok", bot=self.settings.bot_id, known=known)
        try:
            await self.line.try_once()
        except Refused as refusal:
            raise ChannelFault(trouble(language, "bot_refused", code=refusal.code)) from refusal
        except CallFailed as fault:
            raise ChannelFault(trouble(language, "bot_unreachable", reason=str(fault))) from fault
        return trouble(language, "bot_ok_free", bot=self.settings.bot_id, known=known)

    async def close(self) -> None:
        """Close every connection, when nothing is to be sent any more."""
        await self._client.aclose()

    async def _hear(self, frame: Json) -> None:
        """Take one frame off the line; nothing is answered before it is on disk."""
        assert self._incoming is not None, "the line runs inside run()"
        now, address = self._clock.now(), frames.sender_of(frame)
        kind, req_id = frames.kind_of_event(frame), frames.req_id_of(frame)
        body = frames.part_in(frame, "body")
        if kind == frames.PRESSED:
            task_id = frames.text_in(frames.part_in(body, "event", frames.PRESSED), "task_id")
            self._moments.pressed(address, task_id, req_id, now)
        elif not kind and frames.text_in(body, "chattype") != "group":
            self._moments.wrote(address, req_id, now)
        await self._directory.meet(frames.text_in(frames.part_in(body, "from"), "userid").strip()[:64])
        raw = row_of(frame, now.timestamp(), await self._chosen(frame, address))
        stored = await self._incoming.put(Waiting(frames.event_id_of(frame), address or NOBODY, raw))
        if kind == frames.ENTERED:
            welcome = asyncio.create_task(self._welcome(stored, req_id))
            self._welcomes.add(welcome)
            welcome.add_done_callback(self._welcomes.discard)

    async def _welcome(self, stored: asyncio.Future[None], req_id: str) -> None:
        await stored
        await self._sender.welcome(req_id)

    async def _chosen(self, frame: Json, address: str) -> Chosen | None:
        """What a typed number stands for; without an answer soon it is a word like others."""
        text = words_of(frame).strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 2):
            return None
        with contextlib.suppress(Exception):
            async with asyncio.timeout(LOOK_SECONDS_MAX):
                return await self._book.chosen(address, int(text), self._clock.now())
        return None

    async def _keep_people(self) -> None:
        while True:
            try:
                await self._places.look()
                await self._directory.look()
                await self._book.prune(self._clock.now())
            except Exception:  # Told in the log; people are looked at again soon.
                log.warning("wecom: the table of people could not be looked at", exc_info=True)
            await pause(self.settings.pace.people_seconds)
