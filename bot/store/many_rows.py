"""Many rows in one INSERT: its bracket of values repeated on SQLite, a list for each column on PostgreSQL."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Table

Turn = Callable[[Any], Any]

# A list's members must be of one type for the driver.
_AS: dict[str, type[Any]] = {"TEXT": str, "DOUBLE PRECISION": float, "BOOLEAN": bool}


def repeated(sql: str, rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """The INSERT of one row as one of these rows, and its values: compiling hundreds of values is slow."""
    before, bracket, after = _values_of(sql)
    return before + ", ".join([bracket] * len(rows)) + after, [value for row in rows for value in row]


class Lists:
    """INSERTs of lists: one short text whatever the number of rows, which driver and server each read once."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        types = [
            str(column.type.compile(dialect=dialect)).partition(" COLLATE")[0] for column in table.columns
        ]
        self._members = [_AS.get(one) for one in types]
        self._lists = ", ".join(f"%s::{one}[]" for one in types)

    def of(self, sql: str, rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
        """The INSERT of one row as one of these rows, and its values, a list for each column."""
        before, _, after = _values_of(sql)
        head = before.removesuffix("VALUES ")
        return f"{head}SELECT * FROM unnest({self._lists}){after}", [  # noqa: S608  # Our own words.
            list(column) if member is None else _alike(column, member)
            for column, member in zip(zip(*rows, strict=True), self._members, strict=True)
        ]


def _alike(column: Sequence[Any], member: type[Any]) -> list[Any]:
    return [one if one is None or one.__class__ is member else member(one) for one in column]


@lru_cache(maxsize=256)
def _values_of(sql: str) -> tuple[str, str, str]:
    """An INSERT before, in and after the brackets of its one row."""
    start = sql.index("(", sql.index(" VALUES "))
    end = sql.index(")", start) + 1
    return sql[:start], sql[start:end], sql[end:]
