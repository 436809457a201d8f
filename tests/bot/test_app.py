"""The whole desk in this process: it starts, names what stops it, and ends with everything in order."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot import app as module
from bot.app import App, running
from bot.config import load
from bot.queue.guard import AlreadyRunning
from bot.serving import CannotStart
from bot.town.phones import shown_phones
from desk.model import InboxRow, Job, Lane, Letter, Setting
from roster.model import Officer, Role, Unit
from tests.fakes.telegram_server import FakeTelegram
from tests.town.world import MovedClock, eventually, free_port

SECRET = "a-long-Secret-7"
END_SECONDS_MAX = 10.0


class Desk:
    """A desk that may be opened again and again on one folder."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.clock = MovedClock()
        self.environ: Mapping[str, str] = {
            "MUSTER_DATABASE__URL": f"sqlite+aiosqlite:///{folder}/muster.db",
            "MUSTER_ATTACHMENTS__PATH": f"{folder}/attachments",
            "MUSTER_WEB__PORT": str(self.port),
            **environ,
        }

    @asynccontextmanager
    async def open(self) -> AsyncIterator[App]:
        async with running(load(None, self.environ), self.clock) as app:
            yield app


@pytest.fixture
def town(tmp_path: Path) -> Desk:
    """The demonstration."""
    return Desk(tmp_path)


def hooked(folder: Path, telegram: FakeTelegram, **more: str) -> Desk:
    """A desk that hears Telegram by webhook."""
    return Desk(
        folder,
        MUSTER_TELEGRAM__TOKEN=telegram.token,
        MUSTER_TELEGRAM__BASE_URL=telegram.base_url,
        MUSTER_TELEGRAM__MODE="webhook",
        MUSTER_TELEGRAM__WEBHOOK_SECRET=SECRET,
        MUSTER_WEB__PUBLIC_URL="http://127.0.0.1:1",
        **more,
    )


def others() -> set["asyncio.Task[object]"]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(20):
        while not await check():
            await asyncio.sleep(0.01)


