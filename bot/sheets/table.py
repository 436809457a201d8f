"""Finds the table in a sheet and reads it row by row; every fault is kept with its place."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.sheets.faults import Fault
from bot.sheets.sheet import LIMITS, Book, Cell, Sheet, Value, letter
from bot.sheets.text import has_control, key, plain
from desk.lists import Spot

HEADER_WITHIN_ROWS = 30
FAULTS_MAX = 200
_ASIDE = re.compile(r"[(（\[【].*?[)）\]】]|[*＊:：]")
_FOOTNOTE = re.compile(r"^(注|备注|说明|填表|制表|审核|审批|联系人|值班电话|note)", re.IGNORECASE)

Headers = Mapping[str, Sequence[str]]  # Field to the ways its header is written.


def header_key(text: str) -> str:
    """A header as it is compared: 手机（必填）* is 手机."""
    return key(_ASIDE.sub("", text)) or key(text)


@dataclass
class Findings:
    """The faults and remarks of one reading."""

    faults: list[Fault] = field(default_factory=list)
    remarks: list[Fault] = field(default_factory=list)  # Said to the person, and no reason to stop.
    columns: dict[tuple[str, str], str] = field(default_factory=dict)  # Sheet and field to letter and header.

    def fault(self, spot: Spot, about: str, kind: str, **facts: object) -> None:
        """Keep a fault found after the row was read."""
        self.faults.append(self.at(spot, about, kind, facts))

    def remark(self, spot: Spot, about: str, kind: str, **facts: object) -> None:
        """Keep a remark found after the row was read."""
        self.remarks.append(self.at(spot, about, kind, facts))

    def at(self, spot: Spot, about: str, kind: str, facts: Mapping[str, object]) -> Fault:
        """A fault at a row; `about` is a field with a column in the file, or the column as it is shown."""
        return Fault(kind, spot.sheet, spot.row, self.columns.get((spot.sheet, about), about), facts)

    def nothing(self) -> Fault:
        """A file with headers and no rows."""
        return Fault("no_rows")

    def sort(self) -> None:
        """Bring the faults into the order of the file, sheet by sheet and row by row."""
        sheets = list(dict.fromkeys(one.sheet for one in self.faults))
        self.faults.sort(key=lambda one: (sheets.index(one.sheet), one.row))

    def shown(self) -> tuple[Fault, ...]:
        """The faults, cut to a number a person can read, with a last line for the rest."""
        if len(self.faults) <= FAULTS_MAX:
            return tuple(self.faults)
        rest = Fault("more_faults", facts={"count": len(self.faults) - FAULTS_MAX})
        return (*self.faults[:FAULTS_MAX], rest)


@dataclass(frozen=True)
class Table:
    """A table found in a sheet: where its headers are and what they mean."""

    sheet: Sheet
    header_row: int
    columns: Mapping[str, int]
    headers: Mapping[int, str]  # Every header that has text, as it is written.
    findings: Findings
    body_row: int = 0  # Where rows begin; two-line headers begin one later.
    _origins: dict[Cell, Cell] = field(default_factory=dict)

    def rows(self) -> Iterator["Row"]:
        """The rows that say something: not blank, no repeated header, no footnote."""
        used = sorted(set(self.columns.values()))
        self._origins.update(_merged(self.sheet, self.body_row))
        for index in range(self.body_row, len(self.sheet.rows)):
            row = Row(self, index)
            filled = [column for column in used if row.has(column)]
            if not filled or self._is_header(row, filled) or self._is_footnote(row):
                continue
            yield row

    def column_name(self, column: int) -> str:
        """Letter and header, as a person finds it."""
        return f"{letter(column)} {self.headers.get(column, '')}".strip()

    def _is_header(self, row: "Row", filled: Sequence[int]) -> bool:
        return len(filled) > 1 and all(
            header_key(plain(self.sheet.value(row.index, column))) == header_key(self.headers.get(column, ""))
            for column in filled
        )

    def _is_footnote(self, row: "Row") -> bool:
        texts = [text for value in self.sheet.rows[row.index] if (text := plain(value))]
        return len(texts) == 1 and bool(_FOOTNOTE.match(texts[0]))


@dataclass(frozen=True)
class Row:
    """One row of a table, read field by field."""

    table: Table
    index: int

    @property
    def spot(self) -> Spot:
        """Where it is, as Excel shows it."""
        return Spot(self.table.sheet.name, self.index + 1)

    def has(self, column: int) -> bool:
        """Whether the cell says anything, a formula without a value included."""
        cell = self.origin(column)
        sheet = self.table.sheet
        return bool(plain(sheet.value(*cell))) or cell in sheet.formulas or cell in sheet.errors

    def value(self, column: int) -> Value:
        """The cell's value, of a merged block its one value; None (and a fault) when it may not be used."""
        sheet, cell = self.table.sheet, self.origin(column)
        if cell in sheet.formulas:
            self.fault(column, "formula", cell=f"{letter(cell[1])}{cell[0] + 1}")
        elif cell in sheet.errors:
            self.fault(column, "error_cell", cell=f"{letter(cell[1])}{cell[0] + 1}")
        elif cell[1] != column:
            self.fault(column, "merged_across", cell=f"{letter(cell[1])}{cell[0] + 1}")
        else:
            return self._allowed(column, sheet.value(*cell))
        return None

    def text(self, name: str) -> str:
        """The field's text, "" when there is no such column."""
        column = self.table.columns.get(name)
        return "" if column is None else plain(self.value(column))

    def fault(self, column: int | str, kind: str, **facts: object) -> None:
        """Keep a fault of this row."""
        self.table.findings.faults.append(self._at(column, kind, facts))

    def remark(self, column: int | str, kind: str, **facts: object) -> None:
        """Keep a remark about this row."""
        self.table.findings.remarks.append(self._at(column, kind, facts))

    def _at(self, column: int | str, kind: str, facts: Mapping[str, object]) -> Fault:
        place = self.table.columns.get(column, -1) if isinstance(column, str) else column
        name = self.table.column_name(place) if place >= 0 else ""
        return Fault(kind, self.table.sheet.name, self.index + 1, name, facts)

    def origin(self, column: int) -> Cell:
        """The first cell of the merged block this cell belongs to, or the cell itself."""
        return self.table._origins.get((self.index, column), (self.index, column))

    def _allowed(self, column: int, value: Value) -> Value:
        if isinstance(value, str):
            if has_control(value):
                self.fault(column, "control_character")
                return None
            if len(value) > LIMITS.cell_chars_max:
                self.fault(column, "cell_too_long", most=LIMITS.cell_chars_max)
                return None
        return value


