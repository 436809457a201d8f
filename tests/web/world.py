"""A small office on a real SQLite database, its past made by the desk's own jobs, served by uvicorn on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from bot.door import OfficeDoor
from bot.media import MediaFolder
from bot.queue.embedded import EmbeddedQueue
from bot.store.sql import Database
from desk import acknowledgements, answers, escalations, reports, roll_calls
from desk.answers import Given
from desk.model import Inbound, RemoteFile
from desk.policy import Limits, Policy
from desk.ports import Bell
from incidents.model import Incident, Ladder, Place, Step
from roster.answers import reads_as_answer
from roster.calendar import load
from roster.model import (
    Account,
    Answer,
    Officer,
    PostRule,
    Presence,
    Proof,
    Role,
    RollCall,
    RollCallPlan,
    Shift,
    Unit,
)
from web.app import make_app
from web.sessions import Sessions
from web.settings import WebSettings

ROOT = Path(__file__).parents[2]
NIGHT = datetime(2026, 11, 23, 19, 0, tzinfo=UTC)  # 03:00 in Zhongshan.
PLAN = RollCallPlan("夜间抽查", posts=("duty_leader", "duty_officer"), units=("u-xl", "u-sj"))
CODE_PLAN = RollCallPlan("口令点名", posts=("duty_officer",), units=("u-xl",), proof=Proof.passcode)
LADDER = Ladder(
    "一般事件",
    (Step(0, ("post:duty_officer",)), Step(5, ("post:duty_leader",)), Step(10, ("role:office",))),
)
UNITS = (
    Unit("u-office", "市应急办", kind="city_office", lat=22.516, lon=113.3928),
    Unit("u-xl", "小榄镇", "u-office", lat=22.6741, lon=113.2402),
    Unit("u-sj", "三角镇", "u-office", lat=22.6812, lon=113.4391),
    Unit("u-village", "绩东一社区", "u-xl", kind="village"),
)
PEOPLE = (
    Officer("o-jian", "简俊贤", "u-office", "199-0000-1001", "主任", Role.office),
    Officer("o-pan", "潘艳红", "u-office", "199-0000-1002", "副主任", Role.admin),
    Officer("o-liang", "梁锦棠", "u-xl", "199-0000-2001", "副镇长", Role.leader),
    Officer("o-chen", "陈志强", "u-xl", "199-0000-2002", "值班员", Role.duty),
    Officer("o-he", "何婉婷", "u-xl", "199-0000-2003", "值班员", Role.duty),
    Officer("o-mei", "李小梅", "u-xl", "199-0000-2004", "村信息员", Role.officer),
    Officer("o-wu", "吴国辉", "u-sj", "199-0000-3001", "副镇长", Role.leader),
    Officer("o-zhou", "周丽嫦", "u-sj", "199-0000-3002", "值班员", Role.duty),
)
POSTS = (
    ("u-office", "duty_leader", "o-jian"),
    ("u-office", "duty_officer", "o-pan"),
    ("u-xl", "duty_leader", "o-liang"),
    ("u-xl", "duty_officer", "o-chen"),
    ("u-xl", "standby", "o-he"),
    ("u-sj", "duty_officer", "o-zhou"),  # 三角镇's leader is missing: a gap.
)


class HandClock:
    """A clock that moves when the test says so."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def pass_minutes(self, minutes: float) -> None:
        self.at += timedelta(minutes=minutes)


def make_policy() -> Policy:
    """The office's rules, the calendar as it is shipped."""
    return Policy(
        office="中山市应急值班室",
        timezone="Asia/Shanghai",
        language="zh-CN",
        number_prefix="ZS",
        watch_changes_at="08:30",
        ladders=(LADDER,),
        roll_calls=(PLAN, CODE_PLAN),
        bulletins=(),
        posts=(
            PostRule("duty_leader", "带班领导", Presence.in_town),
            PostRule("duty_officer", "值班员", Presence.on_site),
            PostRule("standby", "备班", Presence.reachable),
        ),
        limits=Limits(),
        calendar=load((ROOT / "roster/calendar.toml").read_text("utf-8")),
    )


