"""An office moves from SQLite to PostgreSQL, whole and compared, or not at all."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from bot.store.chain import verify_log
from bot.store.server import ServerDatabase
from bot.store.tables import TABLES
from desk.ports import Transactions
from incidents.model import LogLine
from roster.model import Officer
from tests.bot.commands.cli import Cli, fill, keep_photo
from tests.postgresql import Server

pytestmark = pytest.mark.postgresql


async def content(database: Transactions) -> list[Sequence[Any]]:
    """Every record of every kind."""
    async with database.read() as store:
        return [await store.find(kind, order=("sequence" if kind is LogLine else "id",)) for kind in TABLES]


async def test_an_office_moves_whole_and_goes_on_there(cli: Cli, postgresql: Server) -> None:
    await fill(cli)
    digest = await keep_photo(cli, b"a photo")
    async with cli.office() as office:
        async with office.door.open() as desk:
            assert await desk.store.next_sequence("reports") == 1
        before = await content(office.database)
    with postgresql.empty() as url:
        done = cli.process("move", "--to", url)
        assert (done.code, done.err) == (0, "")
        database = ServerDatabase(url)
        await database.start()
        try:
            assert await content(database) == before
            async with database.read() as store:
                chain = await verify_log(store)
            assert chain.faults == [] and chain.sequence > 0
            assert chain.hash in done.out and f"第 {chain.sequence} 行" in done.out
            async with database.begin() as store:
                assert await store.next_sequence("reports") == 2
        finally:
            await database.close()
        cli.write(f'[database]\nurl = "{url}"\n')
        verified = cli.process("verify")
        assert verified.code == 0 and "附件完好：1 个" in verified.out
        assert (cli.folder / "data" / "attachments" / digest[:2] / digest).exists()


async def test_a_lost_attachment_is_named(cli: Cli, postgresql: Server) -> None:
    await fill(cli)
    digest = await keep_photo(cli, b"a photo")
    (cli.folder / "data" / "attachments" / digest[:2] / digest).unlink()
    with postgresql.empty() as url:
        done = cli.process("move", "--to", url)
    assert done.code == 1 and digest in done.err


async def test_a_database_with_records_is_left_alone(cli: Cli, postgresql: Server) -> None:
    await fill(cli)
    with postgresql.empty() as url:
        assert cli.process("move", "--to", url).code == 0
        again = cli.process("move", "--to", url)
        assert again.code == 1 and "已有数据" in again.err
        database = ServerDatabase(url)
        await database.start()
        async with database.read() as store:
            assert await store.count(Officer) == 3
        await database.close()


async def test_nothing_moves_under_a_running_desk_or_the_wrong_way(cli: Cli, postgresql: Server) -> None:
    await fill(cli)
    with postgresql.empty() as url:
        with cli.running():
            done = await asyncio.to_thread(cli.process, "move", "--to", url)
            assert done.code == 1 and "停下" in done.err
        assert cli("move", "--to", "sqlite+aiosqlite:///other.db").code == 2
        cli.write(f'[database]\nurl = "{url}"\n')
        assert cli("move", "--to", url).code == 2