async def test_it_ends_within_ten_seconds_and_leaves_nothing_behind(town: Desk) -> None:
    loop = asyncio.get_running_loop()
    before = others()
    for _ in range(2):  # And starts again on what the last one left.
        async with town.open() as app:
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"{app.url}/readyz")).status_code == 200
            stops_at = loop.time()
        assert loop.time() - stops_at < END_SECONDS_MAX
        assert others() == before
        assert not list(town.folder.glob("*-wal"))  # Nothing is left in the write-ahead log.
        with closing(sqlite3.connect(town.folder / "muster.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with socket.socket() as free:
            free.bind(("127.0.0.1", town.port))


async def test_as_many_jobs_run_at_once_as_the_configuration_says(tmp_path: Path) -> None:
    desk = Desk(tmp_path, MUSTER_QUEUE__WORKERS_MAX="3", MUSTER_QUEUE__BULK_MAX="2")
    running_now, most, goes_on = 0, 0, asyncio.Event()

    async def work(jobs: Sequence[Job]) -> None:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        await goes_on.wait()
        running_now -= 1

    async with desk.open() as app:
        app.queue.handle("slow", work, at_once=9)
        async with app.door.open() as opened:
            for _ in range(9):
                opened.due("slow", "x", opened.now, lane=Lane.bulk)
            for _ in range(2):
                opened.due("slow", "x", opened.now, lane=Lane.urgent)

        async def all_busy() -> bool:
            return running_now == 3

        await until(all_busy)
        goes_on.set()

        async def all_done() -> bool:
            async with app.door.read() as store:
                return await store.count(Job, kind="slow") == 0

        await until(all_done)
    assert most == 3


async def test_streams_end_with_the_desk(town: Desk) -> None:
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(timeout=20) as client:
        streams: list[asyncio.Task[int]] = []
        async with town.open() as app:
            token = (await shown_phones(app.door))[0].token
            for path in ("/live", "/demo/stream", f"/chat/{token}/stream"):
                opened = asyncio.Event()
                streams.append(asyncio.create_task(_listen(client, app.url + path, opened)))
                await asyncio.wait_for(opened.wait(), 10)
            stops_at = loop.time()
        assert loop.time() - stops_at < 2  # Nobody was waited for in vain.
        assert await asyncio.gather(*streams) == [200, 200, 200]


async def _listen(client: httpx.AsyncClient, url: str, opened: asyncio.Event) -> int:
    async with client.stream("GET", url) as response:
        async for _ in response.aiter_bytes():
            opened.set()
        return response.status_code


async def test_fault_6_a_request_that_is_under_way_at_the_stop_is_answered_and_durable(
    tmp_path: Path,
) -> None:
    with FakeTelegram() as telegram:
        desk = hooked(tmp_path, telegram)
        update = {
            "update_id": 7,
            "message": {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "private"}},
        }
        async with httpx.AsyncClient(timeout=20) as client:
            async with desk.open() as app:
                async with app.door.open():  # Nobody else can commit meanwhile.
                    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
                    posted = asyncio.create_task(
                        client.post(f"{app.url}/channels/telegram/webhook", json=update, headers=headers)
                    )
                    await eventually(lambda: app.inbox.waiting == 1)
                assert not posted.done()
            assert (await posted).status_code == 200
        with closing(sqlite3.connect(tmp_path / "muster.db")) as database:
            assert database.execute("SELECT id FROM inbox").fetchall() == [("telegram/7",)]


async def test_a_port_in_use_is_one_sentence_with_its_cure_and_nothing_stays_locked(town: Desk) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", town.port))
        taken.listen()
        with pytest.raises(CannotStart) as caught:
            async with town.open():
                pass
    assert str(town.port) in str(caught.value) and "web.port" in str(caught.value)
    assert "\n" not in str(caught.value)
    async with town.open():
        pass


async def test_fault_26_a_second_desk_on_one_database_is_refused_and_the_first_goes_on(
    town: Desk, tmp_path: Path
) -> None:
    second = Desk(tmp_path)
    async with town.open() as app:
        with pytest.raises(AlreadyRunning):
            async with second.open():
                pass
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{app.url}/readyz")).status_code == 200


async def test_the_demonstration_without_phones_shows_its_board(tmp_path: Path) -> None:
    desk = Desk(tmp_path, MUSTER_WEBCHAT__ENABLED="false")
    async with desk.open() as app, httpx.AsyncClient() as client:
        assert "webchat" not in app.channels
        page = await client.get(app.url)
        assert page.status_code == 200 and "/demo/" not in page.text


async def test_a_part_that_fails_is_started_again_and_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RESTART_SECONDS", 0.01)
    runs: list[str] = []

    async def failing() -> None:
        runs.append("failing")
        raise RuntimeError("a bug")

    async def steady() -> None:
        runs.append("steady")
        await asyncio.Event().wait()

    async with module._tasks() as start:
        start("failing", failing)
        start("steady", steady)
        await eventually(lambda: runs.count("failing") >= 3)
    assert runs.count("steady") == 1
    assert "a bug" in caplog.text


async def test_a_trouble_stands_on_the_board_under_its_own_channel_s_name(tmp_path: Path) -> None:
    with FakeTelegram() as telegram:
        desk = Desk(
            tmp_path, MUSTER_TELEGRAM__TOKEN="999:Unknown", MUSTER_TELEGRAM__BASE_URL=telegram.base_url
        )
        async with desk.open() as app:

            async def is_told() -> bool:
                async with app.door.read() as store:
                    return await store.get(Setting, "trouble/telegram/token") is not None

            await until(is_told)


async def test_fault_20_an_outage_of_a_day_is_told_to_the_office_when_the_desk_is_back(
    tmp_path: Path,
) -> None:
    with FakeTelegram() as telegram:
        desk = Desk(
            tmp_path, MUSTER_TELEGRAM__TOKEN=telegram.token, MUSTER_TELEGRAM__BASE_URL=telegram.base_url
        )

        async with desk.open() as app:
            async with app.door.open() as opened:
                await opened.store.add(Unit("u", "市应急办"), Officer("o", "简俊贤", "u", role=Role.office))
            await until(lambda: is_marked(app))
        desk.clock.ahead = timedelta(hours=25)
        for _ in range(2):
            async with desk.open() as app:
                await until(lambda: is_told(app))  # Awaited here.
        async with desk.open() as app, app.door.read() as store:
            told = await store.find(Letter, kind="outage_gap")
        assert [one.officer_id for one in told] == ["o"]


async def is_marked(app: App) -> bool:
    return bool(await app.inbox.setting("telegram.offset"))


async def is_told(app: App) -> bool:
    async with app.door.read() as store:
        return await store.count(Letter, kind="outage_gap") > 0


async def test_the_town_s_phones_are_given_to_nobody_who_comes_from_elsewhere(town: Desk) -> None:
    async with town.open() as app, httpx.AsyncClient() as client:
        assert "/chat/" in (await client.get(app.url)).text
        far = {"X-Forwarded-For": "203.0.113.9"}
        page = await client.get(app.url, headers=far)
        assert (page.status_code, page.headers["location"]) == (303, "/board") and "/chat/" not in page.text
        assert (await client.post(f"{app.url}/demo/fire", headers=far)).status_code == 403


async def test_the_town_does_not_start_where_others_could_open_it(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="MUSTER_WEB__HOST"):
        async with Desk(tmp_path, MUSTER_WEB__HOST="0.0.0.0").open():
            pass


async def test_the_fast_clock_goes_back_to_life_s_pace_by_itself_over_a_restart_too(town: Desk) -> None:
    async with town.open() as app, httpx.AsyncClient() as client:
        response = await client.post(f"{app.url}/demo/clock?fast=1", headers={"Origin": app.url})
        assert response.status_code < 400
        assert app.door.pace == 60
        town.clock.ahead = timedelta(minutes=14)
        app.queue.wake()
    async with town.open() as app:
        assert app.door.pace == 60
        town.clock.ahead = timedelta(minutes=15)
        app.queue.wake()
        await eventually(lambda: app.door.pace == 1)
    async with town.open() as app:
        assert app.door.pace == 1


async def test_what_was_taken_before_the_stop_is_heard_after_the_start(tmp_path: Path) -> None:
    with FakeTelegram() as telegram:
        desk = hooked(tmp_path, telegram)
        async with desk.open() as app:
            await app.inbox.take("telegram", "1", "5", b'{"update_id": 1}')

        async def heard() -> bool:
            async with app.door.read() as store:
                return [row.state.value for row in await store.find(InboxRow)] == ["heard"]

        async with desk.open() as app:
            await until(heard)
