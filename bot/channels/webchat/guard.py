"""What every phone request must pass: a good link, our own origin, a bounded body, a bearable pace."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.channels.webchat.channel import WebChatChannel
from bot.channels.webchat.events import Refused
from bot.channels.webchat.links import Holder, find_holder
from bot.channels.webchat.words import reason

BODY_SECONDS_MAX = 60
MESSAGES_PER_MINUTE = 600  # Far above any person; the desk folds a chatterer much earlier and refuses nobody.
UPLOADS_PER_MINUTE = 120
PACES_KEPT_MAX = 10_000

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; connect-src 'self'; font-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Permissions-Policy": "geolocation=(self), camera=(self), microphone=(self)",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}

Endpoint = Callable[[Request, Holder], Awaitable[Response]]
Message = MutableMapping[str, Any]


class Pace:
    """Counts each phone's requests of the last minute."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._moments: dict[str, deque[datetime]] = {}

    def step(self, address: str, now: datetime) -> None:
        """Count one request. Raises Refused when there were too many."""
        if len(self._moments) > PACES_KEPT_MAX:
            self._moments.clear()
        moments = self._moments.setdefault(address, deque())
        while moments and moments[0] <= now - timedelta(minutes=1):
            moments.popleft()
        if len(moments) >= self._per_minute:
            raise Refused(429, "too_many_messages")
        moments.append(now)


def guarded(channel: WebChatChannel, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint behind the link's check; every refusal becomes a JSON sentence."""

    async def answer(request: Request) -> Response:
        try:
            if request.method not in ("GET", "HEAD"):
                check_origin(request, channel.door.policy.public_url)
            holder = await holder_of(channel, request)
            response = await endpoint(request, holder)
        except Refused as refusal:
            response = refused(channel, refusal)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return answer


async def holder_of(channel: WebChatChannel, request: Request) -> Holder:
    """Who this link belongs to. Raises Refused with one same answer for every bad link."""
    async with channel.door.read() as store:
        holder = await find_holder(store, request.path_params["token"], channel.door.clock.now())
    if holder is None:
        raise Refused(404, "gone")
    return holder


def refused(channel: WebChatChannel, refusal: Refused) -> Response:
    """The reason in words, as JSON."""
    sentence = reason(channel.door.policy.language, refusal.code, refusal.facts)
    headers = {"Retry-After": "5"} if refusal.status == 429 else None
    return JSONResponse({"code": refusal.code, "reason": sentence}, refusal.status, headers)


def check_origin(request: Request, public_url: str) -> None:
    """Refuse what another site makes a browser post; a proxy may have changed our host. Raises Refused."""
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refused(403, "foreign")
    own = {request.headers.get("host", "").lower(), urlsplit(public_url).netloc.lower()} - {""}
    if origin is not None and urlsplit(origin).netloc.lower() not in own:
        raise Refused(403, "foreign")


async def read_json(request: Request, bytes_max: int) -> bytes:
    """The body of a JSON request. Raises Refused when it is too big, too slow or of another type."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Refused(400, "bad_json")
    pieces, count = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for piece in request.stream():
                pieces.append(piece)
                count += len(piece)
                if count > bytes_max:
                    raise Refused(413, "body_too_large")
    except TimeoutError as error:
        raise Refused(408, "slow") from error
    return b"".join(pieces)


async def read_fields(request: Request) -> dict[str, Any]:
    """A small JSON object. Raises Refused."""
    try:
        fields = json.loads(await read_json(request, 4096))
    except (ValueError, RecursionError) as error:
        raise Refused(400, "bad_json") from error
    if not isinstance(fields, dict):
        raise Refused(400, "bad_json")
    return fields


def bounded(request: Request, bytes_max: int) -> Request:
    """The same request, whose body raises Refused as soon as it is longer than this."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced) > bytes_max:
        raise Refused(413, "file_too_large", max=bytes_max // (1024 * 1024))
    count = 0

    async def receive() -> Message:
        nonlocal count
        message = await request.receive()
        count += len(message.get("body", b""))
        if count > bytes_max:
            raise Refused(413, "file_too_large", max=bytes_max // (1024 * 1024))
        return message

    return Request(request.scope, receive)
