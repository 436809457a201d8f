"""A channel as the desk runs it: its routes over real HTTP, its receiving in a task of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from tests.bot.channels.contract import KeptIntake


@asynccontextmanager
async def serving(routes: Sequence[BaseRoute], listener: socket.socket) -> AsyncIterator[None]:
    """A channel's routes over HTTP."""
    app = Starlette(routes=routes)
    config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        server.force_exit = True
        await task


@asynccontextmanager
async def receiving(channel: Any, intake: KeptIntake) -> AsyncIterator[None]:
    """A channel that receives; its connections are closed at the end."""
    task = asyncio.create_task(channel.run(intake.take))
    try:
        yield
    finally:
        was_running = not task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await channel.close()
        assert was_running, "receiving ended by itself"
