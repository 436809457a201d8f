"""PostgreSQL as the store needs it: what was put off goes with the commit, and errors in the store's words."""

import select
from collections.abc import Sequence
from typing import Any, cast

import psycopg
from psycopg import AsyncConnection, AsyncCursor, errors
from psycopg import sql as sql_words
from psycopg_pool import AsyncConnectionPool

from bot.store import AlreadyStored, StoreRefused, StoreUnavailable, address
from bot.store.ending import to_the_end
from desk.ports import Stale

Driver = AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Driver]

ADDRESS = (
    "database.url is not an address that PostgreSQL takes. Write it as "
    "postgresql+psycopg://user@host1:5432,host2:5432/database, with parameters of libpq after a question mark."
)
CONNECT_SECONDS = 4  # Platforms give us five for an answer.
HOST_SECONDS_LEAST = 2  # Libpq knows no less.
SEAT_SECONDS = 4.0
# Then a pool lets a place go that it cannot fill, and tries anew for whoever asks next. Were it longer, its pauses
# would grow to minutes in which a server that is back goes unnoticed.
RECONNECT_SECONDS = 2.0
IDLE_SECONDS = 10  # A writer that is frozen in mid-work loses its transaction and its locks then.
LOCK_SECONDS = 12  # Longer, so that whoever waits for a frozen writer comes next.
BEGIN_WRITING = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"
BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# A server that is gone without a word is noticed within ten seconds or so, and so are we by it.
SETTINGS = {
    "client_encoding": "UTF8",
    "synchronous_commit": "on",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
KEEPALIVES: dict[str, str | int] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "muster",
}
# Connection lost, transaction no longer possible, out of resources, wrong moment, stopped, disk trouble.
_UNAVAILABLE = ("08", "25", "53", "55", "57", "58")
# What only another connection cures: the server takes no writes (25006; the BEGIN of a writer says 0A000 on a standby),
# or remembers a plan of before the schema changed (0A000).
_SPENT = (errors.ReadOnlySqlTransaction, errors.FeatureNotSupported)
STANDBY = "it is a standby, which only reads"


def told(error: BaseException) -> BaseException:
    """The error in the store's words; a mistake in our own statements stays what it is."""
    if isinstance(error, errors.UniqueViolation):
        return AlreadyStored(str(error))
    if isinstance(error, errors.SerializationFailure | errors.DeadlockDetected):
        return Stale(str(error))
    if not isinstance(error, psycopg.Error):
        return error
    state = error.sqlstate or ""
    is_cut_off = not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    if is_cut_off or isinstance(error, _SPENT) or state[:2] in _UNAVAILABLE:
        return StoreUnavailable(f"The database cannot serve: {' '.join(str(error).split())}.")
    return error