@dataclass
class World:
    """The running office: jobs to call, and clients to look with."""

    door: OfficeDoor
    clock: HandClock
    media: MediaFolder
    settings: WebSettings
    port: int
    database: Database
    folder: Path
    told: int = 0
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def officer(self, officer_id: str) -> Officer:
        """One of PEOPLE as the store has them now."""
        async with self.door.read() as store:
            found = await store.get(Officer, officer_id)
        assert found is not None
        return found

    async def report(
        self,
        text: str,
        place: Place | None = None,
        *,
        by: str = "o-mei",
        photo: bytes = b"",
        file_name: str = "现场.jpg",
    ) -> Incident:
        """An information officer reports; text, place and photo in one message."""
        self.told += 1
        files: tuple[RemoteFile, ...] = ()
        if photo:
            digest, count = await self.media.keep(_pieces(photo), 20_000_000)
            files = (RemoteFile("photo", f"f{self.told}", file_name, "image/jpeg", count, digest),)
        message = Inbound(
            "webchat",
            f"e{self.told}",
            f"a-{by}",
            "media" if photo else "text",
            text=text,
            place=place or Place(22.6741, 113.2402, "绩东一社区"),
            files=files,
            message_id=f"m{self.told}",
        )
        async with self.door.open() as desk:
            taken = await reports.take(desk, message, await self.officer(by))
            incident = taken.incident
            if incident is None:
                assert taken.draft is not None
                filed = await reports.file(desk, taken.draft, await self.officer(by))
                incident = filed.incident
        assert incident is not None
        return incident

    async def step(self, incident: Incident) -> None:
        """The ladder's due step is taken."""
        async with self.door.open() as desk:
            await escalations.step(desk, incident.id)

    async def sign(self, incident: Incident, by: str = "o-chen") -> None:
        """签收 from a phone."""
        async with self.door.open() as desk:
            await acknowledgements.sign(desk, incident.id, await self.officer(by))

    async def read(self, incident: Incident) -> Incident:
        """The incident as it is now."""
        async with self.door.read() as store:
            found = await store.get(Incident, incident.id)
        assert found is not None
        return found

    async def call_roll(self, plan: RollCallPlan = PLAN, slot: str = "manual-1") -> RollCall:
        """立即点名."""
        async with self.door.open() as desk:
            called = await roll_calls.call(desk, plan, slot, called_by="o-jian")
        assert called is not None
        return called

    async def answer(self, call: RollCall, officer_id: str, text: str = "到") -> None:
        """An officer answers on the phone."""
        self.told += 1
        officer = await self.officer(officer_id)
        message = Inbound("webchat", f"e{self.told}", f"a-{officer_id}", "text", text=text)
        async with self.door.open() as desk:
            owed = await answers.owed_by(desk, officer_id)
            assert owed is not None
            assert owed.roll_call_id == call.id
            await answers.take(desk, message, officer, owed, Given(passcode=reads_as_answer(text).passcode))

    async def close_roll(self, call: RollCall) -> None:
        """The answer window ends."""
        self.clock.at = max(self.clock.at, call.closes_at)
        async with self.door.open() as desk:
            await roll_calls.close(desk, call.id)

    async def lines_of(self, call: RollCall) -> dict[str, Answer]:
        """The ledger by officer."""
        async with self.door.read() as store:
            found = await store.find(Answer, roll_call_id=call.id)
        return {answer.officer_id: answer for answer in found}

    def client(self, **options: Any) -> httpx.AsyncClient:
        """A browser without a session."""
        headers = {"Accept": "text/html", **options.pop("headers", {})}
        client = httpx.AsyncClient(base_url=self.base, timeout=20, headers=headers, **options)
        self.clients.append(client)
        return client

    async def session(self, officer_id: str) -> str:
        """A signed-in browser's secret."""
        session, secret = self._sessions().start(officer_id, self.clock.now())
        async with self.door.open() as desk:
            await desk.store.add(session)
        return secret

    async def signed_in(self, officer_id: str, **options: Any) -> httpx.AsyncClient:
        """A browser in which this officer has signed in."""
        client = self.client(**options)
        client.cookies.set(self._sessions().cookie, await self.session(officer_id))
        return client

    def csrf(self, client: httpx.AsyncClient) -> str:
        """The token this browser's forms carry."""
        return self._sessions().csrf(client.cookies.get(self._sessions().cookie) or "")

    async def press(self, client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
        """A form of our own page is sent."""
        return await client.post(path, data={"csrf": self.csrf(client), **fields})

    def _sessions(self) -> Sessions:
        return Sessions(self.door, self.settings)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@asynccontextmanager
async def open_door(
    folder: Path, clock: HandClock, policy: Policy | None = None
) -> AsyncIterator[tuple[OfficeDoor, Database]]:
    """A door on a real database in this folder."""
    database = Database(f"sqlite+aiosqlite:///{folder}/muster.db")
    await database.start()
    queue = EmbeddedQueue(database, clock)
    try:
        yield OfficeDoor(database, queue, clock, policy or make_policy(), Bell()), database
    finally:
        await database.close()


async def settle_people(door: OfficeDoor, now: datetime) -> None:
    """The office's units, people, phones and the watch that runs now, and the next."""
    begun = now - timedelta(hours=18, minutes=30)
    shifts = [
        Shift(
            f"s{night}-{number}",
            unit,
            post,
            officer,
            begun + night * timedelta(days=1),
            begun + (night + 1) * timedelta(days=1),
        )
        for night in (0, 1)
        for number, (unit, post, officer) in enumerate(POSTS)
    ]
    async with door.open() as desk:
        await desk.store.add(*UNITS)
        await desk.store.add(*PEOPLE)
        await desk.store.add(
            *(Account(f"a-{one.id}", one.id, "webchat", f"a-{one.id}", now) for one in PEOPLE)
        )
        await desk.store.add(*shifts)


@asynccontextmanager
async def serving(app: Any, port: int) -> AsyncIterator[None]:
    """The application on a loopback port until the block ends."""
    config = uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        assert not task.done(), "the server did not start"
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        app.state.close()
        server.should_exit = True
        await task


@asynccontextmanager
async def open_world(folder: Path, **options: Any) -> AsyncIterator[World]:
    """A served office at three in the morning; options change the WebSettings."""
    clock, media = HandClock(NIGHT), MediaFolder(folder / "attachments")
    media.open()
    settings = replace(
        WebSettings(port=free_port(), secret_key="k" * 32, attachments_path=str(folder / "attachments")),
        **options,
    )
    async with open_door(folder, clock) as (door, database):
        await settle_people(door, clock.now())
        app = make_app(door, settings, media=media)
        async with serving(app, settings.port):
            world = World(door, clock, media, settings, settings.port, database, folder)
            try:
                yield world
            finally:
                for client in world.clients:
                    await client.aclose()
