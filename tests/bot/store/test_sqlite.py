"""SQLite in trouble: locked, full, cut off, moved away; it says so, keeps what it confirmed and recovers alone."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.store import StoreUnavailable
from bot.store.sql import Database
from bot.store.transaction import SqlStore
from desk.model import InboxRow
from desk.ports import Store
from roster.model import Officer
from tests.bot.store.conftest import url
from tests.bot.store.samples import entry, event, officer


async def write(database: Database, *records: Any) -> None:
    async with database.begin() as store:
        await store.add(*records)


async def ids(database: Database) -> list[str]:
    async with database.read() as store:
        return [one.id for one in await store.find(Officer)]


async def ask(store: Store, sql: str) -> Any:
    """The first column of what a statement says on the connection of this transaction."""
    assert isinstance(store, SqlStore)
    return (await store.connection.fetch(sql))[0][0]


async def test_p1_what_is_committed_is_flushed_to_the_disk(sqlite: Database) -> None:
    async with sqlite.begin() as store:
        assert await ask(store, "PRAGMA synchronous") == 2  # FULL
        assert await ask(store, "PRAGMA journal_mode") == "wal"
        assert await ask(store, "PRAGMA foreign_keys") == 1
    async with sqlite.read() as store:
        assert await ask(store, "PRAGMA query_only") == 1


KILLED = """
import asyncio, os, signal, sys
from bot.store.sql import Database
from tests.bot.store.samples import event

