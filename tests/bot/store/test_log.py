"""The duty log in the store: chained in order, append-only, undone with its transaction."""

import asyncio
import sqlite3
from dataclasses import replace

import pytest

from bot.store.chain import PAGE, START, Break, ChainFault, verify, verify_log
from bot.store.sql import Database
from desk.ports import LogEntry, Transactions
from incidents.model import LogLine
from tests.bot.store.samples import NOON, entry


async def log_of(database: Transactions) -> list[LogLine]:
    async with database.read() as store:
        return await store.find(LogLine)


async def test_lines_are_chained_in_their_order(database: Transactions) -> None:
    async with database.begin() as store:
        await store.append_log([entry("reported", text="山火"), entry("escalated", 1)])
        await store.append_log([])
        await store.append_log([entry("signed", 2, people=["陈一"])])
    async with database.begin() as store:
        await store.append_log([entry("closed", 3)])
    lines = await log_of(database)
    assert [(line.sequence, line.kind) for line in lines] == [
        (1, "reported"),
        (2, "escalated"),
        (3, "signed"),
        (4, "closed"),
    ]
    assert lines[0].previous == START and lines[2].facts == {"people": ["陈一"]}
    assert verify(lines) == []


async def test_a_line_whose_transaction_is_undone_leaves_no_gap(database: Transactions) -> None:
    async with database.begin() as store:
        await store.append_log([entry("first")])

    async def fail() -> None:
        async with database.begin() as store:
            await store.append_log([entry("undone"), entry("undone")])
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with database.begin() as store:
        await store.append_log([entry("second")])
    lines = await log_of(database)
    assert [line.kind for line in lines] == ["first", "second"]
    assert verify(lines) == []


async def test_many_writers_make_one_chain(database: Transactions) -> None:
    async def write(number: int) -> None:
        async with database.begin() as store:
            await store.append_log([entry(minutes=number, number=number), entry(minutes=number)])

    await asyncio.gather(*(write(number) for number in range(20)))
    lines = await log_of(database)
    assert len(lines) == 40
    assert verify(lines) == []


async def test_dirty_text_is_hashed_as_it_is_stored(database: Transactions) -> None:
    dirty = "a\x00b\ud83d"
    async with database.begin() as store:
        await store.append_log([LogEntry(NOON, dirty, dirty, dirty, {dirty: [dirty, 1e22, -0.0, 2**60]})])
    assert verify(await log_of(database)) == []


async def test_the_whole_log_is_verified_page_by_page(database: Transactions) -> None:
    count = PAGE * 2 + 5
    async with database.begin() as store:
        await store.append_log([entry(number=number) for number in range(count)])
    lines = await log_of(database)
    async with database.read() as store:
        verified = await verify_log(store, {PAGE + 1: lines[PAGE].hash})
        assert (verified.faults, verified.sequence, verified.hash) == ([], count, lines[-1].hash)
        verified = await verify_log(store, {7: "0" * 64, count + 1: "0" * 64})
        assert verified.faults == [ChainFault(7, Break.rewritten), ChainFault(count + 1, Break.missing)]


async def test_the_port_neither_changes_nor_removes_a_line(database: Transactions) -> None:
    async with database.begin() as store:
        await store.append_log([entry()])
        (line,) = await store.find(LogLine)
        with pytest.raises(TypeError, match="append-only"):
            await store.change(line, actor="o9")
        with pytest.raises(TypeError, match="append-only"):
            await store.remove(LogLine, ["1"])
    assert await log_of(database) == [line]


@pytest.mark.parametrize("statement", ["UPDATE duty_log SET actor = 'o9'", "DELETE FROM duty_log"])
async def test_the_database_itself_refuses_to_change_the_log(sqlite: Database, statement: str) -> None:
    async with sqlite.begin() as store:
        await store.append_log([entry(), entry()])
    lines = await log_of(sqlite)
    stranger = sqlite3.connect(sqlite.path, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        stranger.execute(statement)
    stranger.close()
    assert await log_of(sqlite) == lines


async def test_a_line_forged_past_the_guards_is_found(sqlite: Database) -> None:
    async with sqlite.begin() as store:
        await store.append_log([entry(minutes=number) for number in range(5)])
    stranger = sqlite3.connect(sqlite.path, isolation_level=None)
    stranger.execute("DROP TRIGGER duty_log_refuses_update")
    stranger.execute("UPDATE duty_log SET actor = 'o9' WHERE sequence = 3")
    stranger.close()
    lines = await log_of(sqlite)
    assert verify(lines) == [ChainFault(3, Break.changed)]
    assert verify([replace(line, actor="o1") for line in lines]) == []
