"""A web-chat channel served over real HTTP, and one officer's phone that posts until it is told ok."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from bot.channels.webchat import WebChatChannel, make_link
from desk.departures import revoke_links
from desk.ports import Door
from roster.model import Account, Officer, Unit
from tests.bot.channels.contract import KeptIntake, Shown
from tests.bot.channels.webchat_parts import open_door, open_media
from tests.bot.channels.webchat_world import World

OFFICER = Officer("o1", "李小梅", "u1", title="村信息员")


class WebPhone:
    """One officer's phone page, which posts until it is told ok."""

    def __init__(self, client: httpx.AsyncClient, url: str = "") -> None:
        self.url = url
        self._client = client
        self._numbers = itertools.count(1)
        self._last: dict[str, Any] = {}

    async def say(self, text: str) -> None:
        await self._post({"kind": "text", "text": text})

    async def photo(self, content: bytes, caption: str) -> None:
        files = {"file": ("photo.jpg", content)}
        kept = await self._client.post(f"{self.url}/files", data={"kind": "photo"}, files=files)
        digest = kept.raise_for_status().json()["digest"]
        await self._post({"kind": "media", "text": caption, "files": [{"digest": digest}]})

    async def place(self, lat: float, lon: float) -> None:
        await self._post({"kind": "place", "lat": lat, "lon": lon})

    async def press(self, label: str) -> None:
        for line in reversed(await self._lines()):
            for choice in line["choices"]:
                if choice["label"] == label:
                    verb, _, ref = choice["token"].partition(":")
                    await self._post({"kind": "choice", "verb": verb, "ref": ref, "reply_to": line["id"]})
                    return
        raise AssertionError(f"no button {label}")

    async def deliver_again(self) -> None:
        await self._deliver()

    async def shown(self) -> list[Shown]:
        """What the desk said, as it stands now, oldest first."""
        lines = [line for line in await self._lines() if not line["mine"]]
        return [Shown(line["text"], tuple(choice["label"] for choice in line["choices"])) for line in lines]

    async def _lines(self) -> list[dict[str, Any]]:
        return list((await self._client.get(f"{self.url}/history")).raise_for_status().json()["messages"])

    async def _post(self, fields: dict[str, Any]) -> None:
        self._last = {"event_id": f"event-{next(self._numbers):04}", **fields}
        await self._deliver()

    async def _deliver(self) -> None:
        while (await self._client.post(f"{self.url}/messages", json=self._last)).status_code != 200:
            await asyncio.sleep(0.01)


class WebChatLine(WebPhone):
    """One running channel and one phone."""

    def __init__(
        self, door: Door, channel: WebChatChannel, intake: KeptIntake, client: httpx.AsyncClient
    ) -> None:
        super().__init__(client)
        self.channel = channel
        self.intake = intake
        self.address = ""
        self._door = door

    async def leave(self) -> None:
        async with self._door.open() as desk:
            await revoke_links(desk, OFFICER.id, None)


@asynccontextmanager
async def open_line(folder: Path) -> AsyncIterator[WebChatLine]:
    """A channel that receives; everything is stopped at the end."""
    async with open_door(folder) as door, httpx.AsyncClient(timeout=30) as client:
        intake = KeptIntake()
        channel = WebChatChannel(door, open_media(folder), intake)
        line, world = WebChatLine(door, channel, intake, client), World(door, channel)
        async with door.open() as desk:
            await desk.store.add(Unit("u1", "小榄镇"))
            await desk.store.add(OFFICER)
            world.token = await make_link(desk, OFFICER)
            line.address = (await desk.store.find(Account, officer_id=OFFICER.id))[0].address
        await world.start()
        line.url = world.chat
        receiving = asyncio.create_task(channel.run(intake.take))
        try:
            yield line
        finally:
            receiving.cancel()
            with suppress(asyncio.CancelledError):
                await receiving
            await world.stop()
