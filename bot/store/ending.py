"""All of a transaction or nothing of it, however its block ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

from bot.store.statements import Statements
from bot.store.transaction import Connection, SqlStore
from desk.ports import Store

T = TypeVar("T")


@asynccontextmanager
async def transaction(
    connection: Connection, statements: Statements, begin: str, *, writes: bool
) -> AsyncIterator[Store]:
    """A store on this connection, committed at the end of the block and undone on an exception."""
    store = SqlStore(connection, statements, writes=writes)
    try:
        connection.put_off(begin)
        yield store
        store.end()
        await connection.commit()
    except BaseException:
        store.abandon()
        await connection.rollback()
        raise


async def to_the_end(work: Awaitable[T]) -> T:
    """Lets the work finish even when we are cancelled meanwhile: a COMMIT cut off would spoil the connection."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()  # Seen; the cancellation is what the caller hears.
        raise
