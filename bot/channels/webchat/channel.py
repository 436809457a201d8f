"""The web-chat channel: a message is a row on the phone's screen, so sending is writing."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from starlette.routing import BaseRoute

from bot.channels import Services
from bot.channels.webchat import chat, events
from bot.channels.webchat.links import CHANNEL, KIND, Holder, readable
from bot.channels.webchat.screens import Screens
from bot.channels.webchat.uploads import Uploads
from desk.model import Card, ChatMessage, Inbound, Outcome, Receipt, RemoteFile, Rendered, Session
from desk.ports import Channel, ChannelLimits, Desk, Door, FetchFailed, Media, Stale, Take

PIECE_BYTES = 256 * 1024
TRIES_MAX = 5


def make(settings: Mapping[str, Any], services: Services) -> Channel | None:
    """The channel, which needs no account anywhere: live unless the table [webchat] says `enabled = false`."""
    if not settings.get("enabled", True):
        return None
    return WebChatChannel(services.door, services.media, services.intake)


class Intake(Protocol):
    """Where every event is made durable before the phone is told ok."""

    async def take_with(self, desk: Desk, channel: str, event_id: str, sender: str, raw: bytes) -> None:
        """Store the event in the desk's own transaction; the same event id twice is harmless."""
        ...


class WebChatChannel:
    """Phone pages in browsers. Sending is idempotent on its key, so a repeated sending never shows twice."""

    name = CHANNEL
    limits = ChannelLimits(text_max=events.TEXT_MAX, hides_repeats=True)

    def __init__(self, door: Door, media: Media, intake: Intake) -> None:
        self.door = door
        self.media = media
        self.intake = intake
        self.screens = Screens()
        self.uploads = Uploads(door, media)

    def routes(self) -> list[BaseRoute]:
        """What the web server must serve: the phone pages."""
        from bot.channels.webchat.routes import make_routes  # The pages import the channel they serve.

        return make_routes(self)

    def parse(self, raw: bytes) -> Inbound | None:
        """What a kept event means. Raises ValueError on nonsense."""
        return events.read_raw(self.name, raw)

    async def send(self, message: Rendered, to: Sequence[str], *, key: str) -> list[Receipt]:
        """Show a message on each phone; refused where nobody holds a good link any more."""
        addresses = list(dict.fromkeys(to))
        for tries in range(1, TRIES_MAX + 1):
            try:
                async with self.door.open() as desk:
                    alive = await readable(desk.store, addresses, desk.now)
                    good = [address for address in addresses if address in alive]
                    ids = await chat.write_ours(desk, good, message, key)
                break
            except Stale:  # Something else came onto the same screen just now.
                if tries == TRIES_MAX:
                    return [Receipt(Outcome.not_sent, reason="changed by others meanwhile")] * len(to)
        self.screens.ring(*ids)
        return [
            Receipt(Outcome.sent, ids[address])
            if address in ids
            else Receipt(Outcome.refused, reason="no good link", address_gone=True)
            for address in to
        ]

    async def amend(self, message: Rendered, cards: Sequence[Card]) -> list[Receipt]:
        """Change the words and buttons of messages where they stand on the phones."""
        for _ in range(TRIES_MAX):
            try:
                async with self.door.open() as desk:
                    found = [await chat.amend(desk, card, message) for card in cards]
            except Stale:
                continue  # The phone marked it as read meanwhile.
            self.screens.ring(*(card.address for card in cards))
            missing = Receipt(Outcome.refused, reason="no such message")
            return [
                Receipt(Outcome.sent, card.remote_id) if is_found else missing
                for card, is_found in zip(cards, found, strict=True)
            ]
        return [Receipt(Outcome.not_sent, reason="changed by others meanwhile") for _ in cards]

    async def settle(self, interaction: str, text: str) -> None:
        """Nothing to do: a phone page disables a pressed button by itself."""

    async def fetch(self, file: RemoteFile) -> AsyncIterator[bytes]:
        """The bytes an upload left on disk."""
        digest = file.digest or file.remote_id
        try:
            source = await asyncio.to_thread(Path(self.media.path(digest)).open, "rb")
        except (OSError, ValueError) as error:
            raise FetchFailed("the upload is not on disk", permanent=True) from error
        with source:
            while piece := await asyncio.to_thread(source.read, PIECE_BYTES):
                yield piece

    async def run(self, take: Take) -> None:
        """Wait until cancelled: phones come in by HTTP."""
        await asyncio.Event().wait()

    def look_again(self) -> None:
        """Another process wrote: every open page reads anew."""
        self.screens.ring_all()

    def end_streams(self) -> None:
        """Let every open stream end, so that the server can stop at once."""
        self.screens.close()

    async def check(self) -> str:
        """One line with the number of personal links that are good."""
        async with self.door.read() as store:
            links = await store.count(
                Session, kind_in=[KIND], ended=False, ends_at_from=self.door.clock.now()
            )
        return f"{links} personal links"

    async def hear(self, holder: Holder, event: events.PhoneEvent) -> ChatMessage:
        """Take one event from a phone: its line on the screen and its inbox row are durable on return."""
        for tries in range(1, TRIES_MAX + 1):
            try:
                async with self.door.open() as desk:
                    message, _ = await chat.write_theirs(desk, holder, event)
                    raw = events.write_raw(
                        event, holder.address, holder.officer.name, message.files, message.at
                    )
                    # In one transaction: a line on the screen is its promise that the office has the words.
                    event_id = f"{holder.address}:{event.event_id}"
                    await self.intake.take_with(desk, self.name, event_id, holder.address, raw)
                break
            except Stale:  # As above.
                if tries == TRIES_MAX:
                    raise
        self.screens.ring(holder.address)
        return message