def conninfo(url: str) -> str:
    """What libpq needs to know of an address postgresql+psycopg://…; its password is in it."""
    try:
        found = address.read(url)
        # One after the other: a host that is gone without a word must not use up the time of the one that serves.
        each = max(HOST_SECONDS_LEAST, CONNECT_SECONDS // len(found.hosts))
        return psycopg.conninfo.make_conninfo(
            found.plain, **found.parameters, **KEEPALIVES, connect_timeout=each
        )
    except (address.BadAddress, psycopg.ProgrammingError) as error:
        raise StoreRefused(ADDRESS) from error


def shown(url: str) -> str:
    """The address without its password."""
    return address.read(url).shown


class PostgresConnection:
    """One open connection; every awaited call takes along what was put off, the commit in one round trip.

    Not so before the commit: after a pipeline the server often forgets that a session idles in its transaction
    (PostgreSQL 18 with libpq 18), and a frozen writer would keep its locks."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._put_off: list[tuple[str, Sequence[Sequence[Any]]]] = []
        self._has_begun = False
        self._is_spent = False  # It must not serve another.

    def put_off(self, sql: str, rows: Sequence[Sequence[Any]] = ((),)) -> None:
        """Run a statement for each row of values together with the next call; its errors are raised there."""
        self._put_off.append((sql, rows))

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """All rows."""
        cursor = await self._trip(sql, [values])
        return cast(list[Sequence[Any]], await cursor.fetchall())

    async def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """How many rows were touched."""
        return (await self._trip(sql, [values])).rowcount

    async def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """How many rows were touched in all."""
        return (await self._trip(sql, rows)).rowcount

    async def load(self, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Many new rows of a table at once, by COPY: no statement for each."""
        columns = sql_words.SQL(", ").join(sql_words.Identifier(name) for name in names)
        copying = sql_words.SQL("COPY {} ({}) FROM STDIN").format(sql_words.Identifier(table), columns)
        before, self._put_off, self._has_begun = self._put_off, [], True
        try:
            for put_off, values in before:
                await _send(self.driver, put_off, values)
            async with self.driver.cursor() as cursor, cursor.copy(copying) as copy:
                for row in rows:
                    await copy.write_row(row)
        except psycopg.Error as error:
            raise self._told(error) from error

    async def commit(self) -> None:
        """Returns when the transaction is on disk."""
        await to_the_end(self._commit())

    async def rollback(self) -> None:
        """Undoes the open transaction, if there is one; a connection that cannot even do that is closed."""
        await to_the_end(self._rollback())

    async def _commit(self) -> None:
        if not self._has_begun and len(self._put_off) == 1:  # BEGIN alone need not even be sent.
            return
        put_off, self._put_off = self._put_off, []
        try:
            async with self.driver.pipeline():
                for sql, rows in put_off:
                    await _send(self.driver, sql, rows)
                await _send(self.driver, "COMMIT", [()])
        except psycopg.Error as error:
            raise self._told(error) from error

    async def _rollback(self) -> None:
        self._put_off.clear()
        if self._is_spent:
            await self.driver.close()
        if self.driver.closed or self.driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            return
        try:
            await self.driver.execute("ROLLBACK")
        except psycopg.Error:
            await self.driver.close()

    def _told(self, error: psycopg.Error) -> BaseException:
        self._is_spent = self._is_spent or isinstance(error, _SPENT)
        return told(error)

    async def _trip(self, sql: str, rows: Sequence[Sequence[Any]]) -> AsyncCursor[tuple[Any, ...]]:
        before, self._put_off, self._has_begun = self._put_off, [], True
        try:
            for put_off, values in before:
                await _send(self.driver, put_off, values)
            return await _send(self.driver, sql, rows)
        except psycopg.Error as error:
            raise self._told(error) from error


async def _send(driver: Driver, sql: str, rows: Sequence[Sequence[Any]]) -> AsyncCursor[tuple[Any, ...]]:
    cursor = driver.cursor()
    if len(rows) == 1:  # Also what is no INSERT, such as BEGIN.
        return await cursor.execute(sql, rows[0] or None)
    await cursor.executemany(sql, rows)
    return cursor


def make_pool(url: str, size: int, settings: dict[str, str]) -> Pool:
    """A pool that is not open yet, whose connections have these settings and no transaction of their own."""

    async def set_up(driver: Driver) -> None:
        await driver.set_autocommit(True)
        each = ", ".join(["set_config(%s, %s, false)"] * len(settings))
        pairs = [word for pair in settings.items() for word in pair]
        await driver.execute(f"SELECT {each}", pairs)
        await refuse_standby(driver)

    return AsyncConnectionPool(
        conninfo(url),
        min_size=size,
        max_size=size,
        open=False,
        configure=set_up,
        timeout=SEAT_SECONDS,
        reconnect_timeout=RECONNECT_SECONDS,
    )


async def refuse_standby(driver: Driver) -> None:
    """Hangs up on a server that only reads: its records are of before. Raises OperationalError."""
    row = await (await driver.execute("SELECT pg_is_in_recovery()")).fetchone()
    await driver.rollback()  # A driver that does not commit by itself began a transaction.
    if row is None or row[0]:
        await driver.close()
        raise psycopg.OperationalError(STANDBY)


async def take_seat(pool: Pool) -> Driver:
    """A connection that was alive a moment ago; those the server cut while they lay in the pool are made anew."""
    for _ in range(pool.max_size + 1):
        driver = await pool.getconn()
        watch = select.poll()
        watch.register(driver.fileno(), select.POLLIN)
        if not watch.poll(0):
            return driver
        # Nobody asked anything, so what came is the server's last word: noticed without a round trip.
        await driver.close()
        await pool.putconn(driver)
    raise psycopg.OperationalError("the server hangs up")
