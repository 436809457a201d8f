"""Receives by long polling: a batch and the next offset are stored together, and only then confirmed."""

import json
import logging
import re
from datetime import datetime, timedelta
from http import HTTPStatus

from bot.channels import Intake
from bot.channels.telegram.api import UNKNOWN_BOT, Api, Refused, Unreachable
from bot.channels.telegram.envelope import Json, sender_of, update_number
from bot.channels.telegram.mark import SETTING, Mark, read_mark
from bot.channels.telegram.settings import Pace
from bot.channels.troubles import Troubles, pause
from desk.ports import Clock, Unavailable

log = logging.getLogger(__name__)

CHANNEL = "telegram"
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")
BATCH_MAX = 100
TOLD_AFTER_FAILURES = 5  # About half a minute: shorter breaks of a line are ordinary.
GIVE_UP_AFTER = 5

_UPDATE_ID = re.compile(rb'"update_id"\s*:\s*(\d{1,20})\b')


class Unstored(Exception):
    """The inbox could not take it: nothing may be confirmed."""


class Unreadable(Exception):
    """An answer to getUpdates that is no JSON of updates."""

    def __init__(self, body: bytes) -> None:
        super().__init__(f"{len(body)} bytes")
        self.body = body


class Poller:
    """One loop over getUpdates that nothing but cancelling stops."""

    def __init__(self, api: Api, intake: Intake, clock: Clock, troubles: Troubles, pace: Pace) -> None:
        self._api = api
        self._intake = intake
        self._clock = clock
        self._troubles = troubles
        self._pace = pace
        self._mark: Mark | None = None
        self._failures = 0
        self._conflict_at: datetime | None = None
        self._poison = b""
        self._poison_count = 0

    async def run(self) -> None:
        """Receive until cancelled."""
        self._mark = None  # Another replica may have received since we last did.
        while True:
            try:
                await self._round()
            except Unreadable as fault:
                await self._meet_poison(fault.body)
            except Refused as refusal:
                await self._rest_after_refusal(refusal)
            except Unreachable as fault:
                await self._rest("unreachable", str(fault), told_after=TOLD_AFTER_FAILURES)
            except Unstored as fault:
                await self._rest("store", f"updates wait at Telegram: {fault}")
            else:
                self._failures, self._poison = 0, b""
                await self._troubles.end("token", "refused", "unreachable", "unreadable", "store")
                await self._settle_conflict()

    async def _round(self) -> None:
        mark = self._mark = self._mark or await self._load()
        asked = mark.offset_at(self._clock.now(), self._pace.quiet_seconds)
        is_noted = mark.reached_at is not None and mark.gap_at(self._clock.now()) < self._pace.mark_seconds
        parameters: Json = {
            # After a start or a failure an answer at once shows that the line is well again.
            "timeout": self._pace.long_poll_seconds if is_noted and not self._failures else 0,
            "limit": 1 if self._poison else BATCH_MAX,
            "allowed_updates": ALLOWED_UPDATES,
        }
        if asked:
            parameters["offset"] = asked
        body = await self._api.post("getUpdates", parameters, extra_seconds=self._pace.long_poll_seconds)
        events, ids = read_batch(body)
        now = self._clock.now()
        if mark.gap_at(now) > self._pace.gap_seconds:  # Before the mark moves on: a crash must not hide it.
            await self._troubles.once("gap", mark.gap_words(now))
        if events or not is_noted:
            await self._store(events, mark.moved(now, ids, asked))

    async def _load(self) -> Mark:
        try:
            value = await self._intake.setting(SETTING)
        except Exception as error:  # Whatever the store suffers from, polling goes on when it is well.
            log.exception("telegram: the offset cannot be read")
            raise Unstored(type(error).__name__) from error
        try:
            return read_mark(value)
        except (ValueError, TypeError):
            log.warning("telegram: the stored offset is unreadable; asking for everything unconfirmed")
            return Mark()

    async def _store(self, events: list[tuple[str, str, bytes]], moved: Mark) -> None:
        try:
            await self._intake.take_batch(CHANNEL, events, (SETTING, moved.write()))
        except Unavailable as error:  # One line: while a disk is full the same come again and again.
            log.warning("telegram: %d updates cannot be stored now: %s", len(events), error)
            raise Unstored(type(error).__name__) from error
        except (
            Exception
        ) as error:  # Whatever the store suffers from, the offset stays and Telegram keeps them.
            log.exception("telegram: %d updates could not be stored", len(events))
            raise Unstored(type(error).__name__) from error
        self._mark = moved

    async def _meet_poison(self, body: bytes) -> None:
        """Ask for one update at a time; one that stays unreadable is stored as it is and stepped over."""
        same = body == self._poison
        self._poison, self._poison_count = body, self._poison_count + 1 if same else 1
        await self._rest("unreadable", f"an answer of {len(body)} bytes is no JSON")
        found = _UPDATE_ID.search(body)
        if self._poison_count < GIVE_UP_AFTER or not found or self._mark is None:
            return
        number = int(found[1])
        try:
            await self._store([(str(number), "-", body)], self._mark.moved(self._clock.now(), [number], 0))
        except Unstored as fault:
            await self._rest("store", f"updates wait at Telegram: {fault}")
            return
        self._poison, self._poison_count = b"", 0
        await self._troubles.end("unreadable")

    async def _rest_after_refusal(self, refusal: Refused) -> None:
        if refusal.code == HTTPStatus.CONFLICT:
            is_first, self._conflict_at = self._conflict_at is None, self._clock.now()
            cure = "stop the other program that uses this bot's token, or its webhook"
            await self._troubles.begin("conflict", f"{refusal.description}; {cure}")
            await pause(self._pace.overlap_seconds if is_first else self._pace.conflict_seconds)
        elif refusal.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
            await self._rest("token", UNKNOWN_BOT)
        elif refusal.retry_after_seconds:
            await pause(refusal.retry_after_seconds)
        else:
            await self._rest("refused", str(refusal), told_after=TOLD_AFTER_FAILURES)

    async def _settle_conflict(self) -> None:
        """Believe that the other poller is gone only when it has been silent for a while."""
        quiet_for = timedelta(seconds=3 * self._pace.conflict_seconds)
        if self._conflict_at and self._clock.now() - self._conflict_at > quiet_for:
            self._conflict_at = None
            await self._troubles.end("conflict")

    async def _rest(self, kind: str, text: str, *, told_after: int = 1) -> None:
        self._failures += 1
        if self._failures >= told_after:
            await self._troubles.begin(kind, text)
        await pause(self._pace.back_off(self._failures))


def read_batch(body: bytes) -> tuple[list[tuple[str, str, bytes]], list[int]]:
    """The events (id, sender, raw) and update ids in an answer of getUpdates. Raises Unreadable."""
    try:
        updates = json.loads(body)["result"]
        numbered = [(update_number(update), update) for update in updates]
        # Plain ASCII, because half a surrogate pair cannot be written as UTF-8.
        events = [(str(number), sender_of(u), json.dumps(u).encode()) for number, u in numbered]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(body) from error
    return events, [number for number, _ in numbered]
