"""The records of PostgreSQL are backed up and restored by the same two commands, on either kind of database."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bot.store.server import ServerDatabase
from bot.store.tables import TABLES
from desk.model import Setting
from desk.ports import Transactions
from incidents.model import LogLine
from roster.model import Officer
from tests.bot.commands.cli import Cli, fill, keep_photo
from tests.postgresql import Server

pytestmark = pytest.mark.postgresql


async def content(database: Transactions) -> list[list[Any]]:
    """Every record of every kind, but the moment of the last backup."""
    async with database.read() as store:
        found = [await store.find(kind, order=("sequence" if kind is LogLine else "id",)) for kind in TABLES]
    return [[one for one in some if not (type(one) is Setting and one.id == "backup/at")] for some in found]


async def on_server(cli: Cli, url: str) -> tuple[str, list[list[Any]]]:
    """An office on PostgreSQL with people, a photo and a number that was given; its digest, and all it holds."""
    cli.write(f'[database]\nurl = "{url}"\n')
    await fill(cli)
    digest = await keep_photo(cli, b"a photo")
    async with cli.office() as office:
        async with office.door.open() as desk:
            assert await desk.store.next_sequence("reports") == 1
        return digest, await content(office.database)


async def test_fault_40_what_was_backed_up_on_a_server_comes_back_on_an_empty_one(
    cli: Cli, postgresql: Server
) -> None:
    with postgresql.empty() as url, postgresql.empty() as clean:
        digest, before = await on_server(cli, url)
        done = cli.process("backup", "b")
        assert (done.code, done.err) == (0, "") and "1 个附件" in done.out
        async with cli.office() as office, office.door.read() as store:
            assert await store.get(Setting, "backup/at") is not None, "the watch over backups knows of it"
        told = json.loads((cli.folder / "b" / "backup.json").read_text("utf-8"))
        assert told["records"]["officers"] == 3 and told["log_sequence"] == len(
            before[list(TABLES).index(LogLine)]
        )
        shutil.rmtree(cli.folder / "data")
        cli.write(f'[database]\nurl = "{clean}"\n')
        done = cli.process("restore", "b")
        assert (done.code, done.err) == (0, "") and "日志完好" in done.out
        async with cli.office() as office:
            assert await content(office.database) == before
            async with office.door.open() as desk:
                assert await desk.store.next_sequence("reports") == 2
        assert (cli.folder / "data" / "attachments" / digest[:2] / digest).read_bytes() == b"a photo"
        assert cli.process("verify").code == 0


async def test_a_backup_of_one_kind_of_database_is_restored_on_the_other(
    cli: Cli, postgresql: Server
) -> None:
    with postgresql.empty() as url, postgresql.empty() as clean:
        _, before = await on_server(cli, url)
        assert cli("backup", "of the server").code == 0
        cli.write("")
        assert cli("restore", "of the server").code == 0
        async with cli.office() as office:
            assert await content(office.database) == before
        assert cli("backup", "of the file").code == 0
        cli.write(f'[database]\nurl = "{clean}"\n')
        assert cli("restore", "of the file").code == 0
        async with cli.office() as office:
            assert await content(office.database) == before


async def test_records_on_a_server_are_never_written_over(cli: Cli, postgresql: Server) -> None:
    with postgresql.empty() as url:
        await on_server(cli, url)
        assert cli("backup", "b").code == 0
        async with cli.office() as office, office.door.open() as desk:
            await desk.store.add(Officer("o9", "后来的人", "u1"))
        heads = (cli.folder / "data" / "attachments.heads").read_text("utf-8")
        done = cli("restore", "b")
        assert done.code == 1 and "已有数据" in done.err and done.out == ""
        async with cli.office() as office, office.door.read() as store:
            assert await store.get(Officer, "o9") is not None
        assert (cli.folder / "data" / "attachments.heads").read_text("utf-8") == heads


async def test_fault_40_a_backup_that_is_not_whole_leaves_an_empty_server_empty(
    cli: Cli, postgresql: Server
) -> None:
    with postgresql.empty() as url, postgresql.empty() as clean:
        digest, _ = await on_server(cli, url)
        assert cli("backup", "b").code == 0
        (cli.folder / "b" / "attachments" / digest[:2] / digest).unlink()
        cli.write(f'[database]\nurl = "{clean}"\n')
        done = cli("restore", "b")
        assert done.code == 1 and "没有动" in done.err
        database = ServerDatabase(clean)
        await database.start()
        async with database.read() as store:
            assert await store.count(Officer) == 0
        await database.close()


async def test_the_head_told_of_the_log_before_is_put_aside_with_it(
    cli: Cli, postgresql: Server, tmp_path: Path
) -> None:
    with postgresql.empty() as url, postgresql.empty() as clean:
        await on_server(cli, url)
        assert cli("backup", "b").code == 0
        async with cli.office() as office, office.door.open() as desk:
            desk.log("filled", "desk")
        assert cli("verify").code == 0  # Tells of the line that is not in the backup.
        cli.write(f'[database]\nurl = "{clean}"\n')
        assert cli("restore", "b").code == 0
        assert [*(cli.folder / "data").glob("attachments.heads.before-*")]
        assert cli("verify").code == 0
