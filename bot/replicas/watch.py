"""The watch that only one replica keeps at a time: it receives, and goes through the timetables."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg

from bot.store.postgres import CONNECT_SECONDS, STANDBY, Driver, conninfo

log = logging.getLogger(__name__)

ASK_SECONDS = 1.0  # How often whoever waits asks for the watch, and the keeper says that it lives.
ANSWER_SECONDS = (
    4.0  # With ASK_SECONDS less than SILENT_SECONDS_MAX: the old keeper ends before the next begins.
)
# The server ends the session of a keeper that is silent for so long, and with it the lock: frozen is as good as dead.
SILENT_SECONDS_MAX = 8
WATCH_LOCK = 0x4D535457


async def keep_watch(url: str, act: Callable[[], Awaitable[None]]) -> None:
    """Act while this replica keeps the watch, until cancelled; it is taken again when it was lost."""
    while True:
        try:
            async with _session(url) as session:
                await _wait_for_it(session)
                log.info("this replica keeps the watch")
                await _act_while_kept(session, act)
        except (psycopg.Error, TimeoutError, OSError) as error:
            log.warning("the watch is not kept here: %s", error)
        await pause(ASK_SECONDS)


@contextlib.asynccontextmanager
async def _session(url: str) -> AsyncIterator[Driver]:
    async with asyncio.timeout(CONNECT_SECONDS + ANSWER_SECONDS):
        session = await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True)
    try:
        if await _ask(session, "SELECT pg_is_in_recovery()"):  # Its locks are no locks of the primary's.
            raise psycopg.OperationalError(STANDBY)
        await _ask(session, f"SET idle_session_timeout = '{SILENT_SECONDS_MAX}s'")
        yield session
    finally:
        await session.close()


async def _wait_for_it(session: Driver) -> None:
    while not await _ask(session, f"SELECT pg_try_advisory_lock({WATCH_LOCK})"):
        await pause(ASK_SECONDS)


async def _act_while_kept(session: Driver, act: Callable[[], Awaitable[None]]) -> None:
    """Nothing of the act goes on once the server no longer answers this session."""
    acting = asyncio.ensure_future(act())
    try:
        while not acting.done():
            await asyncio.wait([acting], timeout=ASK_SECONDS)
            await _ask(session, "SELECT true")
        await acting
    finally:
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)


async def _ask(session: Driver, question: str) -> bool:
    """The server's answer. Raises TimeoutError in time, whatever becomes of the question.

    Cancelled, psycopg first asks the server to stop, for up to ten seconds: over a dead line nobody may wait for that,
    because the server gives the watch to another long before."""
    asking = asyncio.ensure_future(_answer(session, question))
    try:
        done, _ = await asyncio.wait([asking], timeout=ANSWER_SECONDS)
    finally:
        if not asking.done():
            asking.add_done_callback(_forget)
            asking.cancel()
    if not done:
        raise TimeoutError(f"the database did not answer within {ANSWER_SECONDS} s")
    return asking.result()


async def _answer(session: Driver, question: str) -> bool:
    cursor = await session.execute(question)
    row = await cursor.fetchone() if cursor.description else None
    return bool(row and row[0])


def _forget(asked: "asyncio.Future[bool]") -> None:
    """Its session is closed: how the question ended is of no account."""
    if not asked.cancelled():
        asked.exception()


async def pause(seconds: float) -> None:
    """Wait so long, where nothing else is to be waited for."""
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)