async def main():
    database = Database(sys.argv[1])
    await database.start()
    for number in range(100_000):
        async with database.begin() as store:
            await store.add(event(f"t/{number:06}/a"))
            await store.add(event(f"t/{number:06}/b"))
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("confirmed", [1, 7, 40, 150])
async def test_p1_a_killed_process_has_kept_everything_it_confirmed(tmp_path: Path, confirmed: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, url(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    last = -1
    for line in process.stdout:
        last = int(line)
        if last + 1 == confirmed:
            process.kill()
    process.wait()
    assert last + 1 >= confirmed
    database = Database(url(tmp_path))
    await database.start()
    async with database.read() as store:
        stored = [one.id for one in await store.find(InboxRow)]
    assert await database.integrity() == []
    await database.close()
    # One more may have been committed and not told; none is there by half.
    assert len(stored) in (2 * (last + 1), 2 * (last + 2))
    assert stored == [f"t/{number:06}/{part}" for number in range(len(stored) // 2) for part in "ab"]


async def test_fault_21_a_database_locked_by_another_process_is_unavailable_and_recovers_alone(
    sqlite: Database,
) -> None:
    await write(sqlite, officer("o1"))
    with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        started = asyncio.get_running_loop().time()
        with pytest.raises(StoreUnavailable, match="locked"):
            await write(sqlite, officer("o2"))
        assert (
            1 < asyncio.get_running_loop().time() - started < 4.5
        )  # Before a platform's five seconds are over.
        assert await ids(sqlite) == ["o1"]
        stranger.execute("ROLLBACK")
    await write(sqlite, officer("o3"))
    assert await ids(sqlite) == ["o1", "o3"]


async def test_fault_21_a_short_lock_is_waited_for_and_the_loop_goes_on(sqlite: Database) -> None:
    with closing(sqlite3.connect(sqlite.path, isolation_level=None, check_same_thread=False)) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(write(sqlite, officer("o1")))
        for _ in range(50):
            assert await ids(sqlite) == []
        assert not writing.done()
        stranger.execute("ROLLBACK")
        await writing
    assert await ids(sqlite) == ["o1"]


async def test_fault_23_a_full_disk_is_unavailable_reads_work_and_it_resumes(sqlite: Database) -> None:
    stored = 0
    async with sqlite.begin() as store:
        pages = await ask(store, "PRAGMA page_count")
        await ask(store, f"PRAGMA max_page_count = {pages + 30}")

    async def fill() -> None:
        nonlocal stored
        while True:
            await write(sqlite, *(officer(f"o{stored + number:06}", "名" * 500) for number in range(5)))
            stored += 5

    with pytest.raises(StoreUnavailable, match="full"):
        await fill()
    assert stored > 0
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await write(sqlite, *(officer(f"late{number}", "名" * 500) for number in range(50)))
        assert len(await ids(sqlite)) == stored
    async with sqlite.begin() as store:
        await ask(store, "PRAGMA max_page_count = 1000000")
    await write(sqlite, *(officer(f"late{number}", "名" * 500) for number in range(50)))
    assert len(await ids(sqlite)) == stored + 50
    assert await sqlite.integrity() == []


async def test_fault_23_a_full_disk_swallowed_by_a_caller_still_fails_the_transaction(
    sqlite: Database,
) -> None:
    async with sqlite.begin() as store:
        await ask(store, f"PRAGMA max_page_count = {await ask(store, 'PRAGMA page_count')}")

    async def swallow() -> None:
        async with sqlite.begin() as store:
            await store.append_log([entry()])
            try:
                await store.add(*(officer(f"o{number}", "名" * 500) for number in range(500)))
            except StoreUnavailable:
                await store.add(officer("after"))

    with pytest.raises(StoreUnavailable):
        await swallow()
    assert await ids(sqlite) == []
    async with sqlite.begin() as store:
        await ask(store, "PRAGMA max_page_count = 1000000")
        await store.append_log([entry()])


async def test_a_statement_cut_off_by_a_time_limit_spoils_its_transaction(sqlite: Database) -> None:
    """Nobody can know whether the statement was carried out: going on would guess."""

    async def cut_off() -> None:
        async with sqlite.begin() as store:
            adding = asyncio.create_task(store.add(officer("o1")))
            await asyncio.sleep(0)
            adding.cancel()
            await asyncio.wait([adding])
            assert adding.cancelled()
            with pytest.raises(StoreUnavailable, match="cut off"):
                await store.count(Officer)

    with pytest.raises(StoreUnavailable, match="cut off"):
        await cut_off()
    await write(sqlite, officer("o2"))
    assert await ids(sqlite) == ["o2"]


async def test_a_cancelled_commit_is_finished_before_the_next_writer_begins(sqlite: Database) -> None:
    """COMMIT is not cut off: the task hears of its cancellation when the transaction has ended, whole."""
    for number in range(40):
        task = asyncio.create_task(write(sqlite, officer(f"o{number:02}")))
        for _ in range(number):
            await asyncio.sleep(0)
        task.cancel()
        task.cancel()
        await asyncio.wait([task])
        await write(sqlite, officer(f"next{number:02}"))
    stored = await ids(sqlite)
    assert [one for one in stored if one.startswith("next")] == [f"next{number:02}" for number in range(40)]


async def test_a_file_that_was_moved_away_takes_no_more_writes(sqlite: Database, tmp_path: Path) -> None:
    """Writes to a file without a name would be confirmed and lost."""
    await write(sqlite, officer("o1"))
    sqlite.path.rename(tmp_path / "moved.db")
    with pytest.raises(StoreUnavailable, match="moved"):
        await write(sqlite, officer("o2"))
    (tmp_path / "moved.db").rename(sqlite.path)
    await write(sqlite, officer("o3"))
    assert await ids(sqlite) == ["o1", "o3"]


async def test_a_closed_database_is_unavailable(tmp_path: Path) -> None:
    database = Database(url(tmp_path))
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="closed"):
            await write(database, officer("o1"))
        with pytest.raises(StoreUnavailable, match="closed"):
            await ids(database)
        await database.start()
        await database.close()
        await database.close()


async def test_closing_waits_for_open_transactions_and_leaves_one_whole_file(tmp_path: Path) -> None:
    database = Database(url(tmp_path))
    await database.start()
    await write(database, officer("o1"))
    async with database.begin() as writer, database.read() as view:
        closing_it = asyncio.create_task(database.close())
        await asyncio.sleep(0)
        await writer.add(officer("o2"))
        assert [one.id for one in await view.find(Officer)] == ["o1"]
        assert not closing_it.done()
    await closing_it
    assert sorted(path.name for path in tmp_path.iterdir()) == ["muster.db"]
    await database.start()
    assert await ids(database) == ["o1", "o2"]
    await database.close()


async def test_more_readers_than_connections_take_turns(sqlite: Database) -> None:
    await write(sqlite, officer("o1"))
    assert await asyncio.gather(*(ids(sqlite) for _ in range(60))) == [["o1"]] * 60


async def test_two_processes_may_write_to_one_file(sqlite: Database) -> None:
    """The command line beside the running desk."""
    other = Database(sqlite.url)
    await other.start()

    async def write_many(database: Database, name: str) -> None:
        for number in range(20):
            async with database.begin() as store:
                await store.add(event(f"{name}/{number}"))
                await store.append_log([entry(name=name)])
                await store.next_sequence("reports")

    await asyncio.gather(write_many(sqlite, "a"), write_many(other, "b"))
    async with sqlite.begin() as store:
        assert await store.count(InboxRow) == 40
        assert await store.next_sequence("reports") == 41
    await other.close()
