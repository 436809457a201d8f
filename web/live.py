"""The live stream: an event per log line, resumable, bounded, only what the viewer may see."""

import asyncio
import contextlib
import json
from collections import Counter, deque
from collections.abc import AsyncIterator
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from desk.ports import Door
from incidents.model import LogLine
from web.log import visible_lines
from web.screen import Screen
from web.sessions import Viewer

HEARTBEAT_SECONDS = 15.0
SETTLE_SECONDS = 0.15  # Longer than READ_AFRESH_SECONDS, so that what rang is read at the next look.
READ_AFRESH_SECONDS = 0.1
READ_ANYWAY_SECONDS = 1.0  # Another process may have written without ringing our bell.
LINES_KEPT = 500
NEVER = -1
RETRY_SECONDS = 60
BATCH_MAX = 200
STREAM_MINUTES_MAX = 10  # The browser comes back by itself, so no stream can hold a stopping server for long.


def make_routes(screen: Screen, live: "Live") -> list[BaseRoute]:
    """The stream's address."""
    return [Route("/live", screen.viewed(live.stream))]


class Feed:
    """The newest log lines, read once for all streams."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._lines: deque[LogLine] = deque(maxlen=LINES_KEPT)
        self._newest = -1
        self._read_at = 0.0
        self._rings = NEVER  # The bell's count before the last reading.
        self._turn = asyncio.Lock()

    async def newest(self) -> int:
        """The sequence number of the last line."""
        await self._refresh()
        return self._newest

    async def after(self, sequence: int) -> tuple[list[LogLine], int]:
        """Lines after a sequence number, oldest first, at most one batch; and the bell's count they are as of."""
        await self._refresh()
        rings = self._rings
        if sequence >= self._newest:
            return [], rings
        if self._lines and self._lines[0].sequence <= sequence + 1:
            return [line for line in self._lines if line.sequence > sequence][:BATCH_MAX], rings
        async with self._door.read() as store:
            more = {"sequence_from": sequence + 1}
            return await store.find(LogLine, order=("sequence",), limit=BATCH_MAX, **more), rings

    async def _refresh(self) -> None:
        async with self._turn:
            now, rings = asyncio.get_running_loop().time(), self._door.bell.rings
            age = now - self._read_at
            if self._newest >= 0 and (
                age < READ_AFRESH_SECONDS or (rings == self._rings and age < READ_ANYWAY_SECONDS)
            ):
                return
            async with self._door.read() as store:
                if self._newest < 0:
                    last = await store.find(LogLine, order=("-sequence",), limit=1)
                    self._lines.extend(last)
                    self._newest = last[0].sequence if last else 0
                else:
                    more = {"sequence_from": self._newest + 1}
                    found = await store.find(LogLine, order=("sequence",), limit=LINES_KEPT, **more)
                    self._lines.extend(found)
                    self._newest = found[-1].sequence if found else self._newest
                    if len(found) == LINES_KEPT:
                        rings = NEVER  # There is more: read on at the next look.
            self._read_at, self._rings = now, rings


class CountedStream(StreamingResponse):
    """A stream that counts for whoever opened it from its first byte to its last."""

    def __init__(self, events: AsyncIterator[str], counts: Counter[str], whose: str) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._counts, self._whose = counts, whose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._counts[self._whose] += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._counts[self._whose] -= 1
            self._counts += Counter()  # Those at zero are forgotten.


class Live:
    """The open streams."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._feed = Feed(screen.door)
        self._open: Counter[str] = Counter()  # By the person, or the address of whoever need not sign in.
        self.closing = asyncio.Event()

    @property
    def count(self) -> int:
        """How many streams are open."""
        return self._open.total()

    def close(self) -> None:
        """End every stream now; called when the desk stops."""
        self.closing.set()
        self._screen.door.bell.ring()

    async def stream(self, request: Request, viewer: Viewer) -> Response:
        """A stream from now, or from the line after Last-Event-ID; 429 with the reason when one person has too many."""
        said = request.headers.get("last-event-id") or request.query_params.get("after", "")
        is_number = said.isascii() and said.isdigit() and len(said) < 16
        start = int(said) if is_number else await self._feed.newest()
        settings = self._screen.settings
        if self.count >= settings.streams_max:
            raise HTTPException(503)
        whose = viewer.officer.id if viewer.officer else f"@{request.client.host if request.client else ''}"
        if self._open[whose] >= settings.streams_per_person_max:
            return self._too_many(request, settings.streams_per_person_max)
        return CountedStream(self._events(viewer, start), self._open, whose)

    def _too_many(self, request: Request, most: int) -> Response:
        message = self._screen.words["live"]["too_many"].format(max=most)
        error = {"code": "too_many_streams", "message": message, "id": request.state.request_id}
        return JSONResponse({"error": error}, 429, {"Retry-After": str(RETRY_SECONDS)})

    async def _events(self, viewer: Viewer, sequence: int) -> AsyncIterator[str]:
        bell, clock = self._screen.door.bell, self._screen.door.clock
        ends_at = clock.now() + timedelta(minutes=STREAM_MINUTES_MAX)
        yield f"retry: 1500\nid: {sequence}\nevent: hello\ndata: {{}}\n\n"
        while clock.now() < ends_at and not self.closing.is_set():
            if not await self._screen.sessions.is_good(viewer):
                yield "event: signed_out\ndata: {}\n\n"
                return
            lines, rings = await self._feed.after(sequence)
            if lines:
                sequence = lines[-1].sequence
                yield await self._write(viewer, lines)
                continue
            if await bell.wait(HEARTBEAT_SECONDS, since=rings):
                await self._settle()
            else:
                yield ": still here\n\n"

    async def _settle(self) -> None:
        """Let what belongs together be written first; not at all when the desk stops."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await self.closing.wait()

    async def _write(self, viewer: Viewer, lines: list[LogLine]) -> str:
        if viewer.everything:
            seen = lines
        else:
            async with self._screen.door.read() as store:
                seen = await visible_lines(store, viewer, lines)
        pieces = []
        for line in seen:
            data = json.dumps({"kind": line.kind, "subject": line.subject, "at": line.at.isoformat()})
            pieces.append(f"id: {line.sequence}\nevent: line\ndata: {data}\n\n")
        return "".join(pieces) or f"id: {lines[-1].sequence}\nevent: pass\ndata: {{}}\n\n"
