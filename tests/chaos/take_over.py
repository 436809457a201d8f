"""How long what a dead replica left behind lies there: from the kill until another has taken it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import psycopg

from bot.store.postgres import conninfo

LOOK_SECONDS = 0.1
SETTLE_SECONDS = 0.2  # What the killed one had already asked for is done by then.
NEWEST = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM procrastinate_workers_id_seq"
HELD = """
SELECT jobs.id, jobs.errand FROM jobs JOIN procrastinate_jobs AS errand ON errand.id = jobs.errand
WHERE errand.worker_id = %s
"""
BEATING = (
    "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s)"
)
NOW = "SELECT id, errand, due_at, parked FROM jobs WHERE id = ANY (%s)"


class TakeOvers:
    """Looks into the queue's rows from outside, on a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = conninfo(url)
        self._left: dict[tuple[str, int], float] = {}  # Job and errand of a dead one -> when it was killed.
        self.seconds: list[float] = []

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look again and again inside the block."""
        looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def newest_worker(self) -> int:
        """The number of the worker that enrolled last."""
        [(number,)] = await self._fetch(NEWEST, [])
        return int(number)

    async def killed(self, worker: int, at: float) -> int:
        """It died then (`time.monotonic`); says how many jobs it left behind."""
        await asyncio.sleep(SETTLE_SECONDS)
        held = await self._fetch(HELD, [worker])
        self._left.update(((job_id, errand), at) for job_id, errand in held)
        return len(held)

    async def holds(self, worker: int) -> bool:
        """Whether it works on something just now."""
        return bool(await self._fetch(HELD, [worker]))

    async def beating(self, seconds: float) -> int:
        """How many workers have said within so many seconds that they live."""
        [(count,)] = await self._fetch(BEATING, [seconds])
        return int(count)

    @property
    def left(self) -> int:
        """How many jobs nobody has taken yet."""
        return len(self._left)

    @property
    def p99(self) -> float:
        """So many seconds at most, but for one in a hundred: whoever takes over may be killed as well."""
        found = sorted(self.seconds)
        return found[-(-len(found) * 99 // 100) - 1] if found else 0.0

    def figures(self) -> str:
        """Count, median, p99 and maximum."""
        found = sorted(self.seconds)
        if not found:
            return "nothing was left behind"
        half = found[len(found) // 2]
        return (
            f"{len(found)} jobs taken over, median {half:.1f} s, p99 {self.p99:.1f} s, max {found[-1]:.1f} s"
        )

    async def _look(self) -> None:
        while True:
            if self._left:
                ids = sorted({job_id for job_id, _ in self._left})
                rows = {row[0]: row[1:] for row in await self._fetch(NOW, [ids])}
                now = time.monotonic()
                for (job_id, errand), at in list(self._left.items()):
                    if _is_taken(rows.get(job_id), errand):
                        del self._left[job_id, errand]
                        self.seconds.append(now - at)
            await asyncio.sleep(LOOK_SECONDS)

    async def _fetch(self, query: str, values: list[object]) -> list[tuple]:
        """Again and again while the server restarts."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
                    return await (await connection.execute(query, values)).fetchall()
            except psycopg.OperationalError:
                await asyncio.sleep(LOOK_SECONDS)


def _is_taken(row: tuple | None, errand: int) -> bool:
    """Done, under way elsewhere, or free and not due: it was put again."""
    if row is None:
        return True
    now_on, due_at, parked = row
    if now_on is not None:
        return bool(now_on != errand)
    return bool(parked or datetime.fromisoformat(due_at) > datetime.now(UTC))
