"""`move`: an office goes from its SQLite file to PostgreSQL, whole and compared record by record, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import typer

from bot.clock import SystemClock
from bot.commands.terminal import USAGE, Invocation, complain, help_text, invocation, show
from bot.commands.verify import check_attachments
from bot.config.faults import Wrong
from bot.config.rules import a_database
from bot.media import MediaFolder
from bot.queue.guard import AlreadyRunning, only_process
from bot.store.chain import verify_log
from bot.store.criteria import key_of
from bot.store.opening import is_shared, open_database, place_of
from bot.store.sql import Database
from bot.store.tables import TABLES
from bot.store.transaction import SqlStore
from desk.ports import Store

PAGE = 500
SHOWN_MAX = 20
COUNTERS = "SELECT name, value FROM counters ORDER BY name"


def move(
    context: typer.Context,
    to: Annotated[str, typer.Option("--to", metavar="URL", help=help_text("move_to"))],
) -> None:
    """Copy every record into an empty PostgreSQL database; the file stays as it is."""
    call = invocation(context)
    config = call.config
    if config.is_shared or not _is_good(to):
        raise call.stop("move_wrong_way", USAGE)
    if not config.database_path.exists():
        raise call.stop("no_database", path=config.database_path)
    try:
        with only_process(config.database_path, SystemClock()):
            faults = asyncio.run(_move(call, to))
    except AlreadyRunning as running:
        raise call.stop("move_while_running", pid=running.pid or "?") from running
    if faults:
        complain(*faults[:SHOWN_MAX])
        raise call.stop("moved_with_faults", count=len(faults))


def _is_good(url: str) -> bool:
    """Whether it is an address of PostgreSQL as config.toml takes it."""
    try:
        a_database(url)
    except Wrong:
        return False
    return is_shared(url)


async def _move(call: Invocation, to: str) -> list[str]:
    """Copy and compare in one transaction; the sentences about attachments that are not in the folder as promised."""
    source, target = Database(call.config.database.url), open_database(to)
    await source.start()
    try:
        await target.start()
        async with source.read() as old, target.begin() as new:
            count = await _copy(call, old, new, place_of(to))
            await _compare(call, old, new)
            chain = await verify_log(new)
            if chain.faults:
                raise call.stop("move_differs", table="duty_log")
        faults = await check_attachments(call, source.read, MediaFolder(call.config.attachments_path))
    finally:
        await target.close()
        await source.close()
    show(call.say("moved", count=count, place=place_of(to), sequence=chain.sequence, hash=chain.hash))
    return faults


async def _copy(call: Invocation, old: Store, new: Store, place: str) -> int:
    """How many records were copied. Stops when there are some already."""
    for kind in TABLES:
        if await new.count(kind):
            raise call.stop("move_not_empty", place=place)
    count = 0
    for kind in TABLES:
        async for page in _pages(old, kind):
            await new.add(*page)
            count += len(page)
    assert isinstance(new, SqlStore)
    for name, value in await _counters(old):
        await new.connection.run("INSERT INTO counters (name, value) VALUES (%s, %s)", [name, value])
    return count


async def _compare(call: Invocation, old: Store, new: Store) -> None:
    """Stops, and undoes everything, unless each table has the same records."""
    for kind, table in TABLES.items():
        copied = _pages(new, kind)
        async for page in _pages(old, kind):
            if await anext(copied, None) != page:
                raise call.stop("move_differs", table=table.name)
        if await anext(copied, None) is not None:
            raise call.stop("move_differs", table=table.name)
    if await _counters(old) != await _counters(new):
        raise call.stop("move_differs", table="counters")


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
