"""The office that is killed: its configuration, its people on their phones, and the process that serves them."""

import asyncio
import os
import secrets
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from bot.channels.webchat.links import make_link
from bot.clock import SystemClock
from bot.config import load
from bot.door import OfficeDoor
from bot.queue.opening import open_queue
from bot.store.opening import OpenDatabase, open_database
from desk.ports import Bell, Desk
from roster.calendar import Calendar
from roster.model import Account, Officer, Role, Shift, Unit
from tests.chaos.platform import Mobile, Platform
from tests.town.world import free_port

PACE = (
    12.0  # One office minute lasts 5 seconds, so that ladders, reminders and deadlines fall due among kills.
)
UNITS = ("石岐街道", "小榄镇", "三乡镇", "坦洲镇", "黄圃镇", "古镇镇", "沙溪镇", "板芙镇", "神湾镇", "大涌镇")
REPORTERS_EACH = 3  # Per unit; the last of them uses the web chat.
REAP_SECONDS = 20.0

CONFIG = """
[office]
name = "市应急办"
[database]
url = "{url}"
[attachments]
path = "{folder}/attachments"
[log]
level = "warning"
[web]
port = {port}
public_url = "http://127.0.0.1:{port}"
secret_key = "{secret_key}"
{platform}
[limits]
draft_minutes = 2
[[post]]
key = "duty_leader"
name = "带班领导"
[[post]]
key = "duty_officer"
name = "值班员"
[[roll_call]]
name = "抽查"
cron = "0 8 29 2 *"
roles = ["officer", "duty", "leader", "office"]
answer_window_minutes = 4
on_time_minutes = 2
remind_after_minutes = [1, 2]
[[escalation]]
name = "默认"
repeat = 0
steps = [
    {{ after_minutes = 0, to = ["post:duty_officer"] }},
    {{ after_minutes = 1, to = ["post:duty_leader"] }},
    {{ after_minutes = 3, to = ["role:office"] }},
]
"""


@dataclass
class Office:
    """Who works here, and on which phone."""

    platform: Platform
    folder: Path
    database_url: str = ""  # Of another database than a file in the folder.
    port: int = field(default_factory=free_port)  # Where people and platforms find it.
    phones: dict[str, Mobile] = field(default_factory=dict)  # officer id -> their phone on the platform
    addresses: dict[str, str] = field(default_factory=dict)  # officer id -> who that is on the platform
    links: dict[str, str] = field(default_factory=dict)  # officer id -> their web-chat token
    reporters: list[str] = field(default_factory=list)
    signers: list[str] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)

    @property
    def config_path(self) -> Path:
        return self.folder / "config.toml"

    @property
    def log_path(self) -> Path:
        return self.folder / "desk.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def database(self) -> OpenDatabase:
        """The desk's own database, for a look from outside."""
        return open_database(self.database_url or f"sqlite+aiosqlite:///{self.folder}/muster.db")

    async def set_up(self) -> None:
        """Write the configuration, the people and the fast clock."""
        database, clock = self.database(), SystemClock()
        text = CONFIG.format(
            folder=self.folder,
            url=self.database_url or f"sqlite+aiosqlite:///{self.folder}/muster.db",
            port=self.port,
            secret_key=secrets.token_hex(32),
            platform=self.platform.table,
        )
        self.config_path.write_text(text, "utf-8")
        self.config_path.chmod(0o600)
        self.log_path.touch()
        config = load(self.config_path, {})
        policy = config.policy(Calendar({}))
        await database.start()
        queue = open_queue(config.database.url, database, clock)
        door = OfficeDoor(database, queue, clock, policy, Bell())
        async with door.open() as desk:
            await self._employ(desk)
        await door.set_pace(PACE)
        await database.close()
        self.platform.begin(self.url)

    async def _employ(self, desk: Desk) -> None:
        people: list[tuple[str, str, Role, str, str]] = []
        for number, name in enumerate(UNITS):
            unit = f"u{number}"
            await desk.store.add(Unit(unit, name, lat=22.5 + number / 20, lon=113.3))
            people.append((f"{unit}-duty", f"{name}值班员", Role.duty, unit, "duty_officer"))
            people.append((f"{unit}-leader", f"{name}带班领导", Role.leader, unit, "duty_leader"))
            for place in range(REPORTERS_EACH):
                people.append((f"{unit}-{place}", f"{name}信息员{place + 1}", Role.officer, unit, ""))
        await desk.store.add(Unit("office", "市应急办", kind="city_office", lat=22.516, lon=113.393))
        people.append(("office-leader", "市带班领导", Role.office, "office", "duty_leader"))
        people.append(("office-duty", "市值班员", Role.office, "office", "duty_officer"))
        for number, (officer_id, name, role, unit, post) in enumerate(people, 8001):
            officer = Officer(officer_id, name, unit, phone=f"199-0000-{number}", role=role)
            await desk.store.add(officer)
            if post:
                day = timedelta(days=1)
                await desk.store.add(
                    Shift(f"s-{officer_id}", unit, post, officer_id, desk.now - day, desk.now + day)
                )
            await self._give_phone(desk, officer, number)

    async def _give_phone(self, desk: Desk, officer: Officer, number: int) -> None:
        if officer.id.endswith(f"-{REPORTERS_EACH - 1}"):
            self.links[officer.id] = await make_link(desk, officer)
        else:
            address, self.phones[officer.id] = self.platform.mobile(number, officer.name)
            self.addresses[officer.id] = address
            account = Account(f"a-{number}", officer.id, self.platform.name, address, desk.now)
            await desk.store.add(account)
        if officer.role is Role.officer:
            self.reporters.append(officer.id)
        else:
            self.signers.append(officer.id)
        if officer.role is Role.office:
            self.callers.append(officer.id)


