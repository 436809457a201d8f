"""A file that is not what it says, or too much, is refused with one named fault, and nothing is imported."""

import io
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bot.sheets.delimited import decode
from bot.sheets.faults import Faulty
from bot.sheets.imports import import_people
from bot.sheets.opening import open_apart, open_book
from bot.sheets.sheet import SheetLimits
from tests.bot.sheets.offices import PEOPLE, UNITS, Office, csv, xlsx

GOOD = xlsx(PEOPLE)
OLE = bytes.fromhex("d0cf11e0a1b11ae1")
CELLS = '<c r="A1" t="inlineStr"><is><t>姓名</t></is></c>'


def edited(data: bytes, changes: dict[str, bytes | None], more: dict[str, bytes] | None = None) -> bytes:
    """A zip with some parts replaced, left out (None) or added."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            content = changes.get(part.filename, old.read(part))
            if content is not None:
                new.writestr(part.filename, content)
        for name, content in (more or {}).items():
            new.writestr(name, content)
    return file.getvalue()


def sheet_xml(rows: str) -> bytes:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return (
        f'<?xml version="1.0"?><worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'.encode()
    )


def with_sheet(rows: str) -> bytes:
    return edited(GOOD, {"xl/worksheets/sheet1.xml": sheet_xml(rows)})


def encrypted_zip() -> bytes:
    """A zip whose parts say that they are encrypted."""
    data = bytearray(GOOD)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            flags = struct.unpack_from("<H", data, at + offset)[0]
            struct.pack_into("<H", data, at + offset, flags | 1)
            at = data.find(mark, at + 4)
    return bytes(data)


def symlink_zip() -> bytes:
    link = zipfile.ZipInfo("xl/link")
    link.external_attr = 0o120777 << 16
    file = io.BytesIO(GOOD)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    return file.getvalue()


def docx() -> bytes:
    return edited(xlsx(()), {"xl/workbook.xml": None}, {"word/document.xml": b"<w/>"})


ENTITY_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b'<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheets>&b;</sheets></workbook>'
)

BAD = {
    "nothing at all": (b"", "a.xlsx", "empty_file"),
    "blanks": (b" \r\n \n", "a.csv", "empty_file"),
    "an old .xls": (OLE + bytes(2000), "名单.xls", "old_excel"),
    "an old .xls renamed": (OLE + bytes(2000), "名单.xlsx", "old_excel"),
    "a workbook with a password": (OLE + bytes(500) + "EncryptedPackage".encode("utf-16-le"), "a.xlsx", "encrypted"),
    "an encrypted zip": (encrypted_zip(), "a.xlsx", "encrypted"),
    "a .docx renamed": (docx(), "a.xlsx", "not_a_workbook"),
    "a cut workbook": (GOOD[: len(GOOD) // 2], "a.xlsx", "not_a_workbook"),
    "two bytes of a zip": (b"PK", "a.xlsx", "not_a_workbook"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(64), "a.xlsx", "not_a_workbook"),
    "a web page": (b"\xef\xbb\xbf<html><table><tr><td>x</td></tr></table></html>", "a.csv", "web_page"),
    "a path that climbs": (edited(GOOD, {}, {"../../etc/x": b"x"}), "a.xlsx", "unsafe_part"),
    "an absolute path": (edited(GOOD, {}, {"/etc/x": b"x"}), "a.xlsx", "unsafe_part"),
    "a symbolic link": (symlink_zip(), "a.xlsx", "unsafe_part"),
    "a zip in the zip": (edited(GOOD, {}, {"xl/embeddings/more.zip": b"PK"}), "a.xlsx", "nested"),
    "a thousand parts": (edited(GOOD, {}, {f"xl/x{n}": b"" for n in range(1000)}), "a.xlsx", "too_many_parts"),
    "a bomb of zeros": (edited(GOOD, {}, {"xl/media/x": bytes(90_000_000)}), "a.xlsx", "unpacks_too_big"),
    "a smaller bomb": (edited(GOOD, {}, {"xl/more.xml": bytes(9_000_000)}), "a.xlsx", "unpacks_too_big"),
    "entities in the XML": (edited(GOOD, {"xl/workbook.xml": ENTITY_BOMB}), "a.xlsx", "damaged"),
    "XML that does not end": (with_sheet("<row><c><v>1"), "a.xlsx", "damaged"),
    "a sheet that is missing": (edited(GOOD, {"xl/worksheets/sheet1.xml": None}), "a.xlsx", "damaged"),
    "a hundred thousand rows": (
        with_sheet("".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>' for n in range(1, 100_000))),
        "a.xlsx",
        "too_many_rows",
    ),
    "one cell a million rows down": (
        with_sheet(f'<row r="1">{CELLS}</row><row r="1048576"><c r="GR1048576"><v>1</v></c></row>'),
        "a.xlsx",
        "too_many_rows",
    ),
    "one cell far to the right": (
        with_sheet('<row r="1"><c r="XFD1"><v>1</v></c></row>'),
        "a.xlsx",
        "too_many_columns",
    ),
    "a million lines of csv": (b"a,b\n" * 1_000_000, "a.csv", "too_many_rows"),
    "too many columns of csv": (b"," * 500, "a.csv", "too_many_columns"),
    "eleven megabytes": (b"a" * 11_000_000, "a.csv", "file_too_big"),
    "an open quotation mark": ('姓名,单位\n"张三,石岐街道\n'.encode(), "a.csv", "quotes"),
    "bytes in no encoding": (b"\xff\xff\x81\x30\xff" * 20, "a.csv", "encoding"),
    "UTF-16 cut in a character": ("姓名,单位".encode("utf-16")[:-1], "a.csv", "encoding"),
    "nothing but empty sheets": (xlsx((), ()), "a.xlsx", "empty_sheet"),
    "headers of another list": (xlsx([("品名", "数量"), ("水泵", 3)]), "a.xlsx", "no_header"),
    "a list without 单位": (xlsx([("姓名", "手机"), ("张三", "13800000001")]), "a.xlsx", "missing_columns"),
    "headers and no rows": (xlsx([PEOPLE[0]]), "a.xlsx", "no_rows"),
    "a header twice": (
        xlsx([("姓名", "单位", "手机", "手机号"), ("张三", "石岐街道", "", "")]),
        "a.xlsx",
        "header_twice",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_input_48_and_50_a_bad_file_is_named_and_imports_nothing(staffed: Office, name: str) -> None:
    data, file_name, kind = BAD[name]
    before = await staffed.counts()
    result = await staffed.take_apart("people", data, file_name)
    assert [fault.kind for fault in result.faults] == [kind]
    assert result.changed == 0
    assert await staffed.counts() == before


async def test_a_dense_grid_of_one_far_cell_takes_no_memory_and_no_time() -> None:
    data = with_sheet('<row r="20000"><c r="GR20000"><v>1</v></c></row>')
    begun = time.monotonic()
    book = await open_apart(data, "a.xlsx")
    assert len(book.sheets[0].rows) == 20_000
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        (SheetLimits(read_seconds_max=0.0), "too_slow"),
        (SheetLimits(memory_bytes_max=16 * 1024 * 1024), "too_much"),
    ],
)
async def test_reading_that_takes_too_long_or_too_much_is_ended(limits: SheetLimits, kind: str) -> None:
    with pytest.raises(Faulty) as refused:
        await open_apart("姓名,单位\n".encode() * 19_000, "a.csv", limits)
    assert [fault.kind for fault in refused.value.faults] == [kind]


async def test_a_file_that_is_not_there_is_said_so(office: Office, tmp_path: Path) -> None:
    result = await import_people(office.door, tmp_path / "none.xlsx")
    assert [fault.kind for fault in result.faults] == ["file_missing"]
    result = await import_people(office.door, tmp_path)
    assert [fault.kind for fault in result.faults] == ["file_unreadable"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be"]
)
async def test_input_50_a_csv_is_read_in_every_encoding_an_office_saves(
    office: Office, encoding: str
) -> None:
    units = csv(UNITS, encoding)
    assert decode(units).lstrip("\ufeff") == decode(csv(UNITS))
    assert not (await office.take_apart("units", units, "单位.csv")).faults
    assert not (await office.take("people", csv(PEOPLE, encoding), "人员.CSV")).faults
    assert (await office.counts())[:2] == (3, 7)


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\n姓名;单位\n张三;石岐街道",
        "姓名\t单位\n张三\t石岐街道\n",
        "姓名,单位\r\n张三,石岐街道\r\n",
        '"姓名","单位"\n"张三","石岐街道"',
    ],
)
def test_the_delimiter_is_found(text: str) -> None:
    [sheet] = open_book(text.encode(), "a.csv").sheets
    assert sheet.rows[:2] == (("姓名", "单位"), ("张三", "石岐街道"))


def test_a_quoted_line_break_keeps_the_rows_that_excel_counts() -> None:
    [sheet] = open_book('姓名,单位\n\n"张\n三",x\n'.encode(), "a.csv").sheets
    assert [len(row) for row in sheet.rows] == [2, 0, 2]
    assert sheet.rows[2][0] == "张\n三"


async def test_a_workbook_is_known_by_its_bytes_not_by_its_name(staffed: Office) -> None:
    assert not (await staffed.take("people", GOOD, "人员.csv")).faults


LINKS = b"""<?xml version="1.0"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1"
Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/externalLinkPath"
Target="file://%s/secret.xlsx" TargetMode="External"/></Relationships>"""
DDE = b"""<?xml version="1.0"?>
<externalLink xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><ddeLink ddeService="cmd"
ddeTopic=" /C calc"><ddeItems><ddeItem name="A0" advise="1"/></ddeItems></ddeLink></externalLink>"""


async def test_input_46_macros_and_links_outward_are_not_followed_only_values_are_read(
    staffed: Office,
) -> None:
    more = {
        "xl/vbaProject.bin": OLE + b"Sub Auto_Open()",
        "xl/externalLinks/externalLink1.xml": DDE,
        "xl/externalLinks/_rels/externalLink1.xml.rels": LINKS % b"10.0.0.1",
        "xl/_rels/workbook.xml.rels.bak": LINKS % b"10.0.0.2",
    }
    plain = xlsx([PEOPLE[0], ("钱七", "13900000001", "石岐街道", "", "")])
    result = await staffed.take_apart("people", edited(plain, {}, more), "名单.xlsm")
    assert (result.faults, result.changed) == ((), 1)


@pytest.mark.parametrize(
    "formula", ["=[1]Sheet1!A1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x")', '=WEBSERVICE("http://x")']
)
async def test_input_46_a_formula_is_a_fault_with_its_cell_whatever_it_shows(
    staffed: Office, formula: str
) -> None:
    def fill(workbook: Any, sheet: Any) -> None:
        sheet.write_formula("A2", formula, None, "钱七")

    row = ("", "13900000001", "石岐街道", "", "")
    result = await staffed.take_apart("people", xlsx([PEOPLE[0], row], fill=fill), "a.xlsx")
    assert [(one.kind, one.facts["cell"]) for one in result.faults] == [("formula", "A2")]


async def test_input_46_hidden_sheets_are_not_read_and_the_reader_is_told(staffed: Office) -> None:
    def fill(workbook: Any, sheet: Any) -> None:
        for name, hide in (("隐", "hide"), ("深隐", "very_hidden")):
            ghost = workbook.add_worksheet(name)
            ghost.write_row(0, 0, ["姓名", "单位"])
            ghost.write_row(1, 0, ["鬼魂", "石岐街道"])
            getattr(ghost, hide)()

    hidden = xlsx(PEOPLE, fill=fill)
    result = await staffed.take("people", hidden)
    assert not result.faults
    assert [line for line in result.lines if "隐藏" in line] == [
        "隐：隐藏的工作表，未读取。需要时请取消隐藏。",
        "深隐：隐藏的工作表，未读取。需要时请取消隐藏。",
    ]
    assert result.changed == 0
