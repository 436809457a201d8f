"""What became of a call, by the stage it failed at: not sent, refused, or perhaps arrived."""

import json
import re
from typing import Any

import httpx
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest

from bot.channels.telegram.api import UNKNOWN_BOT
from desk.model import Outcome, Receipt

_NOBODY = re.compile(r"(?i)(chat|user) not found|user is deactivated|PEER_ID_INVALID")
HOLD_SECONDS = 5.0  # When a gateway says 429 without telling how long.
TOKEN_HOLD_SECONDS = 30.0

# The request never left: nothing can have arrived.
_BEFORE = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class Flooded(TelegramError):
    """429, with the seconds to hold the whole token."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"retry after {seconds:g} s")
        self.seconds = seconds


class Transport(HTTPXRequest):
    """python-telegram-bot's own transport, quieter, and telling apart the answers it lumps together."""

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """Status and body. Raises Flooded at 429, BadRequest at refusals that PTB has no name for."""
        code, payload = await super().do_request(*args, **kwargs)
        if code == 429:
            raise Flooded(_told_seconds(payload))
        if 400 < code < 500 and code not in (401, 403, 404, 409):
            raise BadRequest(f"refused with {code}")
        return code, payload

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The answer as JSON, without logging what it cannot read: it may hold people's words."""
        try:
            answer = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise TelegramError("the answer is cut or no JSON") from error
        if not isinstance(answer, dict) or "ok" not in answer:
            raise TelegramError("the answer is not Telegram's")
        return answer


def _told_seconds(payload: bytes) -> float:
    try:
        return float(json.loads(payload)["parameters"]["retry_after"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return HOLD_SECONDS


def receipt_for(error: Exception) -> Receipt:
    """The receipt of a failed call. BadRequest and TimedOut are NetworkErrors too: they stand first."""
    reason = str(error)
    match error:
        case Flooded():
            return _hold(reason, error.seconds)
        case RetryAfter():
            return _hold(reason, HOLD_SECONDS)
        case ChatMigrated():
            return Receipt(Outcome.not_sent, reason=reason, new_address=str(error.new_chat_id))
        case Forbidden():
            return Receipt(Outcome.refused, reason=reason, address_gone=True)
        case BadRequest():
            return Receipt(Outcome.refused, reason=reason, address_gone=bool(_NOBODY.search(reason)))
        case InvalidToken():
            return _hold(UNKNOWN_BOT, TOKEN_HOLD_SECONDS)
        case Conflict():
            return Receipt(Outcome.not_sent, reason=reason)
        case TimedOut() | NetworkError():
            before = isinstance(error.__cause__, _BEFORE)
            return Receipt(Outcome.not_sent if before else Outcome.unknown, reason=_cause(error))
    # What is left is an answer that cannot be understood: cut, no JSON, or of another shape.
    return Receipt(Outcome.unknown, reason=f"{type(error).__name__}: {reason}")


def _hold(reason: str, seconds: float) -> Receipt:
    return Receipt(Outcome.not_sent, reason=reason, retry_after_seconds=seconds, whole_channel=True)


def _cause(error: TelegramError) -> str:
    cause = error.__cause__
    return f"{type(cause).__name__} {cause}".strip() if isinstance(cause, httpx.HTTPError) else str(error)
