"""A WeCom channel by callback against the fake WeCom, its route served over real HTTP."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot import gcj02
from bot.channels import Services
from bot.channels.wecom import Pace, WeComChannel, WeComSettings
from bot.channels.wecom.sent import AFTER_PREFIX, PREFIX
from bot.channels.wecom.settings import CALLBACK_PATH
from bot.door import OfficeDoor
from desk.model import Setting
from desk.ports import Media
from roster.model import Officer, Unit
from tests.bot.channels.contract import KeptIntake, Shown
from tests.bot.channels.serving import receiving, serving
from tests.bot.channels.telegram_line import MovedClock
from tests.bot.channels.webchat_parts import open_door, open_media
from tests.fakes.wecom_callback import Push
from tests.fakes.wecom_server import FakeWeCom, Limits

UNIT = Unit("u1", "小榄镇")
OFFICER = Officer("o1", "李小梅", "u1", wecom="LiXiaoMei")
QUICK = Pace(connect_seconds=0.5, answer_seconds=0.5, back_off_seconds=(0.01, 0.02, 0.05), look_seconds=0.05)
REFERENCE = re.compile(r"\n〔[A-Z2-7]{4}〕$")


class WeComLine:
    """One running channel and one member's phone."""

    def __init__(
        self,
        fake: FakeWeCom,
        intake: KeptIntake,
        door: OfficeDoor,
        media: Media,
        clock: MovedClock,
        **settings: Any,
    ) -> None:
        self.fake = fake
        self.intake = intake
        self.door = door
        self.clock = clock
        self.troubles: list[tuple[str, str]] = []
        told = {name: value for name, value in fake.settings.items() if name != "mode"}
        self.settings = WeComSettings(
            **{**told, "public_url": "https://duty.test", "pace": QUICK, **settings}
        )
        self.services = Services(intake, self._tell, door, media)
        self.channel = WeComChannel(self.settings, self.services)
        self.person = fake.phone(OFFICER.wecom, OFFICER.name)
        self.address = OFFICER.wecom.lower()
        self.last: Push | None = None

    async def say(self, text: str) -> None:
        self.last = self.person.say(text)

    async def photo(self, content: bytes, caption: str) -> None:
        self.last = self.person.photo(content)
        if caption:
            self.last = self.person.say(caption)

    async def place(self, lat: float, lon: float) -> None:
        self.last = self.person.locate(*gcj02.to_gcj02(lat, lon))

    async def press(self, label: str) -> None:
        self.last = self.person.press(label)

    async def deliver_again(self) -> None:
        assert self.last is not None
        self.fake.replay(self.last)

    async def shown(self) -> list[Shown]:
        """What the phone shows, without the reference that makes every text another one."""
        messages = self.person.messages
        return [Shown(REFERENCE.sub("", one.text), tuple(one.buttons)) for one in messages]

    async def leave(self) -> None:
        self.person.leave()

    async def until(self, condition: Callable[[], object], seconds: float = 5) -> None:
        """Wait for what the fake's own thread does."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.005)

    async def told(self, kind: str, *, over: bool = False) -> str:
        """The words of a trouble, once it is told (or told to be over)."""
        await self.until(lambda: any(k == kind and over != bool(text) for k, text in self.troubles))
        return next(text for found, text in self.troubles if found == kind and over != bool(text))

    async def kept_empty(self) -> None:
        """Wait until nothing is remembered of any sending."""
        async with asyncio.timeout(5):
            while True:
                async with self.door.read() as store:
                    if not await store.find(Setting, id_from=PREFIX, id_to=AFTER_PREFIX, limit=1):
                        return
                await asyncio.sleep(0.02)

    async def _tell(self, kind: str, text: str) -> None:
        self.troubles.append((kind, text))


@asynccontextmanager
async def open_line(folder: Path, limits: Limits | None = None, **settings: Any) -> AsyncIterator[WeComLine]:
    """A channel that receives; everything is stopped at the end."""
    clock, intake = MovedClock(), KeptIntake()
    limits = limits or Limits(paced=False, callback_pause_seconds=0.1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        async with FakeWeCom(limits=limits) as fake, open_door(folder, clock=clock) as door:
            async with door.open() as desk:
                await desk.store.add_missing(UNIT, OFFICER)
            line = WeComLine(fake, intake, door, open_media(folder), clock, **settings)
            async with serving(line.channel.routes(), listener), receiving(line.channel, intake):
                fake.callback_url = f"http://127.0.0.1:{listener.getsockname()[1]}{CALLBACK_PATH}"
                yield line
