"""Every record of one database copied into another of either kind, and compared one by one, as the rows they are."""

# Both kinds keep equal rows: a column's own type decides what it holds, and only truth values are spelt otherwise.

import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean

from bot.store.criteria import key_of
from bot.store.sqlite import told
from bot.store.tables import TABLES
from bot.store.transaction import SqlStore
from desk.ports import Store

PAGE = 2_000
COUNTERS = "SELECT name, value FROM counters ORDER BY name"


class NotEmpty(Exception):
    """There are records already where the copy should go: nothing is written over."""


class Differs(Exception):
    """A table is not what it was; the argument is its name."""


async def copy_all(old: Store, new: Store) -> int:
    """How many records were copied, all in the transaction of `new`. Raises NotEmpty."""
    await refuse_records(new)
    count = 0
    for kind in TABLES:
        async for page in _pages(old, kind):
            await _sql(new).load(kind, page)
            count += len(page)
    sql = _sql(new)
    statement = sql.statements.counter()
    for name, value in await _counters(old):
        await sql.connection.run(statement.sql, statement.values({"name": name, "value": value}))
    return count


async def refuse_records(store: Store) -> None:
    """Returns when no table has a record. Raises NotEmpty."""
    for kind in TABLES:
        if await store.count(kind):
            raise NotEmpty


async def compare_all(old: Store, new: Store) -> None:
    """Returns when each table has the same records, field by field. Raises Differs."""
    for kind, table in TABLES.items():
        copied = _pages(new, kind)
        async for page in _pages(old, kind):
            if await anext(copied, None) != page:
                raise Differs(table.name)
        if await anext(copied, None) is not None:
            raise Differs(table.name)
    if await _counters(old) != await _counters(new):
        raise Differs("counters")


def counts_of(path: Path) -> dict[str, int]:
    """How many records each table of a database file has; the file is only read. Raises StoreUnavailable."""
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            return {
                table.name: connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]  # noqa: S608  # Our own names.
                for table in TABLES.values()
                if table.name in found
            }
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise told(error) from error


async def _pages(store: Store, kind: type[Any]) -> AsyncIterator[list[tuple[Any, ...]]]:
    """Every row of a kind in the order of its key."""
    key = key_of(kind)
    sql = _sql(store)
    columns = list(TABLES[kind].columns)
    key_at = [column.name for column in columns].index(key)
    truths = [place for place, column in enumerate(columns) if isinstance(column.type, Boolean)]
    more: dict[str, Any] = {}
    while True:
        statement = sql.statements.find(kind, (key,), True, tuple(more))
        values = statement.values({**more, "limit_": PAGE + len(more)})
        rows = await sql.connection.fetch(statement.sql, values)
        page = [
            _told(row, truths) for row in rows[len(more) :]
        ]  # The last one of the page before comes again.
        if not page:
            return
        yield page
        more = {f"{key}_from": page[-1][key_at]}


def _told(row: Sequence[Any], truths: Sequence[int]) -> tuple[Any, ...]:
    if not truths:
        return tuple(row)
    values = list(row)
    for place in truths:
        values[place] = None if values[place] is None else bool(values[place])
    return tuple(values)


async def _counters(store: Store) -> list[tuple[str, int]]:
    return [(str(name), int(value)) for name, value in await _sql(store).connection.fetch(COUNTERS)]


def _sql(store: Store) -> SqlStore:
    if not isinstance(store, SqlStore):
        raise TypeError("Only what is kept in a database can be copied.")
    return store
