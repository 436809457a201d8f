"""The office on WeCom: the real desk, a WeCom that keeps the true rules, members known by the table of people alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.app import App, running
from bot.channels.wecom.settings import CALLBACK_PATH
from bot.config import load
from desk.ports import Store
from roster.model import Account, Officer, Role, Shift, Unit
from tests.fakes.wecom_model import Shown
from tests.fakes.wecom_server import FakeWeCom
from tests.town.world import CONFIG, WAIT_SECONDS, MovedClock, free_port

START, END = "[telegram]", "[[post]]"
TABLE = """[wecom]
corp_id = "{corp_id}"
agent_id = {agent_id}
secret = "{secret}"
callback_token = "{callback_token}"
encoding_aes_key = "{encoding_aes_key}"
base_url = "{base_url}"
"""
BOT_TABLE = """[wecom]
mode = "long_connection"
bot_id = "{bot_id}"
bot_secret = "{bot_secret}"
ws_url = "{ws_url}"
"""


@dataclass
class WeComTown:
    """The running office and its people's phones; `more` stands in the config beside [wecom]."""

    wecom: FakeWeCom
    folder: Path
    more: str = ""
    has_bot: bool = False  # By the AI bot's long connection instead of the application's callback.
    clock: MovedClock = field(default_factory=MovedClock)
    app: App = field(init=False)
    phones: dict[str, Any] = field(
        default_factory=dict
    )  # Of an application (Phone) or of the bot (BotPhone).
    port: int = field(default_factory=free_port)
    url: str = ""  # Of another database than a file in the folder.

    @asynccontextmanager
    async def open_desk(self) -> AsyncIterator[App]:
        """The desk runs inside the block; open it again to see what a restart keeps."""
        before, _, rest = CONFIG.partition(START)
        wecom = self.wecom
        table = BOT_TABLE.format(**wecom.bot_settings) if self.has_bot else TABLE.format(**wecom.settings)
        url = self.url or f"sqlite+aiosqlite:///{self.folder}/muster.db"
        text = before.format(url=url, folder=self.folder, port=self.port) + table + self.more
        text += (END + rest.partition(END)[2]).format()
        path = self.folder / "config.toml"
        path.write_text(text, "utf-8")
        path.chmod(0o600)
        async with running(load(path, {}), self.clock) as self.app:
            self.wecom.callback_url = f"http://127.0.0.1:{self.port}{CALLBACK_PATH}"
            yield self.app

    async def people(self, *rows: tuple[str, Role, str, Unit]) -> None:
        """Officers (name, role, post for a week or "", unit) as the import leaves them: with their user ids."""
        async with self.app.door.open() as desk:
            for unit in {row[3].id: row[3] for row in rows}.values():
                await desk.store.add_missing(unit)
            for number, (name, role, post, unit) in enumerate(rows, 1):
                officer = Officer(f"o-{name}", name, unit.id, role=role, wecom=f"Member{number}")
                await desk.store.add(officer)
                if self.has_bot:  # They wrote to the bot before, so that it may write to them.
                    self.phones[name] = self.wecom.bot_phone(officer.wecom, name, met=True)
                else:
                    self.phones[name] = self.wecom.phone(officer.wecom, name)
                if post:
                    week = timedelta(days=7)
                    shift = Shift(f"s-{name}", unit.id, post, officer.id, desk.now - week, desk.now + week)
                    await desk.store.add(shift)

    async def everybody_is_bound(self) -> None:
        """Wait until the table of people was looked at."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                async with self.read() as store:
                    if await store.count(Account, channel="wecom") == len(self.phones):
                        return
                await asyncio.sleep(0.02)

    async def pass_minutes(self, minutes: float) -> None:
        """Time goes by here and at the vendor's: what falls due meanwhile is done."""
        self.clock.ahead += timedelta(minutes=minutes)
        self.wecom.advance(minutes * 60)
        await self.app.scheduler.look()
        self.app.queue.wake()

    async def hears(self, name: str, *words: str) -> Shown:
        """Wait until a phone shows a message with all these words, and return the newest such as it is now."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + WAIT_SECONDS
        while True:
            found = [one for one in self.phones[name].messages if all(word in one.text for word in words)]
            if found:
                return replace(found[-1])
            if loop.time() > ends_at:
                said = "\n---\n".join(one.text for one in self.phones[name].messages)
                raise AssertionError(f"{name} never saw {words}; the phone shows:\n{said}")
            await asyncio.sleep(0.02)

    async def answer(self, name: str, words: str, label: str) -> None:
        """Press the newest button with this label, or reply the number it has; a long text stands above its card."""
        await self.hears(name, words)
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                for shown in reversed(self.phones[name].messages):
                    if label in shown.buttons:
                        self.phones[name].press(label, shown)
                        return
                    for line in shown.text.splitlines() if words in shown.text else ():
                        number, _, rest = line.partition(" ")
                        if number.isdigit() and rest == label:
                            self.phones[name].say(number)
                            return
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Store]:
        """A look into the store."""
        async with self.app.door.read() as store:
            yield store
