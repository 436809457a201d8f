"""A WeCom channel on its long connection against the fake AI bot."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.channels import Services
from bot.channels.wecom.long_connection import LinePace, LongConnectionChannel, LongConnectionSettings
from bot.door import OfficeDoor
from desk.ports import Media
from roster.model import Officer, Unit
from tests.bot.channels.contract import KeptIntake, Shown
from tests.bot.channels.serving import receiving
from tests.bot.channels.telegram_line import MovedClock
from tests.bot.channels.webchat_parts import open_door, open_media
from tests.fakes.wecom_server import Event, FakeWeCom, Limits

UNITS = (Unit("u1", "小榄镇"), Unit("u2", "古镇镇"), Unit("u3", "市应急办", kind="city_office"))
OFFICER = Officer("o1", "李小梅", "u1", wecom="LiXiaoMei")
QUICK = LinePace(
    connect_seconds=1,
    answer_seconds=0.5,
    ping_seconds=0.2,
    back_off_seconds=(0.01, 0.02, 0.05),
    look_seconds=0.02,
    stand_down_seconds=0.5,
    holder_seconds=1,
    people_seconds=0.05,
    stop_seconds=1,
)


class BotLine:
    """One running channel and one member's chat with the bot."""

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
        self.media = media
        self.clock = clock
        self.troubles: list[tuple[str, str]] = []
        told = {name: value for name, value in fake.bot_settings.items() if name != "mode"}
        chosen: dict[str, Any] = {"public_url": "https://duty.test", "pace": QUICK, **settings}
        self.settings = LongConnectionSettings(**{**told, **chosen})
        self.channel = LongConnectionChannel(self.settings, Services(intake, self._tell, door, media))
        self.person = fake.bot_phone(OFFICER.wecom, OFFICER.name, met=True)
        self.address = OFFICER.wecom.lower()
        self.last: Event | None = None

    async def say(self, text: str) -> None:
        self.last = self.person.say(text)

    async def photo(self, content: bytes, caption: str) -> None:
        self.last = self.person.photo(content, caption)

    async def place(self, lat: float, lon: float) -> None:
        raise PermissionError("the AI bot has no location message")

    async def press(self, label: str) -> None:
        self.last = self.person.press(label)

    async def deliver_again(self) -> None:
        assert self.last is not None
        self.fake.bot.again(self.last)

    async def shown(self) -> list[Shown]:
        return [Shown(one.text, tuple(one.buttons)) for one in self.person.messages]

    async def leave(self) -> None:
        self.person.leave()

    async def until(self, condition: Callable[[], object], seconds: float = 5) -> None:
        """Wait for what another thread or task does."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.005)

    async def told(self, kind: str, *, over: bool = False) -> str:
        """The words of a trouble, once it is told (or told to be over)."""
        await self.until(lambda: any(k == kind and over != bool(text) for k, text in self.troubles))
        return next(text for found, text in self.troubles if found == kind and over != bool(text))

    async def open(self) -> None:
        """Wait until the bot is signed in here."""
        await self.until(lambda: self.channel.line.is_open)

    async def _tell(self, kind: str, text: str) -> None:
        self.troubles.append((kind, text))


@asynccontextmanager
async def open_line(folder: Path, limits: Limits | None = None, **settings: Any) -> AsyncIterator[BotLine]:
    """A channel that receives; everything is stopped at the end."""
    clock, intake = MovedClock(), KeptIntake()
    async with (
        FakeWeCom(limits=limits or Limits(paced=False)) as fake,
        open_door(folder, clock=clock) as door,
    ):
        async with door.open() as desk:
            await desk.store.add_missing(*UNITS, OFFICER)
        line = BotLine(fake, intake, door, open_media(folder), clock, **settings)
        async with receiving(line.channel, intake):
            await line.open()
            yield line


@asynccontextmanager
async def second_desk(line: BotLine, **settings: Any) -> AsyncIterator[BotLine]:
    """Another replica on the same database, just started."""
    other = BotLine(line.fake, line.intake, line.door, line.media, line.clock, **settings)
    async with receiving(other.channel, line.intake):
        yield other
