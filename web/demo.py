"""The demonstration town's front page: four phones beside the live board, and buttons that act."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from desk.ports import Door

FAST, NORMAL = 60.0, 1.0
LOOKS_EVERY_SECONDS = 0.25
HEARTBEAT_SECONDS = 15.0
STREAM_MINUTES_MAX = 10  # The browser comes back by itself, so no stream can hold a stopping server for long.
PRESS_SECONDS_MIN = 1

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class DemoPhone:
    """One of the phones on the page."""

    role: str  # 村信息员, 值班员, 带班领导, 应急办
    name: str
    token: str


class Runs(Exception):
    """What the button begins runs already."""


class DemoActions(Protocol):
    """What the page's buttons do in the town."""

    async def phones(self) -> Sequence[DemoPhone]:
        """The phones to show, from left to right, with links that are good now."""
        ...

    async def pace(self) -> float:
        """How fast the town's minutes run: 1 as in life, 60 a second each."""
        ...

    async def set_pace(self, pace: float) -> None:
        """Let minutes run faster or as in life."""
        ...

    async def roll_call(self) -> None:
        """Call the roll now. Raises Runs while one is open."""
        ...

    async def fire(self) -> None:
        """Let the village officer's phone report a fire."""
        ...


def make_routes(
    door: Door, actions: DemoActions, closing: asyncio.Event, is_open_to: Callable[[Request], bool]
) -> list[BaseRoute]:
    """The page and its buttons; mounted in the demonstration only. Streams end when the desk is `closing`.

    The page hands out its phones: whoever may not look without signing in is sent to the board, which asks."""
    page = DemoPage(door, actions, closing, is_open_to)
    return [
        Route("/", page.guarded(page.get)),
        Route("/demo/stream", page.guarded(page.stream)),
        Route("/demo/roll-call", page.press(page.roll_call), methods=["POST"]),
        Route("/demo/fire", page.press(page.fire), methods=["POST"]),
        Route("/demo/clock", page.press(page.clock), methods=["POST"]),
    ]


class DemoPage:
    """The answers to the demonstration page."""

    def __init__(
        self, door: Door, actions: DemoActions, closing: asyncio.Event, is_open_to: Callable[[Request], bool]
    ) -> None:
        self._is_open_to = is_open_to
        self._door = door
        self._closing = closing
        self._actions = actions
        self._pressed: dict[str, datetime] = {}
        loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
        self._templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)

    def guarded(self, answer: Endpoint) -> Endpoint:
        """The endpoint for those to whom the town is open."""

        async def guarded(request: Request) -> Response:
            if self._is_open_to(request):
                return await answer(request)
            if request.method in ("GET", "HEAD") and request.url.path == "/":
                return RedirectResponse("/board", 303)
            return JSONResponse({"code": "closed"}, 403)

        return guarded

    async def get(self, request: Request) -> Response:
        """The page with its phones as frames."""
        phones, pace = await self._actions.phones(), await self._actions.pace()
        policy = self._door.policy
        facts = {
            "office": policy.office,
            "phones": phones,
            "fast": pace > NORMAL,
            "now": self._door.clock.now().isoformat(),
            "zone": policy.timezone,
        }
        return HTMLResponse(self._templates.get_template("demo.html").render(facts), headers=HEADERS)

    async def stream(self, request: Request) -> Response:
        """One stream for the whole page: "look" whenever something was committed."""

        async def looks() -> AsyncIterator[str]:
            bell, clock = self._door.bell, self._door.clock
            ends_at = clock.now() + timedelta(minutes=STREAM_MINUTES_MAX)
            looked_at = bell.rings
            yield "retry: 1000\n\n"
            while clock.now() < ends_at and not self._closing.is_set():
                if not await bell.wait(HEARTBEAT_SECONDS, since=looked_at):
                    yield ": still here\n\n"
                    continue
                # What is committed while the page looks rings again, and is shown by the next look.
                looked_at = bell.rings
                yield "event: look\ndata: {}\n\n"
                await bell.wait(LOOKS_EVERY_SECONDS)

        return StreamingResponse(
            looks(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    def press(self, act: Callable[[Request], Awaitable[None]]) -> Endpoint:
        """The endpoint of a button: from our own page only, and not twice in one second."""

        async def answer(request: Request) -> Response:
            if not _is_own(request):
                return JSONResponse({"code": "foreign"}, 403)
            now, path = self._door.clock.now(), request.url.path
            if now - self._pressed.get(path, datetime.min.replace(tzinfo=now.tzinfo)) < timedelta(
                seconds=PRESS_SECONDS_MIN
            ):
                return JSONResponse({"code": "too_fast"}, 429, {"Retry-After": "1"})
            self._pressed[path] = now
            try:
                await act(request)
            except Runs:
                return JSONResponse({"code": "runs"}, 409)
            except ValueError:
                return JSONResponse({"code": "bad_request"}, 400)
            return JSONResponse({"pace": await self._actions.pace()})

        return self.guarded(answer)

    async def roll_call(self, request: Request) -> None:
        """立即点名."""
        await self._actions.roll_call()

    async def fire(self, request: Request) -> None:
        """模拟火情."""
        await self._actions.fire()

    async def clock(self, request: Request) -> None:
        """快钟 on or off. Raises ValueError when it says neither."""
        switch = request.query_params.get("fast")
        if switch not in ("0", "1"):
            raise ValueError("fast must be 0 or 1")
        await self._actions.set_pace(FAST if switch == "1" else NORMAL)


def _is_own(request: Request) -> bool:
    """Whether our own page sent this, as far as a browser tells."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
