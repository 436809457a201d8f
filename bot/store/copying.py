"""Every record of one database copied into another of either kind, and compared one by one."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

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
            await new.add(*page)
            count += len(page)
    assert isinstance(new, SqlStore)
    statement = new.statements.counter()
    for name, value in await _counters(old):
        await new.connection.run(statement.sql, statement.values({"name": name, "value": value}))
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


async def _pages(store: Store, kind: type[Any]) -> AsyncIterator[list[Any]]:
    """Every record of a kind in the order of its key."""
    key = key_of(kind)
    more: dict[str, Any] = {}
    while True:
        page = await store.find(kind, order=(key,), limit=PAGE + len(more), **more)
        page = page[len(more) :]  # The last one of the page before comes again.
        if not page:
            return
        yield page
        more = {f"{key}_from": getattr(page[-1], key)}


async def _counters(store: Store) -> list[tuple[str, int]]:
    assert isinstance(store, SqlStore)
    return [(str(name), int(value)) for name, value in await store.connection.fetch(COUNTERS)]
