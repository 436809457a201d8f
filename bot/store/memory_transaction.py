"""One open transaction in memory: the Store port over plain dictionaries."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy.dialects import sqlite

from bot.store import AlreadyStored
from bot.store.chain import START, link
from bot.store.columns import clean
from bot.store.criteria import given, has_version, key_of, may_change, order_of, parse
from bot.store.statements import Statements
from bot.store.tables import TABLES
from desk.ports import LogEntry, Stale
from incidents.model import LogLine

R = TypeVar("R")
Row = tuple[Any, ...]
Unique = tuple[str, Row]  # An index by its name, and values in it.
Test = Callable[[Row], bool]
_codec = Statements(sqlite.dialect()).codec  # Rows are kept as SQLite would keep them.


@dataclass
class State:
    """Committed rows by kind and key, who holds which unique values, and the counters."""

    rows: dict[type[Any], dict[Any, Row]] = field(default_factory=dict)
    held: dict[Unique, Any] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "State":
        """The same rows in dictionaries of their own."""
        rows = {kind: dict(of_kind) for kind, of_kind in self.rows.items()}
        return State(rows, dict(self.held), dict(self.counters))


class MemoryStore:
    """One transaction: what it wrote lies over the committed rows until it is committed."""

    def __init__(self, state: State, *, writes: bool) -> None:
        self._state = state
        self._writes = writes
        self._ended = False
        self._spoilt: Exception | None = None
        self._written: dict[type[Any], dict[Any, Row | None]] = {}
        self._held: dict[Unique, Any] = {}
        self._counters: dict[str, int] = {}

    def end(self) -> None:
        """Closes the door; raises the error that spoilt the transaction."""
        self._ended = True
        if self._spoilt is not None:
            raise self._spoilt

    def abandon(self) -> None:
        """Closes the door: nothing more may go through."""
        self._ended = True

    async def add(self, *records: Any) -> None:
        """Insert records; AlreadyStored when one is there already."""
        self._check(writes=True)
        rows = [_encoded(record) for record in records]
        for record, row in zip(records, rows, strict=True):
            if not self._insert(type(record), row):
                self._clash(type(record))

    async def add_later(self, *records: Any) -> None:
        """Insert records; here there is nothing to be gained by waiting."""
        await self.add(*records)

    async def add_missing(self, *records: Any) -> None:
        """Insert each record unless it is there already."""
        await self.add_new(*records)

    async def add_new(self, *records: Any) -> list[bool]:
        """Insert each record unless it is there already; says which were new."""
        self._check(writes=True)
        rows = [_encoded(record) for record in records]
        return [self._insert(type(record), row) for record, row in zip(records, rows, strict=True)]

    async def get(self, kind: type[R], /, record_id: str) -> R | None:
        """The record with this id, or None."""
        self._check()
        row = self._row(kind, _codec(kind).encode_one(key_of(kind), record_id))
        return None if row is None else _codec(kind).decode(row)

    async def find(
        self, kind: type[R], /, *, order: Sequence[str] = ("id",), limit: int | None = None, **criteria: Any
    ) -> list[R]:
        """Records that match, in order."""
        self._check()
        codec, found = _codec(kind), self._matching(kind, criteria)
        for part in reversed(order):
            name, downward = order_of(kind, part)
            found.sort(key=_sorts_by(codec.names.index(name)), reverse=downward)
        return [codec.decode(row) for row in found[:limit]]

    async def hold(self, kind: type[R], /, ids: Sequence[str]) -> list[R]:
        """Those of these ids that there are; nobody else changes them before this transaction ends."""
        self._check(writes=True)
        among: dict[str, Any] = {f"{key_of(kind)}_in": list(ids)}
        return await self.find(kind, **among)

    async def count(self, kind: type[Any], /, **criteria: Any) -> int:
        """How many match."""
        self._check()
        return len(self._matching(kind, criteria))

    async def change(self, record: R, **changes: Any) -> R:
        """The record with the changes, written; Stale when somebody else changed it since it was read."""
        self._check(writes=True)
        before: Any = record
        kind = type(record)
        changes, key = may_change(kind, changes), getattr(record, key_of(kind))
        row = self._row(kind, key)
        if has_version(kind):
            if row is None or row[_codec(kind).names.index("version")] != before.version:
                raise Stale(f"{kind.__name__} {key}")
            changes["version"] = before.version + 1
        if row is None:
            raise Stale(f"{kind.__name__} {key}")
        changed: R = replace(before, **changes)
        codec = _codec(kind)
        now = tuple(
            codec.encode_one(name, changes[name]) if name in changes else was
            for name, was in zip(codec.names, row, strict=True)
        )
        self._delete(kind, key)
        if not self._insert(kind, now):
            self._clash(kind)
        return changed

    async def change_all(self, records: Sequence[R], **changes: Any) -> None:
        """Write the same changes into records of one kind; Stale when one of them was changed."""
        await self.change_each([(record, changes) for record in records])

    async def change_each(self, changes: Sequence[tuple[R, Mapping[str, Any]]]) -> list[R]:
        """Write each record's own changes; Stale when one of them was changed."""
        return [await self.change(record, **wanted) for record, wanted in changes]

    async def remove(self, kind: type[Any], /, ids: Sequence[str]) -> None:
        """Delete by id; ids that are gone already are no error."""
        self._check(writes=True)
        may_change(kind, {})
        for key in ids:
            self._delete(kind, key)

    async def next_sequence(self, name: str) -> int:
        """1, 2, 3 … per name, without gaps."""
        self._check(writes=True)
        self._counters[name] = self._counters.get(name, self._state.counters.get(name, 0)) + 1
        return self._counters[name]

    async def append_log(self, lines: Sequence[LogEntry]) -> None:
        """Chain lines to the duty log, in order."""
        self._check(writes=True)
        keys = self._written.get(LogLine) or self._state.rows.get(LogLine) or {}
        last = await self.get(LogLine, max(keys)) if keys else None
        sequence, previous = (last.sequence, last.hash) if last else (0, START)
        for entry in lines:
            line = link(previous, sequence + 1, entry)
            sequence, previous = line.sequence, line.hash
            await self.add(line)

    def commit(self, state: State) -> None:
        """Lays what was written into the state."""
        for kind, written in self._written.items():
            rows = state.rows.setdefault(kind, {})
            for key, row in written.items():
                if row is None:
                    rows.pop(key, None)
                else:
                    rows[key] = row
        for unique, key in self._held.items():
            if key is None:
                state.held.pop(unique, None)
            else:
                state.held[unique] = key
        state.counters.update(self._counters)

    def _check(self, *, writes: bool = False) -> None:
        if self._ended:
            raise RuntimeError("This transaction has ended.")
        if writes and not self._writes:
            raise RuntimeError("A reading view cannot write: open a writing transaction.")
        if self._spoilt is not None:
            raise self._spoilt

    def _clash(self, kind: type[Any]) -> None:
        self._spoilt = AlreadyStored(f"{TABLES[kind].name} has this record already.")
        raise self._spoilt

    def _row(self, kind: type[Any], key: Any) -> Row | None:
        written = self._written.get(kind, {})
        return written[key] if key in written else self._state.rows.get(kind, {}).get(key)

    def _rows(self, kind: type[Any]) -> Iterator[Row]:
        stored, written = self._state.rows.get(kind, {}), self._written.get(kind, {})
        for key, row in stored.items():
            now = written.get(key, row) if written else row
            if now is not None:
                yield now
        for key, new in written.items():
            if new is not None and key not in stored:
                yield new

    def _matching(self, kind: type[Any], criteria: Mapping[str, Any]) -> list[Row]:
        tests = [_test(kind, criterion, value) for criterion, value in given(kind, criteria).items()]
        return [row for row in self._rows(kind) if all(test(row) for test in tests)]

    def _insert(self, kind: type[Any], row: Row) -> bool:
        key = row[_codec(kind).names.index(key_of(kind))]
        uniques = _uniques(kind, row)
        if self._row(kind, key) is not None or any(self._holder(unique) is not None for unique in uniques):
            return False
        self._written.setdefault(kind, {})[key] = row
        self._held.update((unique, key) for unique in uniques)
        return True

    def _delete(self, kind: type[Any], key: Any) -> None:
        row = self._row(kind, key)
        if row is not None:
            self._written.setdefault(kind, {})[key] = None
            self._held.update((unique, None) for unique in _uniques(kind, row))

    def _holder(self, unique: Unique) -> Any:
        return self._held[unique] if unique in self._held else self._state.held.get(unique)


