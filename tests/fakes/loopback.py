"""A fake platform's server: real HTTP on loopback in a thread of its own, started, stopped and waited for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

T = TypeVar("T")


class LoopbackServer(ABC):
    """Runs `app()` on a port of this machine; the state of a subclass outlives `stop` and `start`.

    `listeners` are called after every call and every change, in whatever thread it happens.
    """

    def __init__(self, port: int, listeners: list[Callable[[], None]]) -> None:
        self.port = port
        self.closing = asyncio.Event()
        self._listeners = listeners
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @abstractmethod
    def app(self) -> Starlette:
        """Return what answers; made anew at each start."""

    @abstractmethod
    async def opened(self) -> None:
        """Begin what runs beside the HTTP server, in its loop."""

    @abstractmethod
    async def ending(self) -> None:
        """End what `opened` began."""

    @property
    def url(self) -> str:
        """Return the root, for /_control/."""
        return f"http://127.0.0.1:{self.port}"

    # Running.

    def start(self) -> Self:
        """Listen on loopback in a thread of its own and return when calls are answered."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listener, ready), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise TimeoutError("the fake platform did not start")
        return self

    def stop(self) -> None:
        """Stop listening and close every connection; the state stays and `start` goes on with it."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None:
            return
        with contextlib.suppress(RuntimeError):  # `offline_for` has closed the loop already.
            loop.call_soon_threadsafe(self.closing.set)
        thread.join(10)
        self._thread = self._loop = None

    offline = stop
    online = start

    def offline_for(self, seconds: float) -> None:
        """Refuse connections for real for a while, then listen again on the same port."""

        def away() -> None:
            self.stop()
            time.sleep(seconds)
            self.start()

        threading.Thread(target=away, daemon=True).start()

    def _run(self, listener: socket.socket, ready: threading.Event) -> None:
        # uvloop halves the cost of a call, which bench needs.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve(listener, ready))

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        # uvicorn's own serve() needs 0.2 s to end, too slow for many short tests.
        self._loop = asyncio.get_running_loop()
        closing = self.closing = asyncio.Event()
        config = uvicorn.Config(self.app(), log_level="critical", lifespan="off", access_log=False)
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        await self.opened()
        ready.set()
        await closing.wait()
        for listening in server.servers:
            listening.close()
        await self.ending()
        for connection in list(server.server_state.connections):
            connection.transport.close()
        if server.server_state.tasks:
            await asyncio.wait(server.server_state.tasks, timeout=1)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    # Waiting.

    async def wait_for(self, condition: Callable[[], T], timeout: float = 5.0) -> T:
        """Return the first true value of the condition, looked at after every call and change."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        self._listeners.append(wake)
        try:
            async with asyncio.timeout(timeout):
                while not (value := condition()):
                    await changed.wait()
                    changed.clear()
                return value
        finally:
            self._listeners.remove(wake)

    def wait_until(self, condition: Callable[[], T], timeout: float = 5.0) -> T:
        """Do as `wait_for` does, blocking this thread."""
        changed = threading.Event()
        self._listeners.append(changed.set)
        deadline = time.monotonic() + timeout
        try:
            while not (value := condition()):
                if not changed.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError("the fake platform saw nothing of the kind")
                changed.clear()
            return value
        finally:
            self._listeners.remove(changed.set)


def serve_until_told(fake: LoopbackServer, line: dict[str, Any]) -> None:
    """Print one line of JSON for whoever started this process, and serve until SIGTERM or Ctrl-C."""
    print(json.dumps(line), flush=True)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    over.wait()
    fake.stop()


class Silence(Response):
    """Never answer: hold the connection until the client gives up, or cut it at once."""

    def __init__(self, closing: asyncio.Event, *, cut: bool) -> None:
        super().__init__()
        self._closing = closing
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the client or for the end of the server, then drop the connection without a byte."""
        if not self._cut:
            gone = asyncio.ensure_future(_disconnect(receive))
            end = asyncio.ensure_future(self._closing.wait())
            await asyncio.wait({gone, end}, return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            end.cancel()
        abort_connection(receive)
        await _disconnect(receive)


class Torn(Response):
    """Promise a whole body in Content-Length, send half of it, and cut the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and half the body."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = self.body[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        # One turn of the loop lets the bytes leave before the cut.
        await asyncio.sleep(0.01)
        abort_connection(receive)
        await _disconnect(receive)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def abort_connection(receive: Receive) -> None:
    """Close the TCP connection under an ASGI call; uvicorn's `receive` is a method of its own cycle."""
    cycle: Any = getattr(receive, "__self__", None)
    cycle.transport.close()
