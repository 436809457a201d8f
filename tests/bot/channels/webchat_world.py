"""A web chat served over real HTTP on a free port, with two officers who hold links."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from bot.channels.webchat import WebChatChannel, make_link, make_routes
from desk.model import InboxRow, Rendered
from desk.ports import Desk, Door
from roster.model import Officer, Unit
from tests.bot.channels.webchat_parts import open_door, open_media


class StoringIntake:
    """Keeps every event as an inbox row, once."""

    async def take_with(self, desk: Desk, channel: str, event_id: str, sender: str, raw: bytes) -> None:
        """The row is committed with the desk's transaction."""
        await desk.store.add_new(InboxRow(f"{channel}/{event_id}", channel, sender, desk.now, raw))


@dataclass
class World:
    """The parts of one running web chat."""

    door: Door
    channel: WebChatChannel
    token: str = ""
    other_token: str = ""
    address: str = ""
    extra_routes: list[BaseRoute] = field(default_factory=list)
    port: int = 0
    _server: uvicorn.Server | None = None
    _serving: "asyncio.Task[None] | None" = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def chat(self) -> str:
        return f"{self.base}/chat/{self.token}"

    async def start(self) -> None:
        """Serve; after a stop, on the same port again."""
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        self.channel.screens.closed = False
        app = Starlette(routes=[*self.extra_routes, *make_routes(self.channel)])
        config = uvicorn.Config(app, port=self.port, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server._serve())
        while not self._server.started:
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Stop serving, as a restart of the desk does."""
        self.channel.screens.close()
        assert self._server is not None
        assert self._serving is not None
        self._server.should_exit = True
        await self._serving

    async def show(self, text: str, *choices: tuple[str, str], key: str = "") -> str:
        """Send a message to the first phone; its remote id."""
        receipts = await self.channel.send(Rendered(text, choices), [self.address], key=key or text)
        return receipts[0].remote_id

    async def inbox(self) -> list[InboxRow]:
        """Everything taken from phones."""
        async with self.door.read() as store:
            return await store.find(InboxRow, order=("received_at", "id"))

    async def heard(self) -> list[Any]:
        """The same, understood."""
        return [self.channel.parse(row.raw) for row in await self.inbox()]


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    """A served web chat; everything is stopped at the end."""
    async with open_door(folder) as door:
        channel = WebChatChannel(door, open_media(folder), StoringIntake())
        world = World(door, channel)
        mei = Officer("o1", "李小梅", "u1", title="村信息员")
        qiang = Officer("o2", "陈志强", "u1", title="值班员")
        async with door.open() as desk:
            await desk.store.add(Unit("u1", "小榄镇"))
            await desk.store.add(mei, qiang)
            world.token = await make_link(desk, mei)
            world.other_token = await make_link(desk, qiang)
        async with httpx.AsyncClient() as client:
            await world.start()
            for token in (world.other_token, world.token):
                hello = {"event_id": "hello-0001", "text": "在"}
                answer = await client.post(f"{world.base}/chat/{token}/messages", json=hello)
            world.address = answer.json()["message"]["id"].split(".")[0]
        try:
            yield world
        finally:
            await world.stop()


def jpeg(width: int = 640, height: int = 480, shade: str = "#8a4b2a", **save: Any) -> bytes:
    """A JPEG picture."""
    content = io.BytesIO()
    Image.new("RGB", (width, height), shade).save(content, "JPEG", **save)
    return content.getvalue()
