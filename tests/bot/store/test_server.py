"""Several writers on PostgreSQL at a time: what one writer at a time made sure of holds still."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest
from sqlalchemy import create_engine

from bot.store import AlreadyStored, StoreRefused, StoreUnavailable, schema
from bot.store.chain import verify
from bot.store.migrations import head
from bot.store.server import ServerDatabase
from bot.store.statements import LOG_TURN
from bot.store.tables import metadata
from bot.store.transaction import SqlStore
from desk.model import Bucket, Setting
from desk.ports import Stale, Store
from incidents.model import LogLine
from roster.model import Officer, RollCall
from tests.bot.store.samples import NOON, entry, officer, roll_call
from tests.postgresql import Server

pytestmark = pytest.mark.postgresql


async def ask(store: Store, sql: str) -> object:
    """The first column of what a statement says on the connection of this transaction."""
    assert isinstance(store, SqlStore)
    return (await store.connection.fetch(sql))[0][0]


@pytest.fixture
async def other(shared: ServerDatabase) -> AsyncIterator[ServerDatabase]:
    """The same database as another replica has it."""
    opened = ServerDatabase(shared.url)
    await opened.start()
    yield opened
    await opened.close()


async def test_p1_what_is_committed_is_flushed_to_the_servers_disk(shared: ServerDatabase) -> None:
    async with shared.begin() as store:
        assert await ask(store, "SHOW synchronous_commit") == "on"


async def test_writers_do_not_wait_for_each_other(shared: ServerDatabase) -> None:
    async with shared.begin() as first:
        await first.add(officer("o1"))
        async with asyncio.timeout(5):
            await in_a_task(lambda: write(shared, "o2"))
    async with shared.read() as store:
        assert await store.count(Officer) == 2


async def write(database: ServerDatabase, officer_id: str) -> None:
    async with database.begin() as store:
        await store.add(officer(officer_id))


async def in_a_task(act: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await act()

    await asyncio.create_task(run())


async def test_of_two_who_changed_the_same_record_the_later_is_stale(
    shared: ServerDatabase, other: ServerDatabase
) -> None:
    await write(shared, "o1")

    async def rename(database: ServerDatabase, name: str, both: asyncio.Barrier) -> str:
        try:
            async with database.begin() as store:
                found = await store.get(Officer, "o1")
                assert found is not None
                await both.wait()
                await store.change(found, name=name)
        except Stale:
            return "stale"
        return name

    both = asyncio.Barrier(2)
    said = await asyncio.gather(rename(shared, "李二", both), rename(other, "赵三", both))
    assert sorted(said, key=lambda one: one == "stale")[1] == "stale"
    async with shared.read() as store:
        (found,) = await store.find(Officer)
    assert (found.name, found.version) == (min(said, key=lambda one: one == "stale"), 2)


async def test_one_roll_call_per_slot_whoever_calls_it(shared: ServerDatabase, other: ServerDatabase) -> None:
    async def call(database: ServerDatabase, number: int) -> bool:
        async with database.begin() as store:
            (is_new,) = await store.add_new(roll_call(f"r{number}", "08:00"))
            await asyncio.sleep(0.01)
            return is_new

    said = await asyncio.gather(*(call((shared, other)[n % 2], n) for n in range(10)))
    assert sorted(said) == [False] * 9 + [True]
    async with shared.read() as store:
        assert await store.count(RollCall) == 1


async def test_who_adds_what_another_is_just_adding_hears_that_it_was_slower(
    shared: ServerDatabase, other: ServerDatabase
) -> None:
    async with shared.begin() as first:
        await first.add(officer("o1"))
        late = asyncio.create_task(write(other, "o1"))
        await asyncio.sleep(0.05)
        assert not late.done()
    with pytest.raises(AlreadyStored):
        await late
    assert issubclass(AlreadyStored, Stale)  # Whoever can decide again does so.


async def test_many_writers_of_many_replicas_make_one_chain_and_gapless_numbers(
    shared: ServerDatabase, other: ServerDatabase
) -> None:
    async def report(database: ServerDatabase, number: int) -> int:
        async with database.begin() as store:
            given = await store.next_sequence("reports")
            await store.add_later(officer(f"o{number}"))
            await store.append_log([entry(number=number), entry(minutes=number)])
            if number % 5 == 0:
                raise LookupError
            return given

    given = await asyncio.gather(
        *(report((shared, other)[n % 2], n) for n in range(60)), return_exceptions=True
    )
    numbers = sorted(one for one in given if isinstance(one, int))
    assert numbers == list(range(1, 49))
    async with shared.read() as store:
        lines = await store.find(LogLine)
    assert len(lines) == 96
    assert verify(lines) == []


async def test_two_who_wait_for_each_other_are_told_and_one_goes_on(shared: ServerDatabase) -> None:
    async with shared.begin() as store:
        await store.add(officer("o1"), officer("o2"))
    both = asyncio.Barrier(2)

    async def change(first: str, second: str) -> str:
        try:
            async with shared.begin() as store:
                await store.change(officer(first), name="李二")
                await both.wait()
                await store.change(officer(second), name="赵三")
        except Stale:
            return "stale"
        return "done"

    assert sorted(await asyncio.gather(change("o1", "o2"), change("o2", "o1"))) == ["done", "stale"]


async def test_what_is_held_is_changed_by_nobody_else_meanwhile(
    shared: ServerDatabase, other: ServerDatabase
) -> None:
    async with shared.begin() as store:
        await store.add(Bucket("telegram", NOON), Setting("x", "0"))

    async def count_up(database: ServerDatabase) -> None:
        async with database.begin() as store:
            (bucket,) = await store.hold(Bucket, ["telegram", "unknown"])
            (setting,) = await store.hold(Setting, ["x"])
            await asyncio.sleep(0)
            await store.change(bucket, next_at=NOON)
            await store.change(setting, value=str(int(setting.value) + 1))

    await asyncio.gather(*(count_up((shared, other)[n % 2]) for n in range(20)))
    async with shared.read() as store:
        found = await store.get(Setting, "x")
    assert found is not None and found.value == "20"


@pytest.mark.parametrize(
    "statement", ["UPDATE duty_log SET actor = 'o9'", "DELETE FROM duty_log", "TRUNCATE duty_log"]
)
async def test_the_server_itself_refuses_to_change_the_log(shared: ServerDatabase, statement: str) -> None:
    async with shared.begin() as store:
        await store.append_log([entry(), entry()])
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        await run(shared, statement)
    async with shared.read() as store:
        assert await store.count(LogLine) == 2


async def test_a_writer_that_is_frozen_loses_its_transaction_and_its_locks(
    shared: ServerDatabase, other: ServerDatabase
) -> None:
    async def freeze() -> None:
        async with shared.begin() as frozen:
            assert isinstance(frozen, SqlStore)
            await ask(frozen, "SELECT set_config('idle_in_transaction_session_timeout', '300ms', true)")
            await frozen.append_log([entry()])
            await frozen.count(LogLine)
            async with asyncio.timeout(10):
                await in_a_task(lambda: append(other))
            await frozen.count(LogLine)

    with pytest.raises(StoreUnavailable):
        await freeze()
    async with shared.read() as store:
        assert await store.count(LogLine) == 1
    await append(shared)


async def append(database: ServerDatabase) -> None:
    async with database.begin() as store:
        await store.append_log([entry()])


async def test_a_lock_that_is_never_given_up_is_not_waited_for_for_ever(shared: ServerDatabase) -> None:
    async with shared.begin() as first:
        await first.append_log([entry()])

        async def impatient() -> None:
            async with shared.begin() as store:
                assert isinstance(store, SqlStore)
                await store.connection.fetch("SELECT set_config('lock_timeout', '100ms', true)")
                await store.connection.fetch(f"SELECT pg_advisory_xact_lock({LOG_TURN})")

        await first.count(LogLine)
        with pytest.raises(StoreUnavailable):
            await in_a_task(impatient)


async def test_fault_22_connections_the_server_cut_are_made_anew(shared: ServerDatabase) -> None:
    await write(shared, "o1")
    async with shared.begin() as store:
        await ask(
            store,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    await asyncio.sleep(0.1)
    await asyncio.gather(*(write(shared, f"p{number}") for number in range(12)))
    async with shared.read() as view:
        assert await view.count(Officer) == 13


async def run(database: ServerDatabase, statement: str) -> None:
    async with database.begin() as store:
        assert isinstance(store, SqlStore)
        await store.connection.run(statement)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "newer program"),
        ("ALTER TABLE officers RENAME name TO title_", "unreleased"),
        ("DROP TABLE alembic_version", "not this desk's"),
    ],
)
async def test_a_database_that_is_not_ours_to_use_is_refused(
    postgresql: Server, spoil: str, reason: str
) -> None:
    with postgresql.empty() as url:
        await schema.upgrade(url)
        database = ServerDatabase(url)
        await database.start()
        await run(database, spoil)
        await database.close()
        with pytest.raises(StoreRefused, match=reason):
            await database.start()


async def test_several_that_start_at_once_make_the_schema_once(postgresql: Server) -> None:
    with postgresql.empty() as url:
        assert await schema.current(url) is None
        await asyncio.gather(*(schema.upgrade(url) for _ in range(3)))
        assert await schema.current(url) == head()


async def test_the_revisions_make_exactly_the_tables_on_the_server_too(
    postgresql: Server, postgresql_url: str
) -> None:
    with postgresql.empty() as url:
        engine = create_engine(url)
        metadata.create_all(engine)
        engine.dispose()
        wanted = columns_of(url)
    made = columns_of(postgresql_url)
    ours = {table for table, *_ in wanted}
    extra = {("jobs", "errand"), ("jobs", "again")}  # The queue's own, which no record has.
    assert [row for row in made if row[0] in ours and row[:2] not in extra] == wanted


def columns_of(url: str) -> list[tuple[str, ...]]:
    """Every column of every table, its type, whether it may be empty, its collation."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
        ).fetchall()
