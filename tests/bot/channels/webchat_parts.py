"""The parts a web chat stands on, small and in memory: a door, its store, and bytes on disk."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from desk.policy import Limits, Policy
from desk.ports import Bell, Clock, Desk, FetchFailed, Stale

_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "_in": lambda value, wanted: value in wanted,
    "_not": lambda value, wanted: bool(value != wanted),
    "_to": lambda value, wanted: bool(value <= wanted),
    "_from": lambda value, wanted: bool(value >= wanted),
    "_has": lambda value, wanted: wanted in value,
}


class MemoryStore:
    """The part of the store's promises that the web chat uses."""

    def __init__(self) -> None:
        self.tables: dict[type[Any], dict[str, Any]] = {}
        self.numbers: dict[str, int] = {}

    async def add(self, *records: Any) -> None:
        for record, new in zip(records, await self.add_new(*records), strict=True):
            assert new, f"{record.id} exists"

    async def add_new(self, *records: Any) -> list[bool]:
        new = [record.id not in self._table(type(record)) for record in records]
        for record, is_new in zip(records, new, strict=True):
            if is_new:
                self._table(type(record))[record.id] = record
        return new

    async def get(self, kind: type[Any], record_id: str) -> Any:
        return self._table(kind).get(record_id)

    async def find(
        self, kind: type[Any], *, order: Sequence[str] = ("id",), limit: int | None = None, **criteria: Any
    ) -> list[Any]:
        found = [record for record in self._table(kind).values() if _matches(record, criteria)]
        for name in reversed(order):
            found.sort(key=lambda record: getattr(record, name.lstrip("-")), reverse=name.startswith("-"))
        return found[:limit]

    async def count(self, kind: type[Any], **criteria: Any) -> int:
        return len(await self.find(kind, **criteria))

    async def change(self, record: Any, **changes: Any) -> Any:
        known = self._table(type(record)).get(record.id)
        if known is None or known.version != record.version:
            raise Stale
        changed = replace(record, version=record.version + 1, **changes)
        self._table(type(record))[record.id] = changed
        return changed

    async def remove(self, kind: type[Any], ids: Sequence[str]) -> None:
        for record_id in ids:
            self._table(kind).pop(record_id, None)

    async def next_sequence(self, name: str) -> int:
        self.numbers[name] = self.numbers.get(name, 0) + 1
        return self.numbers[name]

    async def append_log(self, lines: Sequence[Any]) -> None:
        """The duty log is not looked at here."""

    def _table(self, kind: type[Any]) -> dict[str, Any]:
        return self.tables.setdefault(kind, {})


class WallClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class MemoryDoor:
    """One writer at a time; undone together when the block fails."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.clock: Clock = WallClock()
        calendar: Any = None
        office = "中山市应急办"
        self.policy = Policy(
            office, "Asia/Shanghai", "zh-CN", "ZS", "08:30", (), (), (), (), Limits(), calendar
        )
        self._store = MemoryStore()
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Desk]:
        async with self._turn:
            tables = {kind: dict(rows) for kind, rows in self._store.tables.items()}
            numbers = dict(self._store.numbers)
            queue: Any = None
            desk = Desk(self._store, self.clock.now(), self.policy, queue)
            try:
                yield desk
                await desk.flush()
            except BaseException:
                self._store.tables, self._store.numbers = tables, numbers
                raise
        self.bell.ring()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[MemoryStore]:
        yield self._store


class FolderMedia:
    """Bytes in a folder, by digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    async def keep(self, pieces: AsyncIterator[bytes], bytes_max: int) -> tuple[str, int]:
        content = b""
        async for piece in pieces:
            content += piece
            if len(content) > bytes_max:
                raise FetchFailed("too many bytes", permanent=True)
        digest = hashlib.sha256(content).hexdigest()
        (self._folder / digest).write_bytes(content)
        return digest, len(content)

    def path(self, digest: str) -> str:
        return str(self._folder / digest)


@asynccontextmanager
async def open_door(folder: Path) -> AsyncIterator[MemoryDoor]:
    """A door for one test."""
    yield MemoryDoor()


def open_media(folder: Path) -> FolderMedia:
    """A place for one test's files."""
    return FolderMedia(folder / "media")


def _matches(record: Any, criteria: dict[str, Any]) -> bool:
    return all(_holds(record, name, wanted) for name, wanted in criteria.items())


def _holds(record: Any, name: str, wanted: Any) -> bool:
    if hasattr(record, name):
        return bool(getattr(record, name) == wanted)
    ending = next(ending for ending in _TESTS if name.endswith(ending))
    return _TESTS[ending](getattr(record, name.removesuffix(ending)), wanted)
