"""Sends, amends and settles through python-telegram-bot, one receipt per person."""

import logging
import ssl
from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar

from telegram import Bot, LinkPreviewOptions
from telegram.error import TelegramError

from bot.channels.redaction import Redaction
from bot.channels.telegram.keyboards import fitted, inline_keyboard, keyboard
from bot.channels.telegram.outcomes import Transport, receipt_for
from bot.channels.telegram.settings import TelegramSettings
from desk.model import Card, Outcome, Receipt, Rendered

T = TypeVar("T")

log = logging.getLogger(__name__)

CONNECTIONS_MAX = 8  # More makes every send dearer: the pool is searched at each one.
SETTLE_CHARACTERS_MAX = 200
REASON_MAX = 300  # A gateway may answer with a whole page.

# An answer of another shape than Telegram's: the call was made, so the outcome is unknown.
_MISSHAPEN = (KeyError, TypeError, ValueError, AttributeError)
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


class Sender:
    """The sending half of one bot."""

    def __init__(
        self, settings: TelegramSettings, verify: ssl.SSLContext | bool, redaction: Redaction
    ) -> None:
        self._redact = redaction.text
        pace = settings.pace
        self._transport = Transport(
            connection_pool_size=CONNECTIONS_MAX,
            connect_timeout=pace.connect_seconds,
            read_timeout=pace.answer_seconds,
            write_timeout=pace.answer_seconds,
            pool_timeout=pace.answer_seconds,
            httpx_kwargs={"verify": verify},
        )
        self._bot = Bot(
            settings.token,
            base_url=settings.base_url,
            base_file_url=settings.file_url,
            request=self._transport,
            get_updates_request=self._transport,
        )

    async def send(self, message: Rendered, address: str) -> Receipt:
        """Send to one chat."""
        chat_id = _whole(address)
        if chat_id is None:
            return Receipt(Outcome.refused, reason="not a Telegram chat id")
        text = fitted(message.text)
        call = self._bot.send_message(
            chat_id, text, reply_markup=keyboard(message, chat_id), link_preview_options=_NO_PREVIEW
        )
        sent, receipt = await self._try(call)
        if sent is None:
            return receipt
        was_cut = "the text was cut to 4096 units" if len(text) < len(message.text) else ""
        return Receipt(Outcome.sent, str(sent.message_id), reason=was_cut)

    async def amend(self, message: Rendered, card: Card) -> Receipt:
        """Replace words and buttons; a message that shows them already is a success."""
        chat_id, number = _whole(card.address), _whole(card.remote_id)
        if chat_id is None or number is None:
            return Receipt(Outcome.refused, reason="not a Telegram message")
        call = self._bot.edit_message_text(
            fitted(message.text),
            chat_id,
            number,
            reply_markup=inline_keyboard(message.choices),
            link_preview_options=_NO_PREVIEW,
        )
        sent, receipt = await self._try(call)
        if sent is not None or "message is not modified" in receipt.reason.lower():
            return Receipt(Outcome.sent, card.remote_id)
        return receipt

    async def settle(self, interaction: str, text: str) -> None:
        """Stop the spinner of a tap; it may be too old already, which is no error."""
        call = self._bot.answer_callback_query(interaction, text[:SETTLE_CHARACTERS_MAX] or None)
        _, receipt = await self._try(call)
        if receipt.outcome is not Outcome.sent:
            log.info("telegram: a tap was not settled: %s", receipt.reason)

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.shutdown()

    async def _try(self, call: Awaitable[T]) -> tuple[T | None, Receipt]:
        """The result of a call, or the receipt of its failure."""
        try:
            return await call, Receipt(Outcome.sent)
        except (TelegramError, *_MISSHAPEN) as error:
            receipt = receipt_for(error)
            return None, replace(receipt, reason=self._redact(receipt.reason)[:REASON_MAX])


def _whole(number: str) -> int | None:
    """A chat or message id; Telegram's fit in 52 bits."""
    try:
        value = int(number)
    except ValueError:
        return None
    return value if abs(value) < 2**52 and value != 0 else None
