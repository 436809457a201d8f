"""Reads an .xlsx into sheets: values only, after the archive was found safe."""

import io
from datetime import date, datetime, time, timedelta

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from bot.sheets.archive import Contents, Scan, contents, open_archive, refuse, scan
from bot.sheets.sheet import Book, Merge, Sheet, Value


def read_workbook(data: bytes) -> Book:
    """The visible sheets of a workbook; Faulty when it is none, or bigger or stranger than it may be."""
    with open_archive(data) as archive:
        known = contents(archive)
        workbook = _open(data)
        visible, hidden = [], []
        for meta in workbook.sheets_metadata:
            if meta.typ != SheetTypeEnum.WorkSheet:
                continue
            if meta.visible == SheetVisibleEnum.Visible:
                visible.append(meta.name)
            else:
                hidden.append(meta.name)
        found = {name: scan(archive, name, _part(known, name)) for name in visible}
        return Book(tuple(_sheet(workbook, name, found[name], known) for name in visible), tuple(hidden))


def _open(data: bytes) -> CalamineWorkbook:
    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(data))
    except Exception:  # Whatever the library makes of it, the file cannot be read.
        refuse("damaged")


def _part(known: Contents, name: str) -> str:
    if name not in known.parts:
        refuse("damaged", name)
    return known.parts[name]


def _sheet(workbook: CalamineWorkbook, name: str, found: Scan, known: Contents) -> Sheet:
    if found.last_row < 0:
        return Sheet(name, ())
    try:
        read: CalamineSheet = workbook.get_sheet_by_name(name)
        rows = read.to_python(skip_empty_area=False)
        merges = read.merged_cell_ranges or []
    except Exception:  # As above: the sheet cannot be read.
        refuse("damaged", name)
    return Sheet(
        name,
        tuple(tuple(_value(value) for value in row) for row in rows),
        frozenset(found.formulas),
        frozenset(found.errors),
        tuple(Merge(top, left, bottom, right) for (top, left), (bottom, right) in merges),
        known.since_1904,
    )


def _value(value: object) -> Value:
    if value == "" or value is None:
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, str | int | float | bool | date | datetime | time):
        return value
    return str(value)
