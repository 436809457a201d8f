"""Acts as a phone in the demonstration: a place, a drawn fire and a sentence, through the true intake."""

import asyncio
import contextlib
import io
import random
import secrets
from typing import TYPE_CHECKING

from starlette.datastructures import UploadFile

from bot.channels.webchat.channel import WebChatChannel
from bot.channels.webchat.events import PhoneEvent
from bot.channels.webchat.links import Holder
from desk.model import ChatMessage
from incidents.model import Place

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

WIDTH, HEIGHT = 960, 720
READS_FOR_SECONDS = 1.5


async def report_fire(channel: WebChatChannel, holder: Holder, text: str, place: Place) -> list[ChatMessage]:
    """Send a place, then a photo, then a sentence, as the holder of this phone would.

    The place comes first: it begins a report of its own, even right after another one."""
    picture = UploadFile(io.BytesIO(await asyncio.to_thread(draw_fire)), filename="fire.jpg")
    file = await channel.uploads.keep(holder.address, picture, "photo", channel.limits.file_bytes_max)
    events = (
        PhoneEvent(_new_event_id(), "place", place=place),
        PhoneEvent(_new_event_id(), "media", files=(file.digest,)),
        PhoneEvent(_new_event_id(), "text", text),
    )
    lines = []
    with channel.screens.watch(holder.address) as changed:
        for event in events:
            lines.append(await channel.hear(holder, event))
            if event is not events[-1]:
                await _until_answered(channel, holder.address, lines[-1].sequence, changed)
    return lines


async def _until_answered(
    channel: WebChatChannel, address: str, sequence: int, changed: asyncio.Event
) -> None:
    """A person reads the answer before writing on; a desk that gives none is not waited for."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READS_FOR_SECONDS):
            while True:
                changed.clear()
                async with channel.door.read() as store:
                    if await store.count(ChatMessage, address=address, mine=False, sequence_from=sequence):
                        return
                await changed.wait()


def draw_fire() -> bytes:
    """A JPEG of a drawn building on fire at night; no two are the same."""
    from PIL import Image, ImageDraw, ImageFilter  # Only the demonstration draws, so only it pays for Pillow.

    chance = random.Random(secrets.randbits(64))
    picture = Image.new("RGB", (WIDTH, HEIGHT), "#1d2b3f")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, HEIGHT * 0.82, WIDTH, HEIGHT), fill="#2c2a2b")
    smoke = Image.new("RGBA", picture.size)
    smoke_pen = ImageDraw.Draw(smoke)
    for _ in range(70):
        x, y, size = chance.gauss(520, 90), chance.uniform(0, 330), chance.uniform(40, 120)
        smoke_pen.ellipse((x - size, y - size, x + size, y + size), fill=(110, 110, 115, 60))
    picture.paste(smoke, mask=smoke.filter(ImageFilter.GaussianBlur(18)))
    _draw_buildings(pen)
    for shade, height, count in (("#d84315", 260, 26), ("#fb8c00", 190, 22), ("#ffd54f", 110, 16)):
        for _ in range(count):
            x = chance.uniform(390, 650)
            _draw_flame(pen, x, 470, height * chance.uniform(0.5, 1.0), chance.uniform(22, 48), shade)
    blurred = picture.filter(ImageFilter.GaussianBlur(1.6))
    content = io.BytesIO()
    blurred.save(content, "JPEG", quality=85)
    return content.getvalue()


def _draw_buildings(pen: "ImageDraw") -> None:
    for left, right, top, shade in (
        (40, 250, 300, "#3b4a5f"),
        (340, 700, 380, "#4a4440"),
        (760, 930, 340, "#354357"),
    ):
        pen.rectangle((left, top, right, HEIGHT * 0.85), fill=shade)
        for x in range(left + 22, right - 30, 52):
            for y in range(top + 26, int(HEIGHT * 0.8), 62):
                lit = "#ff9a3d" if left == 340 and y < 520 else "#e8d9a0" if (x + y) % 3 == 0 else "#22303f"
                pen.rectangle((x, y, x + 26, y + 34), fill=lit)


def _draw_flame(pen: "ImageDraw", x: float, y: float, height: float, width: float, shade: str) -> None:
    tip = (x + width * 0.25, y - height)
    left, right = (x - width * 0.7, y - height * 0.45), (x + width * 0.8, y - height * 0.4)
    pen.polygon([(x - width, y), left, tip, right, (x + width, y)], fill=shade)


def _new_event_id() -> str:
    return secrets.token_hex(16)
