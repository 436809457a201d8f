"""Files written row by row: .xlsx, .csv, .json, .geojson and .ics; text in them stays text."""

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import xlsxwriter

from bot.sheets.calendar_lines import event_lines, fold
from bot.sheets.export_rows import Record
from bot.sheets.tabulating import Shown, Tabulator
from bot.sheets.text import FORMULA_STARTS, has_control, without_control

EXCEL_CELL_CHARS_MAX = 32_767
EXCEL_ROWS_MAX = 1_000_000
CUT = "…"


class Writer(Protocol):
    """A file being written."""

    def write(self, records: Sequence[Record]) -> None:
        """Add records."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


class XlsxWriter:
    """A workbook kept small in memory; after a million rows it goes on on the next sheet."""

    def __init__(self, path: Path, table: Tabulator, title: str) -> None:
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        self._book = xlsxwriter.Workbook(str(path), options)
        self._bold = self._book.add_format({"bold": True})
        self._table, self._title, self._sheets = table, title, 0
        self._begin()

    def _begin(self) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet(
            f"{self._title} {self._sheets}" if self._sheets > 1 else self._title
        )
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(self._table.headers) - 1, 16)
        for column, header in enumerate(self._table.headers):
            self._sheet.write_string(0, column, header, self._bold)
        self._row = 1

    def write(self, records: Sequence[Record]) -> None:
        """Add records; every text is written as a string, so that nothing in it is run."""
        for record in records:
            if self._row > EXCEL_ROWS_MAX:
                self._begin()
            for column, value in enumerate(self._table.row(record)):
                if isinstance(value, str):
                    self._sheet.write_string(self._row, column, _fitting(value))
                elif value is not None:
                    self._sheet.write_number(self._row, column, value)
            self._row += 1

    def close(self) -> None:
        """Finish the file."""
        self._book.close()


class CsvWriter:
    """UTF-8 with its mark, as Excel wants it; text that a sheet would run begins with an apostrophe (ASVS 1.2.10)."""

    def __init__(self, path: Path, table: Tabulator) -> None:
        self._file = path.open("w", encoding="utf-8-sig", newline="")
        self._csv = csv.writer(self._file)
        self._table = table
        self._csv.writerow(table.headers)

    def write(self, records: Sequence[Record]) -> None:
        """Add records."""
        self._csv.writerows([guarded(value) for value in self._table.row(record)] for record in records)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class JsonWriter:
    """A list of objects with moments in UTC, or a GeoJSON collection."""

    def __init__(self, path: Path, columns: Sequence[str], *, geo: bool = False) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._columns, self._geo, self._count = columns, geo, 0
        self._file.write('{"type":"FeatureCollection","features":[' if geo else "[")

    def write(self, records: Sequence[Record]) -> None:
        """Add records."""
        for record in records:
            plain = {name: json_value(record.get(name)) for name in self._columns}
            content = _feature(plain) if self._geo else plain
            text = json.dumps(content, ensure_ascii=False, allow_nan=False)
            self._file.write(("," if self._count else "") + "\n" + text)
            self._count += 1

    def close(self) -> None:
        """Finish the file."""
        self._file.write("\n]}\n" if self._geo else "\n]\n")
        self._file.close()


class IcsWriter:
    """A calendar of watches (RFC 5545)."""

    def __init__(self, path: Path, table: Tabulator, name: str, now: datetime) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._table, self._now = table, now
        self._put(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Muster//Muster//ZH", f"X-WR-CALNAME:{name}"])

    def write(self, records: Sequence[Record]) -> None:
        """Add watches."""
        for record in records:
            shown = dict(zip(self._table.columns, self._table.row(record), strict=True))
            self._put(event_lines(record, shown, self._now))

    def close(self) -> None:
        """Finish the file."""
        self._put(["END:VCALENDAR"])
        self._file.close()

    def _put(self, lines: Sequence[str]) -> None:
        self._file.writelines(f"{fold(line)}\r\n" for line in lines)


def guarded(value: Shown) -> Shown:
    """The value, with an apostrophe before text that a sheet would take for a formula."""
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def json_value(value: Any) -> Any:
    """A value as JSON has it; moments as ISO 8601 in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {str(name): json_value(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(one) for one in value]
    return value


def _feature(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A GeoJSON feature; without a point its geometry is null (RFC 7946 3.2)."""
    lat, lon = plain.get("lat"), plain.get("lon")
    has_point = lat is not None and lon is not None
    geometry = {"type": "Point", "coordinates": [lon, lat]} if has_point else None
    return {"type": "Feature", "id": plain["number"], "geometry": geometry, "properties": dict(plain)}


def _fitting(text: str) -> str:
    """Text as a cell of a workbook can hold it."""
    if has_control(text):
        text = without_control(text)
    return text if len(text) <= EXCEL_CELL_CHARS_MAX else text[: EXCEL_CELL_CHARS_MAX - 1] + CUT
