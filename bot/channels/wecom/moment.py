"""What only the moment of taking an event knows: how old it is, which button a number means, what came before it."""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.channels.troubles import Troubles
from bot.channels.wecom.envelope import Fields, Notes, text_in
from bot.channels.wecom.messages import CHANNEL, point_of
from bot.channels.wecom.sent import Presses, SentBook
from bot.channels.wecom.settings import WeComSettings
from bot.channels.wecom.words import trouble
from desk.model import InboxRow
from desk.ports import Door

log = logging.getLogger(__name__)

LOOK_SECONDS_MAX = 1.0  # The vendor waits five: what is only nice to know is not waited for long.
SEEN_MAX = 10_000
ECHO_SECONDS = 120
NUMBER_DIGITS_MAX = 2
DOUBLE_TOLD_FOR = timedelta(days=1)


class Moment:
    """What only the moment of taking knows: how old, which button a number means, whether a place came twice."""

    def __init__(
        self, settings: WeComSettings, door: Door, troubles: Troubles, book: SentBook, presses: Presses
    ) -> None:
        self._settings = settings
        self._clock = door.clock
        self._troubles = troubles
        self._door = door
        self._book = book
        self._presses = presses
        self._doubled_at: datetime | None = None
        self._seen: OrderedDict[str, bytes] = OrderedDict()
        self._places: OrderedDict[tuple[str, str, str], tuple[str, float]] = OrderedDict()

    async def notes(self, fields: Fields, address: str, timestamp: str, event_id: str) -> Notes:
        """The notes to be stored beside an event. They are worth a short look, and no delay."""
        now = self._clock.now()
        signed_at = (
            int(timestamp) if timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12 else 0
        )
        age = now.timestamp() - signed_at
        stale = age > self._settings.pace.stale_seconds
        if not stale:
            await self._troubles.end("clock")
            self._note_press(fields, address)
        notes = Notes(signed_at, stale, echo=self._is_echo(fields, address))
        text = text_in(fields, "Content").strip()
        is_place = text_in(fields, "Event") == "LOCATION"
        try:
            async with asyncio.timeout(LOOK_SECONDS_MAX):
                if stale and not await self._is_known(event_id):  # A replay needs nobody's attention.
                    words = trouble(self._settings.language, "clock", minutes=int(age / 60))
                    await self._troubles.begin("clock", words)
                if text.isdecimal() and len(text) <= NUMBER_DIGITS_MAX:
                    return replace(notes, chosen=await self._book.chosen(address, int(text), now))
                if is_place and await self._book.place_was_asked(address, now):
                    return replace(notes, place_asked=True)
        except Exception:  # Without it a number is a word and a position is a position: the event is stored.
            log.warning("wecom: what was sent to this person could not be looked up", exc_info=True)
        return notes

    async def stored(self, fields: Fields, address: str, event_id: str, xml: bytes) -> None:
        """Remember what is on disk now; tell when one message number came with two contents: the first is kept."""
        now = self._clock.now()
        if (how := _placing(fields)) is not None:
            self._places.setdefault((address, *point_of(fields)), (how, now.timestamp()))
            _bound(self._places)
        digest = hashlib.sha256(xml).digest()
        is_other = self._seen.setdefault(event_id, digest) != digest
        _bound(self._seen)
        if is_other and text_in(fields, "MsgType") != "event":
            self._doubled_at = now
            await self._troubles.begin("twice", trouble(self._settings.language, "twice", message=event_id))
        elif self._doubled_at is not None and now - self._doubled_at > DOUBLE_TOLD_FOR:
            self._doubled_at = None
            await self._troubles.end("twice")

    async def _is_known(self, event_id: str) -> bool:
        if event_id in self._seen:
            return True
        async with self._door.read() as store:
            return await store.get(InboxRow, f"{CHANNEL}/{event_id}") is not None

    def _note_press(self, fields: Fields, address: str) -> None:
        if text_in(fields, "Event") == "template_card_event":
            self._presses.note(address, text_in(fields, "TaskId"), text_in(fields, "ResponseCode"))

    def _is_echo(self, fields: Fields, address: str) -> bool:
        """A place picked in the menu comes as an event and as a message: whichever is second says nothing new."""
        how = _placing(fields)
        if how is None:
            return False
        key, now = (address, *point_of(fields)), self._clock.now().timestamp()
        before, at = self._places.get(key, (how, now))
        if abs(now - at) > ECHO_SECONDS:
            del self._places[key]
            return False
        return before != how


def _placing(fields: Fields) -> str | None:
    """By which of the two ways a chosen place came."""
    how = text_in(fields, "Event") or text_in(fields, "MsgType")
    return how if how in ("location", "location_select") else None


def _bound(kept: "OrderedDict[Any, Any]") -> None:
    while len(kept) > SEEN_MAX:
        kept.popitem(last=False)
