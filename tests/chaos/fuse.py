"""Ports of the desk of which one call, the Nth, fails: refused, done and not told, or the last of its process."""

import errno
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NoReturn

from bot.queue.embedded import EmbeddedQueue
from bot.simulation.life import Life
from bot.simulation.office import QuietQueue
from bot.simulation.platforms import DigestBox, Line, Platform
from bot.store import StoreUnavailable
from bot.store.memory import MemoryDatabase
from desk.model import Card, Job, Outcome, Receipt, RemoteFile, Rendered
from desk.ports import Clock, FetchFailed, Store


class Way(Enum):
    """How the call fails."""

    refused = "refused"  # Nothing of it is done.
    lost = "lost"  # It is done, and its answer is lost.
    killed = "killed"  # It is done, and the process is killed before it hears so.


@dataclass
class Fuse:
    """Lets every call through but one."""

    way: Way
    at: int  # 0 for none.
    kill: Callable[[], None] = lambda: None
    calls: int = 0
    blown: str = ""  # The name of the call that failed.
    names: list[str] = field(default_factory=list)

    def fails(self, name: str, *, is_undone: bool = False) -> bool:
        """One more call of a port; says whether it is the one.

        What a transaction undoes is only refused: a lost answer, or an end, is the same wherever it comes in there."""
        if is_undone and self.way is not Way.refused:
            return False
        self.calls += 1
        self.names.append(name)
        if self.calls == self.at:
            self.blown = name
        return self.calls == self.at


class Ports:
    """What one life of the desk stands on."""

    def __init__(self, fuse: Fuse, life: Life, database: MemoryDatabase, clock: Clock) -> None:
        self.fuse = fuse
        self.life = life
        self.transactions = FailingTransactions(self, database)
        self.queue: EmbeddedQueue = _queue(self, clock)
        self.media = FailingMedia(self)

    def line(self, platform: Platform) -> Line:
        """The platform's channel."""
        return _FailingLine(self, platform)

    def reach(self) -> None:
        """A dead process reaches nothing."""
        if not self.life.is_alive:
            raise Killed

    def die(self) -> NoReturn:
        """End the process here."""
        self.fuse.kill()
        raise Killed


class Killed(BaseException):
    """The process ended in the middle of this."""


class FailingTransactions:
    """The store: each of its calls, the begin and the commit may fail."""

    def __init__(self, ports: Ports, inner: MemoryDatabase) -> None:
        self._ports = ports
        self._inner = inner

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Store]:
        """A writing transaction."""
        ports, fuse = self._ports, self._ports.fuse
        ports.reach()
        if fuse.fails("store.begin"):
            self._fail()
        is_last = False
        async with self._inner.begin() as store:
            proxy: Any = _FailingStore(ports, store)
            yield proxy
            ports.reach()
            is_last = fuse.fails("store.commit")
            if is_last and fuse.way is Way.refused:
                raise StoreUnavailable("the commit was refused")
        if is_last:
            self._fail()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Store]:
        """A reading view."""
        self._ports.reach()
        async with self._inner.read() as store:
            proxy: Any = _FailingStore(self._ports, store)
            yield proxy

    def _fail(self) -> NoReturn:
        if self._ports.fuse.way is Way.killed:
            self._ports.die()
        raise StoreUnavailable("the database does not answer")


class _FailingStore:
    def __init__(self, ports: Ports, inner: Store) -> None:
        self._ports = ports
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        async def reach(*words: Any, **more: Any) -> Any:
            self._ports.reach()
            if self._ports.fuse.fails(f"store.{name}", is_undone=True):
                raise StoreUnavailable("the database does not answer")
            return await call(*words, **more)

        return reach


def _queue(ports: Ports, clock: Clock) -> EmbeddedQueue:
    queue = _FailingQueue(ports.transactions, clock)
    queue.ports = ports
    return queue


class _FailingQueue(QuietQueue):
    ports: Ports

    async def put(self, store: Store, jobs: Sequence[Job]) -> None:
        self._meet("queue.put")
        await super().put(store, jobs)

    async def cancel(self, store: Store, ids: Sequence[str]) -> None:
        self._meet("queue.cancel")
        await super().cancel(store, ids)

    async def done(self, store: Store, jobs: Sequence[Job]) -> None:
        self._meet("queue.done")
        await super().done(store, jobs)

    def _meet(self, name: str) -> None:
        self.ports.reach()
        if self.ports.fuse.fails(name, is_undone=True):
            raise StoreUnavailable("the queue does not answer")


class _FailingLine(Line):
    def __init__(self, ports: Ports, platform: Platform) -> None:
        super().__init__(platform, ports.life)
        self._ports = ports

    async def send(self, message: Rendered, to: Sequence[str], *, key: str) -> list[Receipt]:
        early = self._early("channel.send", len(to))
        if early and self._ports.fuse.way is Way.refused:
            return early
        receipts = await super().send(message, to, key=key)
        return self._late(early, receipts)

    async def amend(self, message: Rendered, cards: Sequence[Card]) -> list[Receipt]:
        early = self._early("channel.amend", len(cards))
        if early and self._ports.fuse.way is Way.refused:
            return early
        receipts = await super().amend(message, cards)
        return self._late(early, receipts)

    def _early(self, name: str, count: int) -> list[Receipt]:
        self._ports.reach()
        if not self._ports.fuse.fails(name):
            return []
        if self._ports.fuse.way is Way.refused:
            return [Receipt(Outcome.not_sent, reason="ConnectError")] * count
        return [Receipt(Outcome.unknown, reason="ReadTimeout")] * count

    def _late(self, instead: list[Receipt], receipts: list[Receipt]) -> list[Receipt]:
        self._ports.reach()
        if instead and self._ports.fuse.way is Way.killed:
            self._ports.die()
        return instead or receipts

    async def settle(self, interaction: str, text: str) -> None:
        self._ports.reach()
        if self._ports.fuse.fails("channel.settle"):
            if self._ports.fuse.way is Way.killed:
                self._ports.die()
            raise ConnectionError("the platform does not answer")

    async def fetch(self, file: RemoteFile) -> AsyncIterator[bytes]:
        self._ports.reach()
        is_last = self._ports.fuse.fails("channel.fetch")
        if is_last and self._ports.fuse.way is Way.refused:
            raise FetchFailed("ConnectError", permanent=False)
        async for piece in super().fetch(file):
            yield piece
        if is_last and self._ports.fuse.way is Way.killed:
            self._ports.die()
        if is_last:
            raise FetchFailed("the line broke", permanent=False)


class FailingMedia(DigestBox):
    """The folder of attachments; what it keeps outlives the process."""

    def __init__(self, ports: Ports) -> None:
        super().__init__()
        self._ports = ports

    async def keep(self, pieces: AsyncIterator[bytes], bytes_max: int) -> tuple[str, int]:
        """Digest and count."""
        self._ports.reach()
        is_last = self._ports.fuse.fails("media.keep")
        if is_last and self._ports.fuse.way is Way.refused:
            raise OSError(errno.ENOSPC, "No space left on device")
        found = await super().keep(pieces, bytes_max)
        if is_last and self._ports.fuse.way is Way.killed:
            self._ports.die()
        if is_last:
            raise OSError(errno.EIO, "Input/output error")
        return found
