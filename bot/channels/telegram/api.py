"""Raw calls of the Bot API, JSON in and out, over httpx; no error text ever holds the token."""

import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from bot.channels.redaction import Redaction
from bot.channels.telegram.settings import TelegramSettings

CONNECTIONS_MAX = 4
UNKNOWN_BOT = "Telegram does not know this token: copy it again from @BotFather into [telegram] token"


class Refused(Exception):
    """Telegram answered no."""

    def __init__(self, code: int, description: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(f"{description} ({code})")
        self.code = code
        self.description = description
        self.retry_after_seconds = retry_after_seconds


class Unreachable(Exception):
    """No answer came, or none that can be read."""


def verification(settings: TelegramSettings) -> ssl.SSLContext | bool:
    """How servers prove themselves; one context is shared, because making one takes 20 ms."""
    return httpx.create_ssl_context() if settings.base_url.startswith("https:") else False


class Api:
    """Calls of one bot."""

    def __init__(
        self,
        settings: TelegramSettings,
        verify: ssl.SSLContext | bool,
        redaction: Redaction,
        told_time: Callable[[str | None], None] = lambda _date: None,
    ) -> None:
        self._settings = settings
        self._redact = redaction.text
        self._told_time = told_time
        pace = settings.pace
        self._client = httpx.AsyncClient(
            verify=verify,
            timeout=httpx.Timeout(pace.answer_seconds, connect=pace.connect_seconds),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
        )

    async def call(self, method: str, **parameters: Any) -> Any:
        """The result of a method. Raises Refused or Unreachable."""
        body = await self.post(method, parameters)
        try:
            return json.loads(body)["result"]
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise Unreachable(f"{method}: the answer is not Telegram's") from error

    async def post(self, method: str, parameters: dict[str, Any], extra_seconds: float = 0) -> bytes:
        """The body of a good answer, unread. Raises Refused or Unreachable."""
        pace = self._settings.pace
        url = f"{self._settings.base_url}{self._settings.token}/{method}"
        timeout = httpx.Timeout(pace.answer_seconds + extra_seconds, connect=pace.connect_seconds)
        try:
            response = await self._client.post(url, json=parameters, timeout=timeout)
        except httpx.HTTPError as error:
            raise Unreachable(self._redact(f"{method}: {type(error).__name__} {error}".strip())) from error
        self._told_time(response.headers.get("Date"))
        if response.status_code != HTTPStatus.OK:
            raise self._refusal(response.status_code, response.content)
        return response.content

    @asynccontextmanager
    async def download(self, path: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes behind a file_path. Raises Refused or Unreachable, also between pieces."""
        url = f"{self._settings.file_url}{self._settings.token}/{quote(path)}"
        try:
            async with self._client.stream("GET", url) as response:
                if response.status_code != HTTPStatus.OK:
                    raise self._refusal(response.status_code, await response.aread())
                yield response.aiter_bytes(256 * 1024)
        except httpx.HTTPError as error:
            raise Unreachable(self._redact(f"download: {type(error).__name__} {error}".strip())) from error

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    def _refusal(self, code: int, body: bytes) -> Refused:
        phrase = HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else "unknown status"
        try:
            answer = json.loads(body)
            description = answer.get("description") or phrase
            wait = (answer.get("parameters") or {}).get("retry_after")
        except (ValueError, RecursionError, AttributeError):
            description, wait = phrase, None  # A gateway's page, not Telegram's answer.
        seconds = float(wait) if isinstance(wait, int) else None
        return Refused(code, self._redact(str(description))[:300], seconds)
