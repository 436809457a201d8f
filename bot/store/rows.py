"""Records to rows and back, by the types of their columns."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Column, Dialect

from bot.store.columns import Words
from bot.store.tables import TABLES

Turn = Callable[[Any], Any]

FLOAT8 = 701  # PostgreSQL's number for the one type whose driver values depend on it.


class RowCodec:
    """Turns records of one kind into driver values and rows into records."""

    def __init__(self, kind: type[Any], dialect: Dialect) -> None:
        table = TABLES[kind]
        self.kind = kind
        self.names = tuple(column.name for column in table.columns)
        self._values = attrgetter(*self.names)
        self.encoders: dict[str, Turn | None] = {}
        self._decoders: list[tuple[int, Turn]] = []
        for place, column in enumerate(table.columns):
            own = column.type.dialect_impl(dialect)
            # Of our own types, without SQLAlchemy's wrapping.
            write, read = getattr(column.type, "write", None), getattr(column.type, "read", None)
            self.encoders[column.name] = (
                own.bind_processor(dialect) if write is None else _or_none(write, column)
            )
            decoder = own.result_processor(dialect, FLOAT8) if read is None else _or_none(read, column)
            if decoder is not None:
                self._decoders.append((place, decoder))
        words = {place for place, column in enumerate(table.columns) if isinstance(column.type, Words)}
        self._encoders = [
            (place, turn, place in words)
            for place, turn in enumerate(self.encoders.values())
            if turn is not None
        ]

    def encode(self, record: Any) -> list[Any]:
        """Driver values in the order of the columns; ValueError for a naive moment or NaN."""
        return self.encode_all([record])[0]

    def encode_all(self, records: Iterable[Any]) -> list[list[Any]]:
        """The same for many; a value that is the very one of the record before is not turned again."""
        rows = []
        last: dict[int, tuple[Any, Any]] = {}
        for record in records:
            values = list(self._values(record))
            for place, turn, is_words in self._encoders:
                value = values[place]
                if is_words and value.__class__ is str and value.isascii() and "\0" not in value:
                    continue  # Most words are ids and codes, which need no cleaning.
                before = last.get(place)
                if before is None or before[0] is not value:
                    last[place] = before = value, turn(value)
                values[place] = before[1]
            rows.append(values)
        return rows

    def encode_one(self, name: str, value: Any) -> Any:
        """One field's driver value."""
        turn = self.encoders[name]
        return value if turn is None or value is None else turn(value)

    def decode(self, row: Sequence[Any]) -> Any:
        """The record."""
        values = list(row)
        for place, turn in self._decoders:
            values[place] = turn(values[place])
        record = object.__new__(
            self.kind
        )  # What a plain frozen record's own `__init__` does, at half the cost.
        record.__dict__.update(zip(self.names, values, strict=True))
        return record


def _or_none(turn: Turn, column: Column[Any]) -> Turn:
    """The same for a column in which there may be nothing."""
    return (lambda value: None if value is None else turn(value)) if column.nullable else turn
