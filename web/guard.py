"""What every request passes first: id, host, body limits, origin, safe headers, one last-resort answer."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from desk.ports import Stale, Unavailable
from web.settings import WebSettings

logger = logging.getLogger("web")
CHAT_BYTES_MAX = 32 * 1024 * 1024  # The phone page keeps its own, narrower bounds.
CHANNEL_BYTES_MAX = 1024 * 1024
BODY_BYTES_PER_SECOND_MIN = 8 * 1024  # Slower than the worst line in the hills, and a drip is given up soon.
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

Fault = Callable[[Request, int], Awaitable[Response]]


class Guard:
    """Wraps the application; `fault` makes the answer for a status, JSON or a page."""

    def __init__(self, app: ASGIApp, settings: WebSettings, fault: Fault) -> None:
        self._app = app
        self._settings = settings
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["request_id"] = secrets.token_hex(8)
        _believe_proxy(scope, self._settings)
        guarded = _Guarded(scope, receive, send, self._settings)
        status = _refusal(scope, self._settings)
        if status:
            await (await self._fault(Request(scope), status))(scope, receive, guarded.send)
            return
        try:
            await self._app(scope, guarded.receive, guarded.send)
        except Exception as error:
            status = _status_of(error)
            if status == 500:
                logger.exception("request %s failed", scope["state"]["request_id"])
            if not guarded.started:
                await (await self._fault(Request(scope), status))(scope, receive, guarded.send)


def _status_of(error: Exception) -> int:
    """What an unanswered fault is called: the database may be busy, or others faster; the rest is ours."""
    if isinstance(error, HTTPException):
        return error.status_code
    return 503 if isinstance(error, Unavailable | Stale) else 500


class _Guarded:
    """One request's receive and send, bounded and with headers."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, settings: WebSettings) -> None:
        self._scope, self._receive, self._send, self._settings = scope, receive, send, settings
        self._bytes_max = _bytes_max(scope["path"], settings)
        self._count = 0
        self._is_whole = False
        self._begun_at = asyncio.get_running_loop().time()
        self.started = False

    async def receive(self) -> Message:
        """The next piece of the body, unless it is too big or too slow."""
        if self._is_whole:
            return await self._receive()
        earned = self._settings.body_seconds_max + self._count / BODY_BYTES_PER_SECOND_MIN
        try:
            async with asyncio.timeout_at(self._begun_at + earned):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(408) from error
        self._count += len(message.get("body", b""))
        if self._count > self._bytes_max:
            raise HTTPException(413)
        self._is_whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send with the safe headers added where the answer did not set its own."""
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._scope["state"]["request_id"]
            for name, value in safe_headers(self._scope["path"], self._settings).items():
                headers.setdefault(name, value)
        await self._send(message)


def safe_headers(path: str, settings: WebSettings) -> dict[str, str]:
    """The headers of every answer; only the phone page may be framed, by our own demonstration page."""
    is_chat = path.startswith("/chat/")
    tiles = urlsplit(settings.tiles_url)
    framed_by = "'self'" if is_chat else "'none'"
    images = "'self' data:" + (f" {tiles.scheme}://{tiles.netloc}" if tiles.netloc else "")
    headers = {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
            "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
            f"frame-ancestors {framed_by}"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN" if is_chat else "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "geolocation=(self), camera=(self), microphone=(self)",
        "Cache-Control": "no-cache" if path.startswith("/static/") else "no-store",
    }
    if settings.is_https:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def is_own_origin(headers: Headers, settings: WebSettings) -> bool:
    """Whether a browser says that our own page sent this; a client that is no browser says nothing."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    own = {headers.get("host", "").lower(), urlsplit(settings.public_url).netloc.lower()} - {""}
    return urlsplit(origin).netloc.lower() in own


def _refusal(scope: Scope, settings: WebSettings) -> int:
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not settings.answers_to(_host_name(hosts[0]), (scope.get("server") or ("",))[0]):
        return 400
    announced = headers.get("content-length", "0")
    if not (announced.isascii() and announced.isdigit()):
        return 400
    if int(announced) > _bytes_max(scope["path"], settings):
        return 413
    if scope["method"] not in SAFE_METHODS and not scope["path"].startswith("/channels/"):
        return 0 if is_own_origin(headers, settings) else 403
    return 0


def _host_name(host: str) -> str:
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018 -- Reading it raises ValueError when the port is no number.
    except ValueError:
        return ""
    return "" if parts.username or parts.path else (parts.hostname or "").lower()


def _bytes_max(path: str, settings: WebSettings) -> int:
    if path.startswith("/chat/"):
        return CHAT_BYTES_MAX
    return CHANNEL_BYTES_MAX if path.startswith("/channels/") else settings.body_bytes_max


def _believe_proxy(scope: Scope, settings: WebSettings) -> None:
    """X-Forwarded-* count only when the next hop is one we were told to trust."""
    headers = Headers(scope=scope)
    client = scope.get("client")
    scope["state"]["is_forwarded"] = "x-forwarded-for" in headers or "forwarded" in headers
    if client is None or client[0] not in settings.trusted_proxies:
        return
    addresses = [one.strip() for one in headers.get("x-forwarded-for", "").split(",") if one.strip()]
    theirs = next((one for one in reversed(addresses) if one not in settings.trusted_proxies), "")
    if theirs:
        scope["client"] = (theirs, 0)
    if headers.get("x-forwarded-proto") in ("http", "https"):
        scope["scheme"] = headers["x-forwarded-proto"]
