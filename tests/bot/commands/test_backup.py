"""A backup is whole or is not taken; a restore never loses what was there; verify finds what was changed."""

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from roster.model import Officer
from tests.bot.commands.cli import Cli, fill, keep_photo
from tests.incidents.samples import incident


async def names(cli: Cli) -> list[str]:
    async with cli.office() as office, office.door.read() as store:
        return [one.name for one in await store.find(Officer, order=("id",))]


async def test_fault_40_what_was_backed_up_comes_back_on_a_clean_machine(cli: Cli, tmp_path: Path) -> None:
    await fill(cli)
    digest = await keep_photo(cli, b"a photo")
    done = cli.process("backup", "backups/monday")
    assert done.code == 0 and "1 个附件" in done.out
    shutil.rmtree(cli.folder / "data")
    done = cli.process("restore", "backups/monday")
    assert done.code == 0 and done.err == ""
    assert await names(cli) == ["陈值班", "李带班", "王信息"]
    assert (cli.folder / "data" / "attachments" / digest[:2] / digest).read_bytes() == b"a photo"
    done = cli.process("verify")
    assert done.code == 0 and "5 行" in done.out and "附件完好：1 个" in done.out


async def test_fault_40_a_backup_beside_a_running_desk_is_consistent(cli: Cli) -> None:
    await fill(cli)
    with cli.running():
        done = await asyncio.to_thread(cli.process, "backup", "b")
        assert done.code == 0
        refused = await asyncio.to_thread(cli.process, "restore", "b")
        assert refused.code == 1 and "停下" in refused.err
    assert cli("restore", "b").code == 0
    assert cli("verify").code == 0


async def test_the_database_before_a_restore_is_kept_aside(cli: Cli) -> None:
    await fill(cli)
    assert cli("backup", "b").code == 0
    async with cli.office() as office, office.door.open() as desk:
        await desk.store.add(Officer("o9", "后来的人", "u1"))
    done = cli("restore", "b")
    [aside] = (cli.folder / "data").glob("muster.db.before-*")
    assert str(aside) in done.out
    assert "后来的人" not in await names(cli)
    (cli.folder / "data" / "muster.db").unlink()
    aside.rename(cli.folder / "data" / "muster.db")
    assert "后来的人" in await names(cli)


async def test_what_a_killed_desk_left_in_its_log_is_kept_aside_too(cli: Cli) -> None:
    await fill(cli)
    assert cli("backup", "b").code == 0
    with cli.running() as desk:
        done = await asyncio.to_thread(cli.process, "invite", "王信息", "--json")
        assert done.code == 0
        desk.kill()
        desk.wait()
    assert (cli.folder / "data" / "muster.db-wal").stat().st_size
    assert cli("restore", "b").code == 0
    [aside] = (cli.folder / "data").glob("muster.db.before-*[0-9Z]")
    kept = sqlite3.connect(aside)
    assert kept.execute("SELECT count(*) FROM invites").fetchone() == (1,)
    kept.close()
    assert cli("verify").code == 0


async def test_a_backup_never_overwrites(cli: Cli) -> None:
    await fill(cli)
    (cli.folder / "b").mkdir()
    assert cli("backup", "b").code == 0
    before = (cli.folder / "b" / "muster.db").read_bytes()
    done = cli("backup", "b")
    assert done.code == 1 and "已经存在" in done.err
    assert (cli.folder / "b" / "muster.db").read_bytes() == before


def test_before_the_first_start_there_is_nothing_to_back_up_or_verify(cli: Cli) -> None:
    for words in (["backup", "b"], ["verify"]):
        done = cli(*words)
        assert done.code == 1 and "还没有数据库" in done.err
    assert not (cli.folder / "b").exists() and not (cli.folder / "data").exists()


