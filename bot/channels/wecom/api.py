"""Calls of WeCom's server API for one application, over httpx; no error text ever holds the token or the secret."""

import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from bot.channels.redaction import Redaction
from bot.channels.wecom.faults import BAD_TOKENS, CallFailed, Health, Refused, Unknown, Unsent
from bot.channels.wecom.settings import WeComSettings
from bot.channels.wecom.tokens import Shelf, Tokens
from desk.ports import Clock

CONNECTIONS_MAX = 8
ANSWER_BYTES_MAX = 8 * 1024 * 1024
PIECE_BYTES = 256 * 1024
Json = dict[str, Any]

# The request never left: nothing can have happened.
_BEFORE = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


@dataclass(frozen=True)
class Upload:
    """A file on its way to WeCom: what it is called there, and all its bytes."""

    name: str
    content: bytes


Body = Json | Upload | None


class Api:
    """The calls of one application. Redirects are not followed."""

    def __init__(
        self,
        settings: WeComSettings,
        clock: Clock,
        redaction: Redaction,
        health: Health,
        told_time: Callable[[str | None], None] = lambda _date: None,
        shelf: Shelf | None = None,
    ) -> None:
        self._settings = settings
        self._told_time = told_time
        self._redact = redaction.text
        self._health = health
        self._tokens = Tokens(self._ask_token, clock, shelf)
        pace = settings.pace
        verify: ssl.SSLContext | bool = (
            httpx.create_ssl_context() if settings.base_url.startswith("https:") else False
        )
        self._client = httpx.AsyncClient(
            verify=verify,
            timeout=httpx.Timeout(pace.answer_seconds, connect=pace.connect_seconds),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
            follow_redirects=False,
        )

    async def call(self, method: str, body: Body = None, **query: Any) -> Json:
        """The answer of a method; with a body or a file it is posted. Raises Refused, Unsent or Unknown.

        A token that is over or revoked is renewed once, and the call, which was refused, made again."""
        try:
            answer = await self._with_token(method, body, query)
        except CallFailed as fault:
            await self._health.met(fault, method)
            raise
        await self._health.well(method)
        return answer

    async def _with_token(self, method: str, body: Body, query: Mapping[str, Any]) -> Json:
        token = await self._token()
        try:
            return await self._answer(method, body, {"access_token": token, **query})
        except Refused as refusal:
            if refusal.code not in BAD_TOKENS:
                raise
        token = await self._token(bad=token)
        return await self._answer(method, body, {"access_token": token, **query})

    async def _token(self, *, bad: str = "") -> str:
        """The token; whatever went wrong in asking for it, the call it is for was not made."""
        try:
            return await self._tokens.get(bad=bad)
        except Unknown as fault:
            raise Unsent(str(fault)) from fault

    async def call_robot(self, key: str, body: Json) -> Json:
        """Say something by a group's robot, whose key is all it needs. Raises Refused, Unsent or Unknown."""
        return await self._answer("webhook/send", body, {"key": key})

    @asynccontextmanager
    async def download(self, media_id: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of a temporary file. Raises Refused, Unsent or Unknown, also between pieces."""
        token = await self._token()
        for attempt in (1, 2):
            try:
                async with self._opened(token, media_id) as pieces:
                    yield pieces
                    return
            except Refused as refusal:
                if refusal.code not in BAD_TOKENS or attempt == 2:
                    raise
                token = await self._token(bad=token)

    @asynccontextmanager
    async def _opened(self, token: str, media_id: str) -> AsyncIterator[AsyncIterator[bytes]]:
        query = {"access_token": token, "media_id": media_id}
        try:
            async with self._client.stream("GET", self._url("media/get"), params=query) as response:
                kind = response.headers.get("content-type", "")
                if response.status_code != HTTPStatus.OK or kind.startswith(
                    ("application/json", "text/plain")
                ):
                    self._read(response.status_code, await _bounded(response))
                    raise Unknown("the answer is no file")
                yield response.aiter_bytes(PIECE_BYTES)
        except httpx.HTTPError as error:
            raise self._failed("media/get", error) from error

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _ask_token(self) -> tuple[str, float]:
        query = {"corpid": self._settings.corp_id, "corpsecret": self._settings.secret}
        answer = await self._answer("gettoken", None, query)
        token, seconds = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not token:
            raise Unknown("gettoken: the answer has no token")
        return token, float(seconds) if isinstance(seconds, int | float) else 7200.0

    async def _answer(self, method: str, body: Body, query: Mapping[str, Any]) -> Json:
        sent: dict[str, Any] = {}
        if isinstance(body, Upload):
            sent = {"files": {"media": (body.name, body.content)}}
        elif body is not None:
            content = json.dumps(body, ensure_ascii=False).encode()
            sent = {"content": content, "headers": {"Content-Type": "application/json"}}
        verb = "GET" if body is None else "POST"
        request = self._client.build_request(verb, self._url(method), params=dict(query), **sent)
        try:
            response = await self._client.send(request, stream=True)
            try:
                raw = await _bounded(response)
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise self._failed(method, error) from error
        self._told_time(response.headers.get("Date"))
        return self._read(response.status_code, raw)

    def _url(self, method: str) -> str:
        return f"{self._settings.base_url.rstrip('/')}/cgi-bin/{method}"

    def _failed(self, method: str, error: httpx.HTTPError) -> CallFailed:
        reason = self._redact(f"{method}: {type(error).__name__}")
        return Unsent(reason) if isinstance(error, _BEFORE) else Unknown(reason)

    def _read(self, status: int, raw: bytes) -> Json:
        """A good answer. What a gateway says in WeCom's place is told by its status."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unknown(f"answered with {status}")
        if status != HTTPStatus.OK:
            raise Unsent(
                f"answered with {status} before WeCom saw it: look at the proxy and [wecom] base_url"
            )
        try:
            answer = json.loads(raw)
            code = answer.get("errcode", 0)
        except (ValueError, RecursionError, AttributeError) as error:
            raise Unknown("the answer is cut or no JSON") from error
        if type(code) is not int:
            raise Unknown("the answer is not WeCom's")
        if code:
            raise Refused(code, self._redact(str(answer.get("errmsg", ""))[:300]))
        found: Json = answer
        return found


async def _bounded(response: httpx.Response) -> bytes:
    """The body of an answer that is no file. Raises Unknown when it is longer than any is."""
    pieces, count = [], 0
    async for piece in response.aiter_bytes(PIECE_BYTES):
        pieces.append(piece)
        count += len(piece)
        if count > ANSWER_BYTES_MAX:
            raise Unknown("the answer has no end")
    return b"".join(pieces)
