"""A schema changes under replicas that go on working: only added to, one migration at a time, nobody held up by it."""

import asyncio
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from bot.store import StoreUnavailable, migrations, schema
from bot.store.migrations import FOLDER, REVISIONS, bring_to_head
from bot.store.server import ServerDatabase
from desk.model import Setting
from roster.model import Officer
from tests.bot.store.samples import officer
from tests.next_version import REVISION, write_revisions
from tests.postgresql import Server

pytestmark = pytest.mark.postgresql

COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default IS NOT NULL
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
"""
Column = tuple[str, str, str, str, bool]


def columns(url: str) -> set[Column]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return {(str(a), str(b), str(c), str(d), bool(e)) for a, b, c, d, e in connection.execute(COLUMNS)}


def bring_to(url: str, revision: str, folder: Path) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def breaks_of(before: set[Column], after: set[Column]) -> list[str]:
    """What a program of the version before would stumble over."""
    tables = {table for table, *_ in before}
    gone = [f"{table}.{name} is gone or another" for table, name, *_ in before - after]
    return gone + [
        f"{table}.{name} wants a value that the version before does not give"
        for table, name, _, nullable, has_default in after - before
        if table in tables and nullable == "NO" and not has_default
    ]


@pytest.mark.parametrize(("old", "new"), list(pairwise(REVISIONS)))
def test_every_revision_only_adds_so_that_the_version_before_works_on(
    postgresql: Server, old: str, new: str
) -> None:
    with postgresql.empty() as url:
        bring_to(url, old, FOLDER)
        before = columns(url)
        bring_to(url, new, FOLDER)
        assert breaks_of(before, columns(url)) == []


def test_a_revision_that_would_break_the_version_before_is_told(postgresql: Server) -> None:
    with postgresql.empty() as url:
        bring_to(url, REVISIONS[-1], FOLDER)
        before = columns(url)
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute("ALTER TABLE officers DROP COLUMN name")
            connection.execute("ALTER TABLE units ADD badge text NOT NULL")
        told = breaks_of(before, columns(url))
    assert sorted(told) == [
        "officers.name is gone or another",
        "units.badge wants a value that the version before does not give",
    ]


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From now on whoever brings the schema on is the next release."""
    folder = write_revisions(tmp_path / "revisions")
    longer = (*REVISIONS, REVISION)
    monkeypatch.setattr(migrations, "REVISIONS", longer)
    monkeypatch.setattr(schema, "REVISIONS", longer)
    monkeypatch.setattr(schema, "bring_to_head", lambda connection: bring_to_head(connection, folder))
    return folder


async def test_the_version_before_reads_and_writes_while_and_after_the_schema_changes(
    postgresql: Server, next_release: Path
) -> None:
    with postgresql.empty() as url:
        bring_to(url, REVISIONS[-1], FOLDER)
        running = ServerDatabase(url)
        running._auto_migrate = False
        with pytest.MonkeyPatch.context() as before:
            before.setattr(migrations, "REVISIONS", REVISIONS)
            await running.start()
        await write(running, "o1")
        reader = running.read()
        async with reader as store:  # A backup, say: it holds every table for minutes.
            assert await store.count(Officer) == 1
            migration = asyncio.create_task(schema.upgrade(url))
            await until_somebody_waits(url)
            await write(running, "o2")  # Nobody is held up by whoever waits for the reader.
            assert not migration.done()
        await migration
        await write(running, "o3")
        async with running.read() as store:
            assert await store.count(Officer) == 3
        await running.close()
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            badges = connection.execute("SELECT id, badge FROM officers ORDER BY id").fetchall()
        assert badges == [("o1", "badge o1"), ("o2", "badge o2"), ("o3", "")]


async def write(database: ServerDatabase, officer_id: str) -> None:
    async with database.begin() as store:
        await store.add(officer(officer_id))


async def until_somebody_waits(url: str) -> None:
    asking = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with asyncio.timeout(60):
        async with await psycopg.AsyncConnection.connect(
            url.replace("+psycopg", ""), autocommit=True
        ) as connection:
            while await (await connection.execute(asking)).fetchone() == (0,):
                await asyncio.sleep(0.01)


async def test_a_table_that_is_never_let_go_is_not_waited_for_for_ever(
    shared: ServerDatabase, next_release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "LOCK_TRIES_MAX", 2)
    monkeypatch.setattr(schema, "LOCK_PAUSE_SECONDS", 0.01)
    async with shared.read() as store:
        assert await store.count(Officer) == 0
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            await schema.upgrade(shared.url)
    async with shared.begin() as store:
        await store.add(Setting("still", "served"))
