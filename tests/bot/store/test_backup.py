"""The backup: one moment of the database, copied while the desk writes."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.store import StoreUnavailable
from bot.store.chain import verify_log
from bot.store.sql import Database
from desk.model import InboxRow
from incidents.model import LogLine
from tests.bot.store.conftest import url
from tests.bot.store.samples import entry, event


async def write(database: Database, number: int) -> None:
    """One event and its line in the log, together or not at all."""
    async with database.begin() as store:
        await store.add(replace(event(f"t/{number}"), raw=b"x" * 2000))
        await store.append_log([entry(number=number)])


async def heads(database: Database) -> tuple[int, int, str]:
    """How many events and log lines there are, and the head of the sound chain."""
    async with database.read() as store:
        log = await verify_log(store)
        assert log.faults == []
        assert await store.count(LogLine) == log.sequence
        return await store.count(InboxRow), log.sequence, log.hash


async def test_fault_40_a_backup_during_writes_has_the_counts_and_the_chain_head_of_one_moment(
    sqlite: Database, tmp_path: Path
) -> None:
    stop = asyncio.Event()
    written = 0

    async def keep_writing() -> None:
        nonlocal written
        while not stop.is_set():
            await write(sqlite, written)
            written += 1

    for number in range(300):
        await write(sqlite, -1 - number)
    writing = asyncio.create_task(keep_writing())
    copies = []
    for number in range(3):
        folder = tmp_path / f"copy{number}"
        folder.mkdir()
        before = written
        await sqlite.backup(folder / "muster.db")
        copies.append((folder, before, written))
    stop.set()
    await writing
    assert copies[-1][2] > copies[0][1]  # The desk wrote on while it was copied.

    _, _, last = await heads(sqlite)
    for folder, before, after in copies:
        restored = Database(url(folder), auto_migrate=False)
        await restored.start()
        events, lines, head = await heads(restored)
        assert events == lines
        assert 300 + before <= events <= 300 + after + 1
        async with sqlite.read() as store:
            (line,) = await store.find(LogLine, sequence=lines)
        assert line.hash == head
        assert await restored.integrity() == []
        await write(restored, 10**6)  # A restored desk works on.
        assert (await heads(restored))[2] != last
        await restored.close()


async def test_a_backup_of_what_does_not_change_is_the_same(sqlite: Database, tmp_path: Path) -> None:
    for number in range(20):
        await write(sqlite, number)
    (tmp_path / "copy").mkdir()
    await sqlite.backup(tmp_path / "copy" / "muster.db")
    assert (tmp_path / "copy" / "muster.db").stat().st_mode & 0o077 == 0
    restored = Database(url(tmp_path / "copy"))
    await restored.start()
    assert await heads(restored) == await heads(sqlite)
    await restored.close()


async def test_a_backup_goes_over_no_file_and_leaves_none_by_half(sqlite: Database, tmp_path: Path) -> None:
    kept = tmp_path / "last-night.db"
    kept.write_bytes(b"the only good one")
    with pytest.raises(FileExistsError):
        await sqlite.backup(kept)
    assert kept.read_bytes() == b"the only good one"
    with pytest.raises(StoreUnavailable):
        await sqlite.backup(tmp_path / "no such folder" / "copy.db")
    kept.with_name("other.db.part").write_bytes(b"left by a killed backup")
    await sqlite.backup(tmp_path / "other.db")
    assert not list(tmp_path.glob("*.part"))


async def test_integrity_names_what_is_wrong_with_the_file(sqlite: Database) -> None:
    for number in range(200):
        await write(sqlite, number)
    assert await sqlite.integrity() == []
    await sqlite.close()
    content = bytearray(sqlite.path.read_bytes())
    begin = len(content) // 2 // 4096 * 4096
    content[begin : begin + 300] = bytes(300)
    sqlite.path.write_bytes(content)
    assert await sqlite.integrity() != []
    sqlite.path.write_bytes(b"no database at all")
    assert await sqlite.integrity() != []
