"""A whole office: the real desk on a real database, a Telegram that keeps the true rules, and a clock to move."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from bot.app import App, running
from bot.config import load
from desk.enrolment import invite
from desk.ports import Store
from roster.model import Answer, Officer, Result, Role, RollCall, RollCallState, Shift, Unit
from tests.fakes.telegram_model import Message
from tests.fakes.telegram_people import Phone
from tests.fakes.telegram_server import FakeTelegram

T = TypeVar("T")

WAIT_SECONDS = 15.0
UNIT = Unit("u-xiaolan", "小榄镇", lat=22.6669, lon=113.2434)
OFFICE = Unit("u-office", "市应急办", kind="city_office", lat=22.516, lon=113.3928)

CONFIG = """
[office]
name = "市应急办"
[database]
url = "{url}"
[attachments]
path = "{folder}/attachments"
[web]
port = {port}
public_url = "http://127.0.0.1:{port}"
[telegram]
token = "{token}"
base_url = "{base_url}"
mode = "{mode}"
{secret}
[[post]]
key = "duty_leader"
name = "带班领导"
[[post]]
key = "duty_officer"
name = "值班员"
[[post]]
key = "guard"
name = "门卫"
[[roll_call]]
name = "早点名"
cron = "0 8 29 2 *"
posts = ["duty_leader", "duty_officer", "guard"]
remind_after_minutes = [2]
catch_up_minutes = 30
[[escalation]]
name = "默认"
steps = [
    {{ after_minutes = 0, to = ["post:duty_officer"] }},
    {{ after_minutes = 3, to = ["post:duty_leader"] }},
    {{ after_minutes = 10, to = ["role:office"] }},
]
[[bulletin]]
name = "每日要情"
cron = "0 17 * * *"
to = ["role:office"]
kind = "daily"
"""


class MovedClock:
    """The machine's clock, moved ahead by a test; it goes on by itself."""

    def __init__(self, starts_at: datetime | None = None) -> None:
        self.ahead = (starts_at - datetime.now(UTC)) if starts_at else timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Town:
    """The running office and its people's phones."""

    telegram: FakeTelegram
    folder: Path
    mode: str
    clock: MovedClock
    app: App = field(init=False)
    phones: dict[str, Phone] = field(default_factory=dict)
    port: int = 0
    url: str = ""  # Of another database than a file in the folder.

    def configure(self) -> Path:
        """The office's config.toml."""
        self.port = self.port or free_port()
        text = CONFIG.format(
            url=self.url or f"sqlite+aiosqlite:///{self.folder}/muster.db",
            folder=self.folder,
            port=self.port,
            token=self.telegram.token,
            base_url=self.telegram.base_url,
            mode=self.mode,
            secret='webhook_secret = "a-long-Secret-7"' if self.mode == "webhook" else "",
        )
        path = self.folder / "config.toml"
        path.write_text(text, "utf-8")
        path.chmod(0o600)
        return path

    @asynccontextmanager
    async def open_desk(self) -> AsyncIterator[App]:
        """The desk runs inside the block; open it again to see what a restart keeps."""
        async with running(load(self.configure(), {}), self.clock) as self.app:
            yield self.app

    async def pass_minutes(self, minutes: float) -> None:
        """Time goes by: what falls due meanwhile is done."""
        self.clock.ahead += timedelta(minutes=minutes)
        await self.app.scheduler.look()
        self.app.queue.wake()

    async def settle(self, condition: Callable[[], T]) -> T:
        """Wait until the phones show something."""
        return await self.telegram.wait_for(condition, WAIT_SECONDS)

    async def hears(self, name: str, *words: str) -> Message:
        """Wait until a phone shows a message with all these words, and return the newest such."""

        def found() -> Message | None:
            shown = [one for one in self.phones[name].received if all(word in one.text for word in words)]
            return shown[-1] if shown else None

        try:
            message = await self.settle(found)
        except (TimeoutError, AssertionError) as error:
            said = "\n---\n".join(one.text for one in self.phones[name].received)
            raise AssertionError(f"{name} never saw {words}; the phone shows:\n{said}") from error
        assert message is not None
        return message

    async def press(self, name: str, message: Message, label: str) -> None:
        """Tap the button with this label."""
        self.phones[name].press(label, message.message_id)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Store]:
        """A look into the store."""
        async with self.app.door.read() as store:
            yield store

    async def people(self, *rows: tuple[str, Role, str, Unit]) -> None:
        """Officers (name, role, post for a week or "", unit), each enrolled by deep link on an own phone."""
        codes = {}
        async with self.app.door.open() as desk:
            known = {unit.id for unit in await desk.store.find(Unit)}
            for unit in {row[3].id: row[3] for row in rows}.values():
                if unit.id not in known:
                    await desk.store.add(unit)
            for number, (name, role, post, unit) in enumerate(rows, 1):
                officer = Officer(f"o-{name}", name, unit.id, phone=f"199-0000-{number:04d}", role=role)
                await desk.store.add(officer)
                if post:
                    week = timedelta(days=7)
                    shift = Shift(f"s-{name}", unit.id, post, officer.id, desk.now - week, desk.now + week)
                    await desk.store.add(shift)
                codes[name] = await invite(desk, officer)
        for number, name in enumerate(codes, 7001):
            self.phones[name] = self.telegram.phone(number, name)
            self.phones[name].start(codes[name])
        for name in codes:
            await self.hears(name, "绑定")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def eventually(condition: Callable[[], "asyncio.Future[T] | T"], seconds: float = WAIT_SECONDS) -> T:
    """Wait until an awaitable condition holds."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    while True:
        found = condition()
        value = await found if asyncio.isfuture(found) or asyncio.iscoroutine(found) else found
        if value:
            return value
        assert loop.time() < ends_at, "the condition never came true"
        await asyncio.wait([loop.create_future()], timeout=0.02)


async def closed_call(reading: AbstractAsyncContextManager[Store], due: int) -> dict[str, Result]:
    """How each person stands in the only roll call, which is closed and asked so many; its counts sum."""
    async with reading as store:
        [call] = await store.find(RollCall)
        answers = await store.find(Answer)
    assert call.state is RollCallState.closed and call.counts is not None
    assert sum(call.counts.values()) == call.due_count == len(answers) == due
    return {one.officer_id: one.result for one in answers}
