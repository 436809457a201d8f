"""One open transaction on an SQL database: the Store port, in statements compiled once."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

from bot.store import StoreUnavailable
from bot.store.chain import START, link
from bot.store.criteria import given, groups, has_version, key_of, may_change
from bot.store.statements import Statements
from bot.store.tables import TABLES
from desk.ports import LogEntry, Stale
from incidents.model import LogLine

R = TypeVar("R")

ROWS_AT_ONCE = 250  # SQLite binds 32,766 values at most, and no record has a hundred fields.


class Connection(Protocol):
    """A driver's connection as the store uses it."""

    def put_off(self, sql: str, rows: Sequence[Sequence[Any]] = ((),)) -> None:
        """Run a statement for each row of values together with the next call."""
        ...

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """All rows."""
        ...

    async def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """How many rows were touched."""
        ...

    async def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """How many rows were touched in all."""
        ...

    async def load(self, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Many new rows of a table at once, by the quickest way there is."""
        ...

    async def commit(self) -> None:
        """Returns when the transaction is on disk. Cut off, it still goes to its end before anything that follows."""
        ...

    async def rollback(self) -> None:
        """Undoes the open transaction, if there is one; cut off, the same holds."""
        ...


class SqlStore:
    """The records in one open transaction; an error of the database spoils it, and it can only be undone."""

    def __init__(self, connection: Connection, statements: Statements, *, writes: bool) -> None:
        self.connection = connection
        self.statements = statements
        self._writes = writes
        self._ended = False
        self._spoilt: Exception | None = None
        self._read: dict[tuple[type[Any], Any], Any] = {}  # What `get` gave, as it is now.

    def end(self) -> None:
        """Closes the door: nothing more may go through; raises the error that spoilt the transaction."""
        self._ended = True
        if self._spoilt is not None:
            raise self._spoilt

    def abandon(self) -> None:
        """Closes the door without a word: the transaction is undone."""
        self._ended = True

    async def add(self, *records: Any) -> None:
        """Insert records, those of one type together; AlreadyStored when one is there already."""
        for kind, some in groups(records).items():
            rows = self.statements.codec(kind).encode_all(record for _, record in some)
            await self._run_many(*self.statements.insert_all(kind, rows))

    async def load(self, kind: type[Any], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows as another database has them, their values in the order of the codec's names."""
        self._check(writes=True)
        with self._spoiling():
            await self.connection.load(TABLES[kind].name, self.statements.codec(kind).names, rows)

    async def add_later(self, *records: Any) -> None:
        """Insert records together with the next statement; AlreadyStored comes then."""
        self._check(writes=True)
        for kind, some in groups(records).items():
            rows = self.statements.codec(kind).encode_all(record for _, record in some)
            self.connection.put_off(*self.statements.insert_all(kind, rows))

    async def add_missing(self, *records: Any) -> None:
        """Insert each record unless it is there already, together with the next statement."""
        self._check(writes=True)
        for kind, some in groups(records).items():
            rows = self.statements.codec(kind).encode_all(record for _, record in some)
            for few in _in_bunches(rows):
                sql, values = self.statements.insert_missing(kind, few)
                self.connection.put_off(sql, [values])

    async def add_new(self, *records: Any) -> list[bool]:
        """Insert each record unless it is there already; says which were new."""
        new = [False] * len(records)
        for kind, some in groups(records).items():
            codec = self.statements.codec(kind)
            rows = codec.encode_all(record for _, record in some)
            found = await self._insert_new(kind, rows)
            for (place, _), is_new in zip(some, found, strict=True):
                new[place] = is_new
        return new

    async def get(self, kind: type[R], /, record_id: str) -> R | None:
        """The record with this id, or None."""
        known = self._read.get((kind, record_id))
        if known is not None:
            self._check(writes=False)
            found: R = known
            return found
        codec, statement = self.statements.codec(kind), self.statements.get(kind)
        rows = await self._fetch(statement.sql, [codec.encode_one(key_of(kind), record_id)])
        if not rows:
            return None
        record: R = codec.decode(rows[0])
        if self._writes and has_version(kind):  # Whoever changes it meanwhile makes our own change Stale.
            self._read[kind, record_id] = record
        return record

    async def find(
        self, kind: type[R], /, *, order: Sequence[str] = ("id",), limit: int | None = None, **criteria: Any
    ) -> list[R]:
        """Records that match, in order."""
        codec = self.statements.codec(kind)
        values = given(kind, criteria)
        statement = self.statements.find(kind, order, limit is not None, tuple(values))
        rows = await self._fetch(statement.sql, statement.values({**values, "limit_": limit}))
        return [codec.decode(row) for row in rows]

    async def hold(self, kind: type[R], /, ids: Sequence[str]) -> list[R]:
        """Those of these ids that there are; nobody else changes them before this transaction ends."""
        self._check(writes=True)
        codec, statement = self.statements.codec(kind), self.statements.hold(kind)
        rows = await self._fetch(statement.sql, statement.values({"keys": sorted(set(ids))}))
        return [codec.decode(row) for row in rows]

    async def count(self, kind: type[Any], /, **criteria: Any) -> int:
        """How many match."""
        values = given(kind, criteria)
        statement = self.statements.count(kind, tuple(values))
        rows = await self._fetch(statement.sql, statement.values(values))
        return int(rows[0][0])

    async def change(self, record: R, **changes: Any) -> R:
        """The record with the changes, written; Stale when somebody else changed it since it was read."""
        before: Any = record
        kind = type(record)
        changes = may_change(kind, changes)
        given_values: dict[str, Any] = {"was_key": getattr(record, key_of(kind))}
        if has_version(kind):
            given_values["was_version"] = before.version
            changes["version"] = before.version + 1
        changed: R = _with(before, changes)
        statement = self.statements.change(kind, tuple(changes))
        given_values.update((f"now_{name}", value) for name, value in changes.items())
        if await self._run(statement.sql, statement.values(given_values)) != 1:
            self._read.pop((kind, given_values["was_key"]), None)
            raise Stale(f"{kind.__name__} {given_values['was_key']}")
        if has_version(kind):
            self._read[kind, given_values["was_key"]] = changed
        return changed

    async def change_all(self, records: Sequence[R], **changes: Any) -> None:
        """Write the same changes into records of one kind, in one statement; Stale when one of them was changed."""
        await self.change_each([(record, changes) for record in records])

    async def change_each(self, changes: Sequence[tuple[R, Mapping[str, Any]]]) -> list[R]:
        """Write each record's own changes, those of equal fields in one statement; Stale when one was changed."""
        if not changes:
            return []
        kind = type(changes[0][0])
        allowed: set[tuple[str, ...]] = set()
        alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        changed: list[R] = []
        for record, wanted in changes:
            before, now = cast(Any, record), dict(wanted)
            if tuple(now) not in allowed:
                allowed.add(tuple(may_change(kind, now)))
            key = getattr(before, key_of(kind))
            self._read.pop((kind, key), None)
            values = {"was_key": key}
            if has_version(kind):
                values["was_version"] = before.version
                now["version"] = before.version + 1
            values.update((f"now_{name}", value) for name, value in now.items())
            alike[tuple(now)].append(values)
            changed.append(_with(record, now))
        for names, given_values in alike.items():
            statement = self.statements.change(kind, names)
            if await self._run_many(statement.sql, statement.rows(given_values)) != len(given_values):
                raise Stale(f"{kind.__name__}: one of {len(given_values)} records")
        return changed

    async def remove(self, kind: type[Any], /, ids: Sequence[str]) -> None:
        """Delete by id; ids that are gone already are no error."""
        may_change(kind, {})
        if ids:
            for one in ids:
                self._read.pop((kind, one), None)
            self._check(writes=True)
            if len(ids) == 1:
                self.connection.put_off(self.statements.remove_one(kind).sql, [list(ids)])
            else:
                statement = self.statements.remove(kind)
                self.connection.put_off(statement.sql, [statement.values({"keys": list(ids)})])

    async def next_sequence(self, name: str) -> int:
        """1, 2, 3 … per name, without gaps."""
        self._check(writes=True)
        statement = self.statements.next_sequence()
        rows = await self._fetch(statement.sql, statement.values({"name": name}))
        return int(rows[0][0])

    async def append_log(self, lines: Sequence[LogEntry]) -> None:
        """Chain lines to the duty log, in order."""
        if not lines:
            return
        turn = self.statements.log_turn()
        if turn:  # Whoever writes lines is alone with the log until the end of the transaction.
            self.connection.put_off(turn)
        last = await self.find(LogLine, order=("-sequence",), limit=1)
        sequence, previous = (last[0].sequence, last[0].hash) if last else (0, START)
        chained = []
        for entry in lines:
            chained.append(link(previous, sequence + 1, entry))
            sequence, previous = chained[-1].sequence, chained[-1].hash
        await self.add_later(*chained)

    async def _insert_new(self, kind: type[Any], rows: list[list[Any]]) -> list[bool]:
        """In as few statements as the database's bound on values allows; the first of two alike is the new one."""
        key_at = self.statements.codec(kind).names.index(key_of(kind))
        are_new: list[bool] = []
        for few in _in_bunches(rows):
            sql, values = self.statements.insert_new(kind, few)
            self._check(writes=True)
            inserted = {key for (key,) in await self._fetch(sql, values)}
            for row in few:
                are_new.append(row[key_at] in inserted)
                inserted.discard(row[key_at])
        return are_new

    async def _fetch(self, sql: str, values: Sequence[Any]) -> list[Sequence[Any]]:
        self._check(writes=False)
        with self._spoiling():
            return await self.connection.fetch(sql, values)

    async def _run(self, sql: str, values: Sequence[Any] = ()) -> int:
        self._check(writes=True)
        with self._spoiling():
            return await self.connection.run(sql, values)

    async def _run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        self._check(writes=True)
        with self._spoiling():
            return await self.connection.run_many(sql, rows)

    def _check(self, *, writes: bool) -> None:
        if self._ended:
            raise RuntimeError("This transaction has ended.")
        if writes and not self._writes:
            raise RuntimeError("A reading view cannot write: open a writing transaction.")
        if self._spoilt is not None:
            raise self._spoilt

    @contextmanager
    def _spoiling(self) -> Iterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            self._spoilt = StoreUnavailable("A statement was cut off: nothing of its transaction is kept.")
            raise
        except Exception as error:
            self._spoilt = error
            raise


def _with(record: R, changes: Mapping[str, Any]) -> R:
    """`dataclasses.replace` for plain records, five times as fast: a roll call changes tens of thousands."""
    changed = object.__new__(type(record))
    changed.__dict__.update(record.__dict__)
    changed.__dict__.update(changes)
    return changed


def _in_bunches(rows: list[list[Any]]) -> Iterator[list[list[Any]]]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[start : start + ROWS_AT_ONCE]
