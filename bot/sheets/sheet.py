"""A sheet as it was read: values by row and column, and which cells are formulas, errors or merged."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

Value = str | int | float | bool | date | datetime | time | None
Cell = tuple[int, int]  # Row and column, both from 0.


@dataclass(frozen=True)
class SheetLimits:
    """What a file may be at most."""

    file_bytes_max: int = 10 * 1024 * 1024
    unpacked_bytes_max: int = 80 * 1024 * 1024
    ratio_max: int = 200  # Unpacked to packed, of parts above a megabyte.
    parts_max: int = 500
    sheets_max: int = 50
    rows_max: int = 20_000
    columns_max: int = 200
    cell_chars_max: int = 2_000
    read_seconds_max: float = 30
    memory_bytes_max: int = 1024 * 1024 * 1024


LIMITS = SheetLimits()


@dataclass(frozen=True)
class Merge:
    """A merged block, all four edges included."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class Sheet:
    """One visible sheet; `rows` begins at A1."""

    name: str
    rows: tuple[tuple[Value, ...], ...]
    formulas: frozenset[Cell] = frozenset()
    errors: frozenset[Cell] = frozenset()
    merges: tuple[Merge, ...] = ()
    since_1904: bool = False

    def value(self, row: int, column: int) -> Value:
        """The cell's own value, None when it has none."""
        if row >= len(self.rows) or column >= len(self.rows[row]):
            return None
        return self.rows[row][column]


@dataclass(frozen=True)
class Book:
    """The sheets of a file, and the names of those that were hidden and therefore not read."""

    sheets: tuple[Sheet, ...]
    hidden: tuple[str, ...] = ()


def letter(column: int) -> str:
    """Excel's letters of a column: A, B … Z, AA."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def to_plain(book: Book) -> dict[str, Any]:
    """The book as JSON values, to be handed from the reading process to the desk."""
    return {
        "hidden": book.hidden,
        "sheets": [
            {
                "name": sheet.name,
                "rows": [[_plain(value) for value in row] for row in sheet.rows],
                "formulas": sorted(sheet.formulas),
                "errors": sorted(sheet.errors),
                "merges": [(one.top, one.left, one.bottom, one.right) for one in sheet.merges],
                "since_1904": sheet.since_1904,
            }
            for sheet in book.sheets
        ],
    }


def from_plain(plain: dict[str, Any]) -> Book:
    """The book again."""
    return Book(tuple(_sheets(plain["sheets"])), tuple(plain["hidden"]))


def _sheets(plain: list[dict[str, Any]]) -> Iterator[Sheet]:
    for one in plain:
        yield Sheet(
            one["name"],
            tuple(tuple(_value(value) for value in row) for row in one["rows"]),
            frozenset((row, column) for row, column in one["formulas"]),
            frozenset((row, column) for row, column in one["errors"]),
            tuple(Merge(*edges) for edges in one["merges"]),
            one["since_1904"],
        )


def _plain(value: Value) -> Any:
    if isinstance(value, datetime | date | time):
        return [type(value).__name__, value.isoformat()]
    return value


def _value(plain: Any) -> Value:
    if isinstance(plain, list):
        kind, text = plain
        if kind == "datetime":
            return datetime.fromisoformat(text)
        return date.fromisoformat(text) if kind == "date" else time.fromisoformat(text)
    value: Value = plain
    return value