def _encoded(record: Any) -> Row:
    return tuple(_codec(type(record)).encode(record))


def _uniques(kind: type[Any], row: Row) -> list[Unique]:
    """The unique values this row holds, by index."""
    values = dict(zip(_codec(kind).names, row, strict=True))
    return [
        (str(index.name), tuple(values[column.name] for column in index.columns))
        for index in sorted(TABLES[kind].indexes, key=lambda one: str(one.name))
        if index.unique and index.info.get("holds", lambda _: True)(values)
    ]


def _test(kind: type[Any], criterion: str, value: Any) -> Test:
    """Whether a row meets one criterion, as SQL has it: nothing is equal to, in, before or after nothing."""
    name, how = parse(kind, criterion.partition("=")[0])
    codec = _codec(kind)
    place = codec.names.index(name)
    if how == "in":
        among = {codec.encode_one(name, one) for one in value} - {None}
        return lambda row: row[place] in among
    if how == "has":
        part = clean(value)
        return lambda row: row[place] is not None and part in row[place]
    wanted = codec.encode_one(name, value)
    if how == "is":
        return lambda row: row[place] == wanted
    if how == "not":
        return lambda row: row[place] != wanted
    if how == "to":
        return lambda row: row[place] is not None and row[place] <= wanted
    return lambda row: row[place] is not None and row[place] >= wanted


def _sorts_by(place: int) -> Callable[[Row], tuple[bool, Any]]:
    """How rows sort by one of their values: nothing comes before everything."""
    return lambda row: (row[place] is not None, row[place])
