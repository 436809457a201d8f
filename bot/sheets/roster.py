"""Reads a roster: one row a day with a column for each post, or one row for each post and watch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Any

from bot.sheets.dates import DayReader, Unreadable, WatchReader, check_weekday, year_of_title
from bot.sheets.names import NotFound, People
from bot.sheets.posts import POST_CHARS_MAX, PostColumn, PostNames, wide_table
from bot.sheets.sheet import Book, Cell
from bot.sheets.table import Findings, Row, Table, find_tables
from bot.sheets.text import key, plain
from desk.lists import ShiftRow, Spot
from desk.registry import one_form
from roster.model import Officer, PostRule, Presence, Unit

HEADERS = {
    "date": ("日期", "date", "值班日期"),
    "shift": ("班次", "shift", "时段", "值班时间", "值班时段", "time"),
    "post": ("岗位", "post"),
    "name": ("姓名", "name", "值班人员姓名"),
    "unit": ("单位", "unit", "值班单位", "所属单位"),
    "presence": ("到位要求", "presence"),
    "weekday": ("星期", "weekday", "周几", "周"),
}
PRESENCES = {
    Presence.on_site: ("在岗", "on_site", "on site"),
    Presence.in_town: ("驻地", "in_town", "in town"),
    Presence.reachable: ("通讯畅通", "reachable"),
}
DITTO = ("同上", "同前", "〃", "″", '"', "”", "ditto")
NEEDS_UNIT = ("which_officer", "officer_of_other_unit")  # What cannot be said where the unit is not known.
MUST_BE_HELD = ("duty_leader", "duty_officer")
_PRESENCE_OF = {key(word): presence for presence, words in PRESENCES.items() for word in words}


@dataclass(frozen=True)
class Known:
    """What the desk knows when it reads a roster."""

    officers: Sequence[Officer]
    units: Mapping[str, Unit]  # By `one_form` of the name.
    posts: Sequence[PostRule]
    watches: WatchReader
    today: date
    unit: Unit | None = None  # Whose roster it is when the file does not say.


@dataclass(frozen=True)
class _Line:
    """What one row says of all its names; a row whose day cannot be read is read for its other faults."""

    row: Row
    day: date | None
    unit: Unit | None
    knows_unit: bool  # Whether it can be known whose row this is.


_Watch = tuple[str, date | None, str]  # Unit, day and 班次.


@dataclass
class _Held:
    """One watch of a wide sheet: its first row, the posts it has columns for, and those somebody holds."""

    row: Row
    knows_unit: bool
    columns: dict[str, PostColumn] = field(default_factory=dict)
    posts: set[str] = field(default_factory=set)


def read_roster(book: Book, known: Known) -> tuple[list[ShiftRow], Findings]:
    """The watches of a file, and what is wrong with it; the rows count only when there is no fault."""
    findings = Findings()
    reading = _Reading(known, findings)
    for table in find_tables(book, HEADERS, ("date",), findings):
        reading.read(table)
    if not reading.shifts and not findings.faults:
        findings.faults.append(findings.nothing())
    return list(reading.shifts.values()), findings


@dataclass
class _Reading:
    known: Known
    findings: Findings
    shifts: dict[tuple[Any, ...], ShiftRow] = field(default_factory=dict)
    _cells: dict[tuple[Any, ...], tuple[str, Cell]] = field(default_factory=dict)
    _remarked: set[str] = field(default_factory=set)
    _above: dict[str, str] = field(default_factory=dict)  # What 同上 means, by column.
    _day: date | None = None
    _day_was_read: bool = True

    def __post_init__(self) -> None:
        self._people = People(self.known.officers, {unit.id: unit for unit in self.known.units.values()})
        self._posts = PostNames(self.known.posts)

    def read(self, table: Table) -> None:
        """All rows of one sheet."""
        self._above.clear()
        self._day, self._day_was_read = None, True
        above = [plain(value) for row in table.sheet.rows[: table.header_row] for value in row]
        days = DayReader(self.known.today, year_of_title([table.sheet.name, *above]), table.sheet.since_1904)
        if "name" in table.columns and "post" in table.columns:
            for line in self._lines(table, days):
                self._long(line)
            return
        if "name" in table.columns or "post" in table.columns:
            lacking = "post" if "name" in table.columns else "name"
            self._missing(table, [HEADERS[lacking][0]])
            return
        table, columns = wide_table(table, self._posts)
        if not columns:
            self._missing(table, ["带班领导", "值班员"])
        else:
            self._wide(table, columns, days)

    def _missing(self, table: Table, headers: list[str]) -> None:
        spot = Spot(table.sheet.name, table.header_row + 1)
        self.findings.fault(spot, "", "missing_columns", headers=headers)

    def _lines(self, table: Table, days: DayReader) -> Iterator[_Line]:
        for row in table.rows():
            day = self._read_day(row, days)
            is_known, unit = self._read_unit(row)
            yield _Line(row, day, unit, is_known)

    def _long(self, line: _Line) -> None:
        row = line.row
        post, names = self._text(row, "post"), self._text(row, "name")
        for name, text in (("post", post), ("name", names)):
            if not text:
                row.fault(name, "empty_cell")
        presence = _PRESENCE_OF.get(key(row.text("presence")))
        if row.text("presence") and presence is None:
            row.fault("presence", "unknown_presence", words=[words[0] for words in PRESENCES.values()])
        if post and names:
            column = PostColumn(row.table.columns["name"], self._posts.post(post))
            self._take(line, column, self._text(row, "shift"), names, presence)

    def _wide(self, table: Table, columns: Sequence[PostColumn], days: DayReader) -> None:
        held: dict[_Watch, _Held] = {}
        for line in self._lines(table, days):
            row_shift = self._text(line.row, "shift")
            for column in columns:
                shift = column.shift or row_shift
                names = self._text(line.row, f"column {column.column}")
                watch = (line.unit.id if line.unit else "", line.day, shift)
                found = held.setdefault(watch, _Held(line.row, line.knows_unit))
                found.columns.setdefault(column.post, column)
                if names and self._take(line, column, shift, names, None):
                    found.posts.add(column.post)
        self._check_held({watch: found for watch, found in held.items() if found.knows_unit})

    def _check_held(self, held: Mapping[_Watch, _Held]) -> None:
        """A day whose 带班领导 or 值班员 column is empty is a slip, unless the unit only answers the telephone."""
        phone_duty = {unit.id for unit in self.known.units.values() if unit.phone_duty}
        some = {watch[:2] for watch, found in held.items() if found.posts}
        for watch, found in held.items():
            if watch[0] in phone_duty:
                continue
            missing = [post for post in MUST_BE_HELD if post in found.columns and post not in found.posts]
            if not missing and watch[:2] not in some:
                missing = list(found.columns)[:1]
            for post in missing:
                column = found.columns[post].column
                found.row.fault(column, "post_empty", post=found.row.table.headers.get(column, post))

    def _read_day(self, row: Row, days: DayReader) -> date | None:
        """The row's day, else the one above it; None, with its fault named once, when it cannot be read."""
        column = row.table.columns["date"]
        if not row.has(column) or plain(row.table.sheet.value(*row.origin(column))) in DITTO:
            if self._day is None and self._day_was_read:
                row.fault(column, "empty_cell")
            return self._day
        self._day, self._day_was_read = None, False
        value = row.value(column)
        if value is None:
            return None
        try:
            day = days.read(value)
            check_weekday(day, row.text("weekday"))
        except Unreadable as fault:
            row.fault(column, fault.kind, **{"value": plain(value)[:40], **fault.facts})
            return None
        self._day, self._day_was_read = day, True
        return day

    def _read_unit(self, row: Row) -> tuple[bool, Unit | None]:
        """Whether it can be known whose row this is, and the unit; None when the officers' own units decide."""
        if "unit" not in row.table.columns:
            return True, self.known.unit
        name = self._text(row, "unit")
        unit = self.known.units.get(one_form(name))
        if not name:
            row.fault("unit", "empty_cell")
        elif unit is None:
            row.fault("unit", "unknown_unit", unit=name[:60])
        return unit is not None, unit

    def _text(self, row: Row, name: str) -> str:
        """The field's text; 同上 is what stands above."""
        text = row.text(name)
        if text in DITTO:
            if name not in self._above:
                row.fault(name, "nothing_above")
            return self._above.get(name, "")
        self._above[name] = text
        return text

    def _take(
        self, line: _Line, column: PostColumn, shift: str, names: str, presence: Presence | None
    ) -> bool:
        """The cell's people on this watch; says whether the cell names anybody, known or not."""
        row = line.row
        day = line.day or self.known.today
        span: tuple[datetime, datetime] | None = None
        try:
            span = self.known.watches.read(day, shift)
        except Unreadable as fault:
            row.fault("shift" if "shift" in row.table.columns else column.column, fault.kind, **fault.facts)
        if len(column.post) > POST_CHARS_MAX:
            row.fault(column.column, "cell_too_long", most=POST_CHARS_MAX)
        if span is not None:
            self._remark(row, column, shift, span)
        found = list(self._people.named(names, line.unit))
        for officer in found:
            if isinstance(officer, NotFound):
                if line.knows_unit or officer.kind not in NEEDS_UNIT:
                    row.fault(column.column, officer.kind, **officer.facts)
            elif line.day is not None and span is not None and line.knows_unit:
                unit_id = line.unit.id if line.unit else officer.unit_id
                self._keep(row, column, ShiftRow(unit_id, column.post, officer.id, *span, presence))
        return span is None or bool(found)

    def _keep(self, row: Row, column: PostColumn, shift: ShiftRow) -> None:
        watch = (shift.unit_id, shift.post, shift.officer_id, shift.starts_at, shift.ends_at)
        cell = (row.table.sheet.name, row.origin(column.column))
        if watch in self.shifts and not (
            self._cells[watch] == cell and cell[1] != (row.index, column.column)
        ):
            row.fault(column.column, "officer_twice", row=self.shifts[watch].spot.row)
        kept = ShiftRow(*watch, shift.presence, row.spot, row.table.column_name(column.column))
        self.shifts.setdefault(watch, kept)
        self._cells.setdefault(watch, cell)

    def _remark(self, row: Row, column: PostColumn, shift: str, span: tuple[datetime, datetime]) -> None:
        """Say once what was understood and might be meant otherwise: hours of 白班, posts of their own name."""
        zone: tzinfo = self.known.watches.zone
        if shift not in self._remarked and self.known.watches.names_half(shift):
            hours = [f"{moment.astimezone(zone):%H:%M}" for moment in span]
            row.remark(column.column, "hours_taken", shift=shift, hours=hours)
        if column.post not in self._remarked and not self._posts.knows(column.post):
            row.remark(column.column, "new_post", post=column.post)
        self._remarked |= {shift, column.post}
