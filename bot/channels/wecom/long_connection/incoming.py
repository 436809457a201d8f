"""Frames on their way to the disk: in order, many in one commit, and none forgotten while the store is ill."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.channels.troubles import Troubles, pause
from bot.channels.wecom.long_connection.settings import LinePace

log = logging.getLogger(__name__)

WAITING_MAX = 2_000  # Beyond this nothing more is read, and the vendor keeps it on the wire.
TOGETHER_MAX = 200


@dataclass(frozen=True)
class Waiting:
    """One event that is not on disk yet."""

    event_id: str
    sender: str
    raw: bytes


class Incoming:
    """Takes events from the line and stores them; the vendor brings each once, so a failed one is tried until kept."""

    def __init__(
        self,
        take: Callable[[str, str, bytes], Awaitable[None]],
        troubles: Troubles,
        pace: LinePace,
        words: str,
    ) -> None:
        self._take = take
        self._troubles = troubles
        self._pace = pace
        self._words = words
        self._waiting: deque[tuple[Waiting, asyncio.Future[None]]] = deque()
        self._came = asyncio.Event()
        self._stored = asyncio.Event()
        self._is_over = False

    async def put(self, event: Waiting) -> asyncio.Future[None]:
        """Hand an event over; the future is done when it is on disk. Waits while too many wait."""
        while len(self._waiting) >= WAITING_MAX and not self._is_over:
            self._stored.clear()
            await self._stored.wait()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, done))
        self._came.set()
        return done

    async def run(self) -> None:
        """Store until `end`, and then what is left."""
        failures = 0
        while self._waiting or not self._is_over:
            if not self._waiting:
                self._came.clear()
                await self._came.wait()
                continue
            failures = 0 if await self._store_some() else failures + 1
            if failures:
                await self._troubles.begin("store", self._words)
                await pause(self._pace.back_off(failures))
            else:
                await self._troubles.end("store")

    def end(self) -> None:
        """Nothing more comes: `run` returns when all is stored."""
        self._is_over = True
        self._came.set()
        self._stored.set()

    async def _store_some(self) -> bool:
        """Store what waits, at most so many; those that failed come first the next time."""
        some = [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER_MAX))]
        takes = (self._take(event.event_id, event.sender, event.raw) for event, _ in some)
        results = await asyncio.gather(*takes, return_exceptions=True)
        failed = []
        for one, result in zip(some, results, strict=True):
            if isinstance(result, BaseException):
                failed.append(one)
            elif not one[1].done():
                one[1].set_result(None)
        self._waiting.extendleft(reversed(failed))
        if failed:
            log.error("wecom: %d events could not be stored yet: %s", len(failed), _first(results))
        self._stored.set()
        return not failed


def _first(results: list[BaseException | None]) -> str:
    return next(type(one).__name__ for one in results if isinstance(one, BaseException))
