"""A Telegram channel against the fake Bot API server, by polling or by a webhook served over real HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.channels.telegram import Pace, TelegramChannel, TelegramSettings
from tests.bot.channels.contract import KeptIntake, Shown
from tests.bot.channels.serving import receiving, serving
from tests.fakes.telegram_people import Phone, Said, Tap
from tests.fakes.telegram_server import FakeTelegram

SECRET = "a-long_Secret-7"
QUICK = Pace(
    long_poll_seconds=5,
    connect_seconds=0.5,
    answer_seconds=0.5,
    back_off_seconds=(0.01, 0.02, 0.05),
    conflict_seconds=0.1,
    watch_seconds=0.05,
)


class MovedClock:
    """The machine's clock, which a test may move."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class TelegramLine:
    """One running channel and one phone."""

    def __init__(self, fake: FakeTelegram, intake: KeptIntake, **settings: Any) -> None:
        self.fake = fake
        self.intake = intake
        self.clock = MovedClock()
        self.troubles: list[tuple[str, str]] = []
        self._told = asyncio.Event()
        self.settings = TelegramSettings(
            **{"token": fake.token, "base_url": fake.base_url, "pace": QUICK, **settings}
        )
        self.channel = TelegramChannel(self.settings, intake, self.clock, self._tell)
        self.person: Phone = fake.phone(4211, "李小梅", started=True)
        self.address = str(self.person.id)
        self.last: Said | Tap | None = None

    async def say(self, text: str) -> None:
        self.last = self.person.say(text)

    async def photo(self, content: bytes, caption: str) -> None:
        self.last = self.person.photo(content, caption)

    async def place(self, lat: float, lon: float) -> None:
        self.last = self.person.location(lat, lon)

    async def press(self, label: str) -> None:
        self.last = self.person.press(label)

    async def deliver_again(self) -> None:
        assert self.last is not None and self.last.update_id is not None
        self.fake.duplicate_update(self.last.update_id)

    async def shown(self) -> list[Shown]:
        return [
            Shown(message.text, tuple(label for row in message.buttons for label in row))
            for message in self.person.received
        ]

    async def leave(self) -> None:
        self.person.block()

    async def told(self, kind: str, *, over: bool = False, seconds: float = 5) -> str:
        """The words of a trouble, once it is told (or told to be over)."""
        async with asyncio.timeout(seconds):
            while True:
                for found, text in self.troubles:
                    if found == kind and over != bool(text):
                        return text
                self._told.clear()
                await self._told.wait()

    async def _tell(self, kind: str, text: str) -> None:
        self.troubles.append((kind, text))
        self._told.set()


@asynccontextmanager
async def open_line(
    fake: FakeTelegram, mode: str = "polling", intake: KeptIntake | None = None, **settings: Any
) -> AsyncIterator[TelegramLine]:
    """A channel that receives; everything is stopped at the end."""
    intake = intake or KeptIntake()
    if mode == "polling":
        line = TelegramLine(fake, intake, **settings)
        async with receiving(line.channel, intake):
            if not line.intake.is_down:
                await fake.wait_for(lambda: fake.is_polled)
            yield line
        return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        more = {"mode": mode, "webhook_secret": SECRET, "public_url": f"http://127.0.0.1:{port}", **settings}
        line = TelegramLine(fake, intake, **more)
        async with serving(line.channel.routes(), listener), receiving(line.channel, intake):
            await fake.wait_for(lambda: fake.calls["getwebhookinfo"])
            yield line
