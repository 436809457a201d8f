"""A standby that only reads: nothing of the desk stays connected to it, and the promoted one serves at once."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy.dialects.postgresql.psycopg import dialect

from bot.replicas.watch import keep_watch
from bot.store import StoreRefused, StoreUnavailable, schema
from bot.store.ending import transaction
from bot.store.postgres import BEGIN_WRITING, PostgresConnection, conninfo, make_pool, take_seat
from bot.store.server import ServerDatabase
from bot.store.statements import Statements
from roster.model import Officer
from tests.bot.store.samples import officer
from tests.standby import Pair, pair

pytestmark = pytest.mark.postgresql

WATCH_SECONDS = 1.5
SERVES_SECONDS = 10.0


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    """A primary with our schema, and its standby."""
    with pair() as found:
        schema.bring_on(found.url)
        yield found


@pytest.fixture
def standby_url(servers: Pair) -> str:
    """The address of the standby alone."""
    return servers.url_of(1 - servers.first)


async def test_fault_22_a_writer_on_a_standby_is_told_so_and_its_connection_serves_nobody_else(
    standby_url: str,
) -> None:
    driver = await psycopg.AsyncConnection.connect(conninfo(standby_url), autocommit=True)
    statements = Statements(dialect(paramstyle="format"))  # type: ignore[no-untyped-call]  # As in the product.
    with pytest.raises(StoreUnavailable):
        async with transaction(PostgresConnection(driver), statements, BEGIN_WRITING, writes=True) as store:
            await store.add(officer("o1"))
    assert driver.closed


async def test_fault_22_no_pool_keeps_a_connection_to_a_standby(standby_url: str) -> None:
    pool = make_pool(standby_url, 1, {})
    await pool.open()
    try:
        with pytest.raises(psycopg.OperationalError):
            await take_seat(pool)
        assert pool.get_stats().get("pool_available", 0) == 0
    finally:
        await pool.close()
    with pytest.raises(StoreRefused, match="standby"):
        await ServerDatabase(standby_url).start()


async def test_fault_22_nobody_keeps_the_watch_by_a_lock_of_a_standby(
    servers: Pair, standby_url: str
) -> None:
    kept: list[str] = []

    async def act(url: str) -> None:
        kept.append(url)
        await asyncio.Event().wait()

    async def act_there() -> None:
        await act("standby")

    async def act_here() -> None:
        await act("primary")

    watches = [
        asyncio.create_task(keep_watch(standby_url, act_there)),
        asyncio.create_task(keep_watch(servers.url, act_here)),
    ]
    await asyncio.sleep(WATCH_SECONDS)
    for watch in watches:
        watch.cancel()
    await asyncio.gather(*watches, return_exceptions=True)
    assert kept == ["primary"]


async def test_fault_22_what_was_confirmed_is_there_after_a_fail_over_and_the_desk_writes_on(
    servers: Pair,
) -> None:
    database = ServerDatabase(servers.url)
    await database.start()
    confirmed: list[str] = []
    stopping = asyncio.Event()

    async def write(writer: int) -> None:
        number = 0
        while not stopping.is_set():
            name, number = f"o{writer}/{number}", number + 1
            while True:
                try:
                    async with database.begin() as store:
                        await store.add_new(officer(name))
                except StoreUnavailable:
                    await asyncio.sleep(0.05)
                else:
                    confirmed.append(name)
                    break

    async def more(count: int) -> None:
        goal = len(confirmed) + count
        async with asyncio.timeout(SERVES_SECONDS):
            while len(confirmed) < goal:
                await asyncio.sleep(0.01)

    writers = [asyncio.create_task(write(number)) for number in range(5)]
    await more(50)
    await asyncio.to_thread(servers.kill)
    await asyncio.to_thread(servers.promote)
    await more(50)
    stopping.set()
    await asyncio.gather(*writers)
    async with database.read() as store:
        stored = {one.id for one in await store.find(Officer)}
    await database.close()
    assert sorted(stored) == sorted(
        confirmed
    )  # Each was said again until it was confirmed, and is there once.
