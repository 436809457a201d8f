"""What people write is never an order to this machine to go and look: no address in a message is ever fetched."""

import asyncio
import io
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from PIL import Image

from bot.channels.webchat import make_link
from desk.model import InboxRow, InboxState
from incidents.model import Attachment, AttachmentState, Report
from roster.model import Officer
from tests.town.world import Town, eventually

METADATA = "http://169.254.169.254/latest/meta-data/"
NAME = "rebind.muster.invalid"


@dataclass
class Lure:
    """An address that somebody listens at, and everywhere this process went while it was laid out."""

    port: int
    calls: list[str] = field(default_factory=list)
    looked_up: set[str] = field(default_factory=set)
    connected: set[tuple[str, int]] = field(default_factory=set)

    @property
    def words(self) -> str:
        """The address in every form somebody might follow."""
        ours = f"127.0.0.1:{self.port}"
        return (
            f"http://{ours}/a {METADATA} file:///etc/passwd http://{NAME}/b gopher://{ours}/c "
            f"[看](http://{ours}/d) <img src=http://{ours}/e> \\\\{NAME}\\share"
        )

    def pictures(self) -> list[bytes]:
        """Files that ask whoever opens them to fetch something."""
        url = f"http://127.0.0.1:{self.port}/picture"
        image, exif = io.BytesIO(), Image.Exif()
        exif[0x010E] = url
        Image.new("RGB", (40, 40)).save(image, "JPEG", exif=exif.tobytes(), comment=url.encode())
        svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>'
        entity = f'<?xml version="1.0"?><!DOCTYPE a SYSTEM "{url}"><a>&x;</a>'
        playlist = f"#EXTM3U\n#EXTINF:1,\n{url}\n"
        return [image.getvalue(), svg.encode(), entity.encode(), playlist.encode()]


_laid_out: list[Lure] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not _laid_out:
        return
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        _laid_out[0].connected.add(arguments[1][:2])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        _laid_out[0].looked_up.add(str(arguments[0]))


sys.addaudithook(_watch)  # Cannot be taken away again; it does nothing while no lure is laid out.


@asynccontextmanager
async def laid_out() -> AsyncIterator[Lure]:
    """A listening lure."""

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lure.calls.append(repr(await reader.read(200)))
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", 0) as server:
        lure = Lure(server.sockets[0].getsockname()[1])
        _laid_out.append(lure)
        try:
            yield lure
        finally:
            _laid_out.clear()


async def tell_by_telegram(town: Town, lure: Lure) -> None:
    """Everything in which a phone can bring words."""
    phone = town.phones["叶倩雯"]
    phone.say(f"联丰路五金厂起火 {lure.words}")
    phone.venue(22.6741, 113.2402, f"五金厂 {lure.words}", lure.words)
    await town.hears("吴健芬", "签收")
    phone.contact("19900009999", lure.words)
    phone.forward(lure.words, origin_name=lure.words)
    for number, picture in enumerate(lure.pictures()):
        phone.document(picture, f"{lure.words}-{number}.jpg", "image/jpeg", caption=lure.words)
    phone.poll(lure.words, [lure.words, "二"])
    await town.hears("叶倩雯", "ZS-")


async def tell_by_web_chat(town: Town, lure: Lure) -> None:
    """The same on the phone page."""
    async with town.app.door.open() as desk:
        officer = await desk.store.get(Officer, "o-周国强")
        assert officer is not None
        chat = f"{town.app.url}/chat/{await make_link(desk, officer)}"
    async with httpx.AsyncClient(timeout=30) as client:
        for number, picture in enumerate(lure.pictures()):
            files = {"file": (f"{lure.words}.jpg", picture)}
            digest = (await client.post(f"{chat}/files", data={"kind": "photo"}, files=files)).json()[
                "digest"
            ]
            event = {
                "event_id": f"event-{number:04}",
                "text": f"起火 {lure.words}",
                "files": [{"digest": digest}],
            }
            assert (await client.post(f"{chat}/messages", json=event)).status_code == 200
        place = {"event_id": "event-0009", "kind": "place", "place_text": lure.words[:200]}
        assert (await client.post(f"{chat}/messages", json=place)).status_code == 200


async def test_input_59_no_address_in_a_message_a_name_or_a_file_is_ever_fetched(town: Town) -> None:
    async with laid_out() as lure:
        await tell_by_telegram(town, lure)
        await tell_by_web_chat(town, lure)

        async def is_over() -> bool:
            async with town.read() as store:
                waiting = await store.count(Attachment, state=AttachmentState.waiting)
                unheard = await store.count(InboxRow, state=InboxState.new)
                return not waiting and not unheard and await store.count(Report) >= 2

        assert await eventually(is_over)
        with suppress(httpx.HTTPError):  # The watch is awake: this call and this question are seen.
            await httpx.AsyncClient().get(f"http://127.0.0.1:{lure.port}/alive")
        socket.getaddrinfo("localhost", lure.port)
    [alive] = lure.calls
    assert "/alive" in alive
    ours = {town.port, town.telegram.port}
    assert {address for address in lure.connected if address[1] not in ours} == {("127.0.0.1", lure.port)}
    assert lure.looked_up <= {"127.0.0.1", "localhost"} and "localhost" in lure.looked_up
    said = [send for send in town.telegram.sends if METADATA in send.text]
    assert said, "the words themselves were passed on"
    for send in said:  # Nor does the platform fetch it for a picture beside our message.
        assert send.body["link_preview_options"]["is_disabled"]
