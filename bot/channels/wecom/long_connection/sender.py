"""Sends and changes messages over the line: replies where there is something to reply to, pushes otherwise."""

import logging
import secrets
from collections.abc import Sequence

from bot.channels.wecom.cards import (
    BUTTONS_MAX,
    Choices,
    button_card,
    card_words,
    changed_card,
    numbered,
    sealed_card,
    sound,
    task_id_of,
    usable,
)
from bot.channels.wecom.faults import CallFailed, Refused, Unsent
from bot.channels.wecom.long_connection import frames
from bot.channels.wecom.long_connection.frames import Json
from bot.channels.wecom.long_connection.line import Line
from bot.channels.wecom.long_connection.markdown import plain
from bot.channels.wecom.long_connection.moments import Moments
from bot.channels.wecom.long_connection.place_card import place_card
from bot.channels.wecom.long_connection.places import Places
from bot.channels.wecom.long_connection.settings import LongConnectionSettings
from bot.channels.wecom.sender import ADDRESS
from bot.channels.wecom.sent import Sending, SentBook
from bot.channels.wecom.words import chat
from desk.model import Card, Outcome, Receipt, Rendered
from desk.ports import Clock

log = logging.getLogger(__name__)

BUSY, TOO_MANY = -1, 45009
# A req_id the vendor does not know (any more), a stream that is over, a request that is: only a push can help.
NO_REPLY = frozenset({846604, 846605, 846608})
# Nobody there, or never wrote to the bot: it may not write first.
NOBODY = frozenset({40003, 46004, 60111, 81013, 86001, 86003, 93006})
REASON_MAX = 300
TASK_ID_MAX = 128
_ELSEWHERE = Receipt(Outcome.not_sent, reason="another process has the line", not_here=True)
_TOO_LATE = Receipt(Outcome.refused, reason="a bot's card changes only within five seconds of its press")


