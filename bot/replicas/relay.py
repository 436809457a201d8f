"""Rings the bell of every replica when one of them commits, over LISTEN and NOTIFY."""

import asyncio
import logging
import uuid
from collections.abc import Callable

import psycopg

from bot.replicas.watch import pause
from bot.store.postgres import Driver, conninfo
from desk.ports import Bell

log = logging.getLogger(__name__)

NEWS = "muster_news"
GATHER_SECONDS = 0.02  # What is committed within this is told at once.
HEED_SECONDS = 0.1  # However much others commit, we look again no oftener.
AGAIN_SECONDS = 1.0


class SharedBell(Bell):
    """A bell that is also heard by the other replicas."""

    def __init__(self) -> None:
        super().__init__()
        self.rung_here = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody who waits now, here and elsewhere."""
        super().ring()
        self.rung_here.set()

    def ring_here(self) -> None:
        """Somebody elsewhere rang: wake whoever waits here."""
        super().ring()


class Relay:
    """Carries rings between replicas. One that is lost costs a second: everybody looks that often anyway."""

    def __init__(self, url: str, bell: SharedBell, heed: Callable[[], None]) -> None:
        self._url = url
        self._bell = bell
        self._heed = heed
        self._name = uuid.uuid4().hex

    async def run(self) -> None:
        """Tell and listen until cancelled."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._tell())
                    group.create_task(self._listen())
            except* (psycopg.Error, OSError) as errors:
                log.warning("rings of other replicas are not heard just now: %s", errors.exceptions[0])
            await pause(AGAIN_SECONDS)

    async def _tell(self) -> None:
        async with await _connect(self._url) as connection:
            while True:
                await self._bell.rung_here.wait()
                await pause(GATHER_SECONDS)
                self._bell.rung_here.clear()
                await connection.execute("SELECT pg_notify(%s, %s)", (NEWS, self._name))

    async def _listen(self) -> None:
        async with await _connect(self._url) as connection:
            await connection.execute(f"LISTEN {NEWS}")
            self._ring()  # Whatever was missed until now.
            async for news in connection.notifies():
                if news.payload != self._name:
                    self._ring()
                    await pause(HEED_SECONDS)

    def _ring(self) -> None:
        self._bell.ring_here()
        self._heed()


async def _connect(url: str) -> Driver:
    return await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True)
