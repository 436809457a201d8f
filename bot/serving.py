"""Serves the desk over HTTP inside the desk's own loop: starts, and ends with what was open finished."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Generator, Sequence

import uvicorn
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.connections import BACKLOG, Connection, room

HTTP_GRACE_SECONDS = 3


class CannotStart(Exception):
    """The desk cannot start here; the text is one sentence with the cure."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that waits for connections. Raises CannotStart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"无法监听 {host}:{port}（{error.strerror}）：停掉占用它的程序，或换一个端口（MUSTER_WEB__PORT）"
            " / the desk cannot listen there: stop what uses it, or set web.port."
        ) from error
    return listener


class Front:
    """Takes platforms' callbacks straight to their channels: the hottest path needs none of the screen's guards."""

    def __init__(self, screen: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._screen = screen
        self._callbacks: dict[str, ASGIApp] = {
            route.path: route.endpoint
            for route in routes
            if isinstance(route, Route) and getattr(route.endpoint, "is_callback", False)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._callbacks.get(scope.get("path", ""), self._screen)(scope, receive, send)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the desk decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone."""
        yield


def make_server(front: ASGIApp) -> uvicorn.Server:
    """A server for these routes, not started yet."""
    return _Server(
        uvicorn.Config(
            front,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            http=Connection,
            backlog=BACKLOG,
            limit_concurrency=room(),
            timeout_graceful_shutdown=HTTP_GRACE_SECONDS,
        )
    )


@contextlib.asynccontextmanager
async def serving(
    server: uvicorn.Server, listener: socket.socket, streams_end: Callable[[], None]
) -> AsyncIterator[None]:
    """Serve inside the block; afterwards let open requests finish and end the streams."""
    served = asyncio.create_task(server.serve([listener]), name="web")
    try:
        while not server.started and not served.done():
            await asyncio.wait([served], timeout=0.01)
        if served.done():
            raise CannotStart("the web server could not start; see the log above")
        yield
    finally:
        streams_end()
        server.should_exit = True
        await served