class Sender:
    """The sending half of one bot."""

    def __init__(
        self,
        settings: LongConnectionSettings,
        line: Line,
        moments: Moments,
        book: SentBook,
        places: Places,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._line = line
        self._moments = moments
        self._book = book
        self._places = places
        self._clock = clock

    async def send(self, message: Rendered, to: Sequence[str], key: str) -> list[Receipt]:
        """Send to each; one receipt each. A task id is used once, so every sending has another."""
        return [await self._send_one(message, address, key) for address in to]

    async def _send_one(self, message: Rendered, address: str, key: str) -> Receipt:
        if not ADDRESS.fullmatch(address):
            return Receipt(Outcome.refused, reason="not a WeCom user id")
        if self._line.is_standing_by:
            return _ELSEWHERE
        task_id = f"{task_id_of(key)[: TASK_ID_MAX - 9]}-{secrets.token_hex(4)}"
        choices = usable(message)
        parts, is_listed = self._parts(message, choices, task_id)
        if is_listed:
            tokens = tuple(token for _, token in choices)
            await self._keep(Sending(task_id, self._clock.now(), (address,), tokens, message.asks_place))
        try:
            for part in parts:
                await self._tell(address, part)
        except CallFailed as fault:
            return self._failed(fault)
        if message.asks_place:
            await self._ask_place(address, f"{task_id[: TASK_ID_MAX - 2]}@p")
        return Receipt(Outcome.sent, task_id)

    def _parts(self, message: Rendered, choices: Choices, task_id: str) -> tuple[list[Json], bool]:
        """What a message becomes, and whether its choices are numbers to reply."""
        language, text = self._settings.language, sound(message.text)
        if not choices:
            return [_bubble(text)], False
        if not self._settings.cards or len(choices) > BUTTONS_MAX:
            return [_bubble(f"{text}\n\n{numbered(choices, language)}")], True
        words = card_words(text)
        if words is not None:
            return [_card(button_card(words, choices, task_id))], False
        return [_bubble(text), _card(sealed_card(text, choices, task_id, language))], False

    async def amend(self, message: Rendered, card: Card) -> Receipt:
        """Change a card within five seconds of its press; later the words go out as a message of their own."""
        if self._line.is_standing_by:  # Whoever has the line heard the press, and knows how long ago.
            return _ELSEWHERE
        req_id = self._moments.change_for(card.address, card.remote_id, self._clock.now())
        if not req_id:
            return _TOO_LATE
        changed = changed_card(message, card.remote_id, self._settings)
        body = {"response_type": "update_template_card", "template_card": changed}
        try:
            await self._line.ask(frames.CHANGE, body, req_id)
        except Refused as refusal:
            return Receipt(Outcome.refused, reason=str(refusal)[:REASON_MAX])
        except CallFailed as fault:
            return self._failed(fault)
        return Receipt(Outcome.sent, card.remote_id)

    async def welcome(self, req_id: str) -> None:
        """Answer whoever opens the chat for the first time today; a welcome that fails is no fault."""
        words = {"content": chat(self._settings.language, "welcome")}
        try:
            await self._line.ask(frames.WELCOME, {"msgtype": "text", "text": words}, req_id)
        except CallFailed as fault:
            log.info("wecom: nobody was welcomed: %s", fault)

    async def _tell(self, address: str, part: Json) -> None:
        req_id = self._moments.reply_for(address, self._clock.now())
        if req_id:
            try:
                await self._line.ask(frames.REPLY, _as_reply(part), req_id)
                return
            except Refused as refusal:  # Refused is not shown: pushing it shows it once.
                if refusal.code not in NO_REPLY:
                    raise
                self._moments.no_reply(address)
        await self._line.ask(frames.PUSH, {"chatid": address, "chat_type": frames.SINGLE_CHAT, **part})

    async def _ask_place(self, address: str, task_id: str) -> None:
        """The place itself is asked for in the message; this is only the easiest way to answer."""
        language = self._settings.language
        try:
            link = await self._places.link(address)
            card = place_card(self._places.names, task_id, language, link)
            if card is not None:
                await self._tell(address, _card(card))
            elif link:
                await self._tell(address, _bubble(chat(language, "place_link", link=link)))
        except CallFailed as fault:
            log.warning("wecom: the lists of places did not go out: %s", fault)

    async def _keep(self, sending: Sending) -> None:
        try:
            await self._book.keep(sending)
        except (
            Exception
        ):  # A full or locked database: its numbers mean nothing then, the typed word still does.
            log.exception("wecom: what the numbers of a message stand for could not be noted")

    def _failed(self, fault: CallFailed) -> Receipt:
        reason, pace = str(fault)[:REASON_MAX], self._settings.pace
        if isinstance(fault, Unsent):
            if self._line.is_standing_by:
                return _ELSEWHERE
            return Receipt(Outcome.not_sent, "", reason, pace.unsent_seconds, whole_channel=True)
        if not isinstance(fault, Refused):
            return Receipt(Outcome.unknown, reason=reason)
        if fault.code == BUSY:
            return Receipt(Outcome.not_sent, reason=reason)
        if fault.code == TOO_MANY:
            return Receipt(Outcome.not_sent, "", reason, pace.frequency_hold_seconds)
        return Receipt(Outcome.refused, reason=reason, address_gone=fault.code in NOBODY)


def _bubble(text: str) -> Json:
    return {"msgtype": "markdown", "markdown": {"content": plain(text)}}


def _card(card: Json) -> Json:
    return {"msgtype": "template_card", "template_card": card}


def _as_reply(part: Json) -> Json:
    """A reply's words are a stream that is finished at once: replies know no markdown of their own."""
    if part["msgtype"] != "markdown":
        return part
    stream = {"id": secrets.token_hex(12), "finish": True, "content": part["markdown"]["content"]}
    return {"msgtype": "stream", "stream": stream}
