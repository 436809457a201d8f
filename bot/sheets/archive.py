"""Looks into an .xlsx before it is unpacked: is it one, how big would it be, which cells are formulas?"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NoReturn
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from bot.sheets.faults import Fault, Faulty
from bot.sheets.sheet import LIMITS, Cell

ENCRYPTED = 0x1
SYMLINK = 0o120000
MEGABYTE = 1024 * 1024
PIECE_BYTES = 64 * 1024
_WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"


@dataclass
class Scan:
    """What the scan of one sheet found: where its values end, and its formulas and errors."""

    last_row: int = -1
    last_column: int = -1
    formulas: set[Cell] = field(default_factory=set)
    errors: set[Cell] = field(default_factory=set)


@dataclass(frozen=True)
class Contents:
    """What the workbook says of itself."""

    parts: dict[str, str]  # Sheet name to the part that holds it.
    since_1904: bool


def refuse(kind: str, sheet: str = "", **facts: object) -> NoReturn:
    """One fault that stops the reading."""
    raise Faulty([Fault(kind, sheet=sheet, facts=facts)])


def open_archive(data: bytes) -> zipfile.ZipFile:
    """The zip with every part checked against the limits; Faulty when it is unsafe or no workbook."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, struct.error):
        refuse("not_a_workbook")
    if len(parts) > LIMITS.parts_max:
        refuse("too_many_parts", most=LIMITS.parts_max)
    for part in parts:
        _check_part(part)
    if sum(part.file_size for part in parts) > LIMITS.unpacked_bytes_max:
        refuse("unpacks_too_big", most=LIMITS.unpacked_bytes_max // MEGABYTE)
    names = {part.filename for part in parts}
    if len(names) < len(parts) or _WORKBOOK not in names:
        refuse("not_a_workbook")
    return archive


def _check_part(part: zipfile.ZipInfo) -> None:
    path = PurePosixPath(part.filename.replace("\\", "/"))
    if part.flag_bits & ENCRYPTED:
        refuse("encrypted")
    if (
        path.is_absolute()
        or ".." in path.parts
        or ":" in part.filename
        or (part.external_attr >> 16) & 0o170000 == SYMLINK
    ):
        refuse("unsafe_part")
    if part.filename.lower().endswith((".zip", ".xlsx", ".xlsm")):
        refuse("nested")
    if part.file_size > MEGABYTE and part.file_size > LIMITS.ratio_max * max(1, part.compress_size):
        refuse("unpacks_too_big", most=LIMITS.unpacked_bytes_max // MEGABYTE)


def contents(archive: zipfile.ZipFile) -> Contents:
    """The sheets by name and the date system."""
    book, relations = _Workbook(), _Relations()
    _feed(archive, _WORKBOOK, book)
    _feed(archive, _RELATIONS, relations)
    targets = {key: _part_name(target) for key, target in relations.targets.items()}
    parts = {name: targets[key] for name, key in book.sheets if key in targets}
    if len(book.sheets) > LIMITS.sheets_max:
        refuse("too_many_sheets", most=LIMITS.sheets_max)
    return Contents(parts, book.since_1904)


def scan(archive: zipfile.ZipFile, sheet: str, part: str) -> Scan:
    """Where the sheet's values end, before anything is made of them; Faulty beyond the limits."""
    target = _Cells(sheet)
    _feed(archive, part, target, sheet)
    return target.found


def _part_name(target: str) -> str:
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


class _Target:
    """What a parser tells; nothing is kept of the tree."""

    def start(self, tag: str, attributes: dict[str, str]) -> None: ...

    def end(self, tag: str) -> None: ...

    def data(self, text: str) -> None: ...

    def close(self) -> None: ...


class _Workbook(_Target):
    def __init__(self) -> None:
        self.sheets: list[tuple[str, str]] = []
        self.since_1904 = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        local = tag.rpartition("}")[2]
        if local == "workbookPr":
            self.since_1904 = attributes.get("date1904", "0") in ("1", "true")
        elif local == "sheet":
            key = next((value for name, value in attributes.items() if name.endswith("}id")), "")
            self.sheets.append((attributes.get("name", ""), key))


class _Relations(_Target):
    def __init__(self) -> None:
        self.targets: dict[str, str] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition("}")[2] == "Relationship" and attributes.get("TargetMode") != "External":
            self.targets[attributes.get("Id", "")] = attributes.get("Target", "")


class _Cells(_Target):
    def __init__(self, sheet: str) -> None:
        self.found = Scan()
        self._sheet = sheet
        self._row = -1
        self._column = -1
        self._is_error = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        local = tag.rpartition("}")[2]
        if local == "c":
            self._begin_cell(attributes)
        elif local in ("v", "is", "f"):
            self._note(local)
        elif local == "row":
            self._row = int(attributes["r"]) - 1 if attributes.get("r", "").isdecimal() else self._row + 1
            self._column = -1

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self._column += 1
        name = attributes.get("r", "")
        letters = name.rstrip("0123456789")
        if letters:
            self._column = _column(letters)
            self._row = int(name[len(letters) :] or 0) - 1
        self._is_error = attributes.get("t") == "e"

    def _note(self, local: str) -> None:
        cell = (self._row, self._column)
        found = self.found
        found.last_row = max(found.last_row, self._row)
        found.last_column = max(found.last_column, self._column)
        if local == "f":
            found.formulas.add(cell)
        if self._is_error:
            found.errors.add(cell)
        if found.last_row >= LIMITS.rows_max:
            refuse("too_many_rows", self._sheet, most=LIMITS.rows_max)
        if found.last_column >= LIMITS.columns_max:
            refuse("too_many_columns", self._sheet, most=LIMITS.columns_max)


def _column(letters: str) -> int:
    number = 0
    for one in letters.upper()[:4]:
        number = number * 26 + ord(one) - 64
    return number - 1


def _feed(archive: zipfile.ZipFile, part: str, target: _Target, sheet: str = "") -> None:
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    try:
        for piece in _pieces(archive, part):
            parser.feed(piece)
        parser.close()
    except (
        ParseError,
        DefusedXmlException,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        LookupError,
        ValueError,
        EOFError,
    ):
        refuse("damaged", sheet)


def _pieces(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """The part unpacked piece by piece; a part that is longer than it says is refused."""
    total = 0
    with archive.open(part) as stream:
        while piece := stream.read(PIECE_BYTES):
            total += len(piece)
            if total > LIMITS.unpacked_bytes_max:
                refuse("unpacks_too_big", most=LIMITS.unpacked_bytes_max // MEGABYTE)
            yield piece