def find_tables(book: Book, wanted: Headers, required: Sequence[str], findings: Findings) -> list[Table]:
    """The table of every sheet that has one; a sheet without is remarked, and a fault when no sheet has."""
    filled = [sheet for sheet in book.sheets if any(value is not None for row in sheet.rows for value in row)]
    tables: list[Table] = []
    without: list[Fault] = []
    for sheet in filled:
        found = _find_table(sheet, wanted, required, findings)
        if isinstance(found, Fault):
            without.append(found)
        else:
            tables.append(found)
    if not filled:
        findings.faults.append(Fault("empty_sheet"))
    elif not tables or any(one.kind == "missing_columns" for one in without):
        findings.faults += without
    else:
        findings.remarks += [Fault("sheet_passed_over", sheet=one.sheet) for one in without]
    findings.remarks += [Fault("sheet_hidden", sheet=name) for name in book.hidden]
    return tables


def _find_table(sheet: Sheet, wanted: Headers, required: Sequence[str], findings: Findings) -> Table | Fault:
    meaning = {header_key(text): name for name, texts in wanted.items() for text in texts}
    best: tuple[int, list[str]] = (0, [])
    for index, cells in enumerate(sheet.rows[:HEADER_WITHIN_ROWS]):
        texts = {column: plain(value) for column, value in enumerate(cells) if isinstance(value, str)}
        named = [(column, meaning.get(header_key(text), "")) for column, text in texts.items() if text]
        columns: dict[str, int] = {}
        for column, name in named:
            if name and columns.setdefault(name, column) != column:
                place = f"{letter(column)} {texts[column]}"
                findings.faults.append(Fault("header_twice", sheet.name, index + 1, place))
        missing = [name for name in required if name not in columns]
        if not missing:
            for name, column in columns.items():
                findings.columns[sheet.name, name] = f"{letter(column)} {texts[column]}"
            return Table(sheet, index, columns, {c: t for c, t in texts.items() if t}, findings, index + 1)
        if len(columns) > best[0]:
            best = (len(columns), missing)
    headers = [wanted[name][0] for name in (best[1] or required)]
    kind = "missing_columns" if best[0] > 1 or (best[0] and len(required) == 1) else "no_header"
    return Fault(kind, sheet=sheet.name, facts={"headers": headers})


def _merged(sheet: Sheet, body_row: int) -> dict[Cell, Cell]:
    """Each cell of a merged block, below the headers, to the block's first cell."""
    return {
        (row, column): (merge.top, merge.left)
        for merge in sheet.merges
        if merge.top >= body_row and merge.right < LIMITS.columns_max
        for row in range(merge.top, min(merge.bottom, LIMITS.rows_max) + 1)
        for column in range(merge.left, merge.right + 1)
    }
