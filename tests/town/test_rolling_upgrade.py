"""Replicas of two versions work side by side while the schema changes under the older, and nobody notices."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from bot.store.migrations import FOLDER, head
from tests.fakes.telegram_server import FakeTelegram
from tests.next_version import REVISION, write_revisions
from tests.postgresql import Server
from tests.town.replicas import Replicas, receipts, replicated
from tests.town.world import MovedClock, Town

pytestmark = [pytest.mark.postgresql, pytest.mark.timeout(420)]

REPLICAS = 3


@pytest.fixture
async def office(tmp_path: Path, postgresql: Server) -> AsyncIterator[tuple[Town, Replicas]]:
    """An office on a database of its own, whose schema may change."""
    with postgresql.empty() as url:
        async with replicated(tmp_path, url) as opened:
            yield opened


def ask(url: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return list(connection.execute(sql))


async def test_a_rolling_upgrade_across_a_change_of_the_schema_stops_nothing(
    office: tuple[Town, Replicas], tmp_path: Path
) -> None:
    town, several = office
    program = ("tests.next_version", str(write_revisions(tmp_path / "revisions")))
    old = [await several.start() for _ in range(REPLICAS)]
    for port in old:
        await several.ready(port)
    unserved = asyncio.create_task(_moments_without_a_desk(several))
    reporting = asyncio.create_task(_report_until_cancelled(several))
    for number, port in enumerate(old):
        new = await several.start(program=program)
        await several.ready(new)
        if not number:  # The first of the new brought the schema; the old have not noticed.
            assert ask(town.url, "SELECT version_num FROM alembic_version") == [(REVISION,)]
            await _until_said(town, several, several.said + 2)
        assert await several.stop(port) == 0
    unserved.cancel()
    reporting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reporting
    assert await unserved == []
    await town.telegram.wait_for(lambda: _answered(town) == several.said, 60)
    await several.end()
    texts = ask(town.url, "SELECT text FROM reports ORDER BY sequence")
    assert [re.findall(r"第(\d+)次", str(text)) for (text,) in texts] == [
        [str(n)] for n in range(several.said)
    ]
    assert several.said >= 2 * REPLICAS
    assert ask(town.url, "SELECT count(*) FROM officers WHERE badge = ''") == [(0,)]


async def _until_said(town: Town, several: Replicas, count: int) -> None:
    await town.telegram.wait_for(lambda: several.said >= count, 60)


def _answered(town: Town) -> int:
    return len(receipts(town.phones["叶倩雯"].received))


async def _report_until_cancelled(several: Replicas) -> None:
    while True:
        await several.report()


async def _moments_without_a_desk(several: Replicas) -> list[str]:
    """Looks all the time; tells when not one of the replicas would take messages, until it is cancelled."""
    found: list[str] = []
    with contextlib.suppress(asyncio.CancelledError):
        async with httpx.AsyncClient(timeout=10) as client:
            while True:
                states = [await _state(client, port) for port in list(several.processes)]
                if "200" not in states:
                    found.append(" ".join(states))
                await asyncio.sleep(0.1)
    return found


async def _state(client: httpx.AsyncClient, port: int) -> str:
    try:
        return str((await client.get(f"http://127.0.0.1:{port}/readyz")).status_code)
    except httpx.TransportError as error:
        return type(error).__name__


async def test_three_replicas_that_start_at_once_bring_an_older_schema_once(
    postgresql: Server, tmp_path: Path
) -> None:
    with FakeTelegram() as telegram, postgresql.empty() as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(FOLDER))
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
        engine.dispose()
        with psycopg.connect(url.replace("+psycopg", "")) as plain:
            plain.execute("INSERT INTO settings (id, value, version) VALUES ('kept', 'from before', 1)")
        town = Town(telegram, tmp_path, "polling", MovedClock(), url=url)
        town.configure()
        several = Replicas(town)
        try:
            ports = [await several.start() for _ in range(REPLICAS)]
            for port in ports:
                await several.ready(port)
        finally:
            await several.end()
        told = (tmp_path / "desk.log").read_text("utf-8")
        assert told.count(f"was brought from schema 0001 to {head()}") == 1, told[-3000:]
        assert ask(url, "SELECT version_num FROM alembic_version") == [(head(),)]
        assert ask(url, "SELECT value FROM settings WHERE id = 'kept'") == [("from before",)]


async def test_an_older_program_started_anew_on_the_newer_schema_says_so_and_leaves_it_alone(
    office: tuple[Town, Replicas], tmp_path: Path
) -> None:
    _, several = office
    new = await several.start(program=("tests.next_version", str(write_revisions(tmp_path / "revisions"))))
    await several.ready(new)
    old = await several.start()
    assert await several.processes.pop(old).wait() == 1
    told = (tmp_path / "desk.log").read_text("utf-8")
    assert REVISION in told and "newer program" in told
    await several.report()
    async with httpx.AsyncClient() as client:
        assert await _state(client, new) == "200"