@pytest.mark.parametrize("harm", ["database", "attachment", "missing", "manifest", "format"])
async def test_fault_40_a_backup_that_is_not_whole_is_refused_and_nothing_is_touched(
    cli: Cli, harm: str
) -> None:
    await fill(cli)
    digest = await keep_photo(cli, b"a photo")
    assert cli("backup", "b").code == 0
    folder = cli.folder / "b"
    if harm == "database":
        with (folder / "muster.db").open("r+b") as file:
            file.seek(5_000)
            file.write(b"harm")
    elif harm == "attachment":
        (folder / "attachments" / digest[:2] / digest).write_bytes(b"another")
    elif harm == "missing":
        (folder / "attachments" / digest[:2] / digest).unlink()
    elif harm == "manifest":
        (folder / "backup.json").unlink()
    else:
        told = json.loads((folder / "backup.json").read_text())
        (folder / "backup.json").write_text(json.dumps({**told, "format": 2}))
    done = cli("restore", "b")
    assert done.code == 1 and done.out == "" and done.err
    assert await names(cli) == ["陈值班", "李带班", "王信息"]
    assert not list((cli.folder / "data").glob("muster.db.*-*"))


async def test_a_backup_tells_of_attachments_that_are_gone_or_changed_and_is_made_all_the_same(
    cli: Cli,
) -> None:
    await fill(cli)
    gone, changed = await keep_photo(cli, b"one"), await keep_photo(cli, b"two")
    folder = cli.folder / "data" / "attachments"
    (folder / gone[:2] / gone).unlink()
    (folder / changed[:2] / changed).write_bytes(b"tow")
    done = cli("backup", "b")
    assert done.code == 1 and gone in done.err and changed in done.err
    assert (cli.folder / "b" / "muster.db").is_file()
    done = cli("verify")
    assert done.code == 1 and gone in done.err and changed in done.err and "2 处" in done.err


async def test_fault_40_verify_names_the_line_of_the_log_that_was_changed(cli: Cli) -> None:
    await fill(cli)
    await keep_photo(cli, b"one")
    database = sqlite3.connect(cli.folder / "data" / "muster.db")
    table = next(
        name
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if "log" in name
    )
    for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        database.execute(f"DROP TRIGGER {trigger}")
    database.execute(f"UPDATE {table} SET actor = 'somebody' WHERE sequence = 1")
    database.commit()
    database.close()
    done = cli("verify")
    assert done.code == 1 and "第 1 行被改过" in done.err and "第 2 行" not in done.err


def spoil_log(cli: Cli, *statements: str) -> None:
    """Change the log behind the desk's back, and put its guards up again."""
    database = sqlite3.connect(cli.folder / "data" / "muster.db")
    guards = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in guards:
        database.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        database.execute(statement)
    for _, sql in guards:
        database.execute(sql)
    database.commit()
    database.close()


@pytest.mark.parametrize("cut", ["sequence > 2", "true"], ids=["cut", "emptied"])
async def test_fault_40_a_log_that_was_cut_short_is_found_by_the_head_told_before(cli: Cli, cut: str) -> None:
    await fill(cli)
    await keep_photo(cli, b"one")
    assert cli("verify").code == 0 and cli("verify").code == 0
    spoil_log(cli, f"DELETE FROM duty_log WHERE {cut}")
    done = cli("verify")
    assert done.code == 1 and "公布过" in done.err


async def test_fault_40_a_log_cut_short_is_found_by_a_backup_s_head_though_the_file_beside_is_gone(
    cli: Cli,
) -> None:
    await fill(cli)
    assert cli("backup", "b").code == 0
    (cli.folder / "data" / "muster.db.heads").unlink()
    spoil_log(cli, "DELETE FROM duty_log WHERE sequence > 1")
    assert cli("verify").code == 0
    (cli.folder / "data" / "muster.db.heads").unlink()
    done = cli("verify", "--backup", "b")
    assert done.code == 1 and "公布过" in done.err
    assert cli("verify", "--backup", "nowhere").code == 1


