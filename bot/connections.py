"""Every connection must ask soon and in few words, take its answer, and make room when the desk is full."""

import asyncio
import json
import logging
import resource

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = logging.getLogger(__name__)

CONNECTIONS_MAX = 4_000
BACKLOG = 1_024  # Connections the system takes before the desk has looked at them.
FILES_KEPT = 500  # For the database, attachments, and what the desk itself calls.


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with bounds: on its own it waits for ever for a head of any length.

    When the desk is full, those that ask nothing go, the longest silent first, so that whoever brings
    a message at once is served whatever else is connected."""

    ask_seconds_max = 20.0  # From connecting, or from the last answer, until the next head is whole.
    head_bytes_max = 64 * 1024
    unread_seconds_max = 60.0  # How long an answer may wait for its reader.

    _watch: asyncio.TimerHandle | None = None
    _reads_by: asyncio.TimerHandle | None = None
    _silent_since: float | None = None  # Nothing while a request is being answered.
    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As in uvicorn.
        """Somebody connected."""
        super().connection_made(transport)
        self._silent_since = self.loop.time()
        self._watch = self.loop.call_later(self.ask_seconds_max, self._look)
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        for timer in (self._watch, self._reads_by):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A piece of a request."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.head_bytes_max:
                self._refuse("431 Request Header Fields Too Large", "The head of the request is too long.")

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; those behind a body are nobody's business."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A request can be answered."""
        self._in_head, self._silent_since = False, None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """An answer is given; what is left of the request's body is not waited for longer than a head."""
        super().on_response_complete()
        if self.cycle.response_complete:
            self._silent_since = self.loop.time()

    def pause_writing(self) -> None:
        """Nobody takes the answer as fast as it is made."""
        super().pause_writing()
        self._reads_by = self.loop.call_later(self.unread_seconds_max, self.transport.abort)

    def resume_writing(self) -> None:
        """The answer goes on."""
        super().resume_writing()
        if self._reads_by is not None:
            self._reads_by.cancel()
            self._reads_by = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse("400 Bad Request", msg)

    def _look(self) -> None:
        """One timer for the life of the connection: one per request would cost the intake."""
        silent_for = 0.0 if self._silent_since is None else self.loop.time() - self._silent_since
        if silent_for < self.ask_seconds_max:
            self._watch = self.loop.call_later(self.ask_seconds_max - silent_for, self._look)
        else:
            self.transport.abort()

    def _make_room(self) -> None:
        others = [one for one in self.connections if isinstance(one, Connection) and one is not self]
        silent = [(one._silent_since, id(one), one) for one in others if one._silent_since is not None]
        going = sorted(silent)[: (len(silent) + 1) // 2]
        for _since, _id, one in going:
            self.connections.discard(one)  # Now, and not when the system has closed it.
            one.transport.abort()
        log.warning("%d connections were open: %d that asked nothing are ended", len(others), len(going))

    def _refuse(self, status: str, message: str) -> None:
        self._in_head = False
        body = json.dumps({"error": {"code": "bad_request", "message": message}})
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(f"{head}connection: close\r\n\r\n{body}".encode())
        self.transport.close()


def room() -> int:
    """How many connections this process can hold, after asking the system for as many files as that needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX + BACKLOG + FILES_KEPT
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return CONNECTIONS_MAX
    return int(soft // 2)