@dataclass
class Life:
    """One process of the desk, from its start to its end."""

    pid: int
    cold: Process | None = None  # Started from nothing, and not as a fork.


class Starter:
    """Gives the desk one life after the other: mostly a fork of a warm process, now and then a cold start."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._warm: Process | None = None
        self._turn = asyncio.Lock()  # The warm process hears one question at a time.
        self._lives: list[Life] = []
        self.cold_starts = 0

    async def __aenter__(self) -> "Starter":
        self._warm = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.chaos.starter", stdin=PIPE, stdout=PIPE
        )
        assert await self._answer() == "warm"
        return self

    async def __aexit__(self, *_: object) -> None:
        for life in list(self._lives):
            await self.end(life, signal.SIGKILL)
        assert self._warm is not None and self._warm.stdin is not None
        self._warm.stdin.close()
        await self._warm.wait()

    async def start(
        self,
        *,
        cold: bool = False,
        role: str = "all",
        port: int = 0,
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> Life:
        """A desk begins to live; at the office's own port, unless another is named. With a prefix it starts cold."""
        office = self._office
        settings = {"MUSTER_WEB__PORT": str(port or office.port), **(environment or {})}
        if cold or prefix:
            self.cold_starts += 1
            with office.log_path.open("ab") as log:
                words = ("-m", "bot", "run", "--config", str(office.config_path), "--role", role)
                process = await asyncio.create_subprocess_exec(
                    *(*prefix, sys.executable, *words),
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    env={**os.environ, **settings},
                )
            life = Life(process.pid, process)
        else:
            given = [f"{name}={value}" for name, value in settings.items()]
            line = " ".join(("start", str(office.config_path), str(office.log_path), role, *given))
            life = Life(int(await self._ask(line)))
        self._lives.append(life)
        return life

    async def end(self, life: Life, number: signal.Signals) -> int:
        """The desk is ended by a signal; returns how: -9 is by SIGKILL, 0 in peace."""
        self._lives.remove(life)
        with suppress(ProcessLookupError):
            os.kill(life.pid, number)
        async with asyncio.timeout(REAP_SECONDS):
            if life.cold is not None:
                return await life.cold.wait()
            return int(await self._ask(f"reap {life.pid}"))

    async def _ask(self, line: str) -> str:
        assert self._warm is not None and self._warm.stdin is not None
        async with self._turn:
            self._warm.stdin.write(f"{line}\n".encode())
            await self._warm.stdin.drain()
            return await self._answer()

    async def _answer(self) -> str:
        assert self._warm is not None and self._warm.stdout is not None
        line = await self._warm.stdout.readline()
        assert line, "the starter of desks ended by itself"
        return line.decode().strip()