async def test_fault_40_a_log_without_its_guards_or_an_incident_s_lines_is_not_verified(cli: Cli) -> None:
    await fill(cli)
    async with cli.office() as office, office.door.open() as desk:
        await desk.store.add(incident())
    done = cli("verify")
    assert done.code == 1 and "ZS-20261123-001" in done.err
    database = sqlite3.connect(cli.folder / "data" / "muster.db")
    database.execute("DROP TRIGGER duty_log_refuses_delete")
    database.commit()
    database.close()
    assert "duty_log_refuses_delete" in cli("verify").err


async def test_fault_40_a_line_before_the_first_is_found(cli: Cli) -> None:
    await fill(cli)
    spoil_log(cli, "UPDATE duty_log SET sequence = 0 WHERE sequence = 1")
    assert cli("verify").code == 1


async def test_a_backup_whose_description_is_nonsense_is_no_backup_and_leaves_nothing(cli: Cli) -> None:
    await fill(cli)
    assert cli("backup", "b").code == 0
    manifest = json.loads((cli.folder / "b" / "backup.json").read_text("utf-8"))
    (cli.folder / "b" / "backup.json").write_text(json.dumps({**manifest, "attachments_count": "x"}), "utf-8")
    done = cli("restore", "b")
    assert done.code == 1 and "Traceback" not in done.err
    assert not list((cli.folder / "data").glob("*.restoring"))


async def test_an_interrupted_backup_leaves_nothing_that_looks_like_one(cli: Cli) -> None:
    await fill(cli)
    (cli.folder / "b.part").mkdir()
    (cli.folder / "b.part" / "muster.db").write_bytes(b"half")
    assert cli("restore", "b.part").code == 1
    assert cli("backup", "b").code == 0
    assert not (cli.folder / "b.part").exists()


def night(cli: Cli) -> list[str]:
    return sorted(one.name for one in (cli.folder / "nights").iterdir())


async def test_only_the_newest_backups_are_kept_and_the_last_is_what_a_folder_of_them_restores(
    cli: Cli,
) -> None:
    await fill(cli)
    for name in ("20260101T033000Z", "20260102T033000Z", "by hand"):
        (cli.folder / "nights" / name).mkdir(parents=True)
        (cli.folder / "nights" / name / "backup.json").write_text("{}")
    (cli.folder / "nights" / "20260103T033000Z").mkdir()  # It never became whole.
    assert cli("backup", "nights", "--keep", "2").code == 0
    second, broken, newest, unrelated = night(cli)
    assert (second, broken, unrelated) == ("20260102T033000Z", "20260103T033000Z", "by hand")
    shutil.rmtree(cli.folder / "data")
    done = cli("restore", "nights")
    assert done.code == 0 and newest in done.out and done.err == ""
    assert await names(cli) == ["陈值班", "李带班", "王信息"]


async def test_a_backup_that_lacks_an_attachment_removes_no_earlier_one(cli: Cli) -> None:
    await fill(cli)
    digest = await keep_photo(cli, b"a photo")
    (cli.folder / "nights" / "20260101T033000Z").mkdir(parents=True)
    (cli.folder / "nights" / "20260101T033000Z" / "backup.json").write_text("{}")
    (cli.folder / "data" / "attachments" / digest[:2] / digest).unlink()
    assert cli("backup", "nights", "--keep", "1").code == 1
    assert night(cli)[0] == "20260101T033000Z"


async def test_fault_40_a_restore_names_what_was_lost_or_changed_before_the_backup_was_made(cli: Cli) -> None:
    await fill(cli)
    digest = await keep_photo(cli, b"a photo")
    (cli.folder / "data" / "attachments" / digest[:2] / digest).unlink()
    spoil_log(cli, "UPDATE duty_log SET actor = 'somebody' WHERE sequence = 1")
    assert cli("backup", "b").code == 1
    done = cli("restore", "b")
    assert done.code == 1 and digest in done.err and "第 1 行被改过" in done.err and "2 处" in done.err
    assert await names(cli) == ["陈值班", "李带班", "王信息"]
