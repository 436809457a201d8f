"""What goes out comes back in, stays text, and is whole."""

import csv
import io
import json
import stat
import zipfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from bot.sheets.calendar_lines import escape, fold
from bot.sheets.export_rows import COLUMNS, PAGE_ROWS
from bot.sheets.exports import WHAT, CannotExport, export, formats
from bot.sheets.imports import import_people, import_roster, import_units
from bot.sheets.writers import guarded
from bot.store.memory import MemoryDatabase
from incidents.model import Casualties, Category, Incident, LogLine, Place, Severity, State
from roster.model import Answer, Officer, Result, RollCall, RollCallState, Shift, Unit
from tests.bot.sheets.offices import NOW, Office, open_office, xlsx

NASTY = (
    '=HYPERLINK("http://x")',
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1+1",
    "＋1",
    " =1",
)


@pytest.fixture
async def full(sqlite_office: Office) -> Office:
    """An office with a roster, an incident, a roll call and a log."""
    rows = [("日期", "带班领导", "值班员"), ("2026-11-03", "张三", "李四、陈伟(13800000005)")]
    assert not (await sqlite_office.take("roster", xlsx(rows), unit="石岐街道")).faults
    async with sqlite_office.door.open() as desk:
        [unit] = await desk.store.find(Unit, name="石岐街道")
        [officer] = await desk.store.find(Officer, name="李四")
        harm = Casualties(deaths=0, injuries=2)
        incident = Incident(
            "i1", "ZS-20261101-001", State.received, NOW, unit.id, officer.id, "厂房起火", Category.accident,
            severity=Severity.major, place=Place(22.5, 113.3, "东明路"), casualties=harm, outcome=NASTY[0],
        )  # fmt: skip
        await desk.store.add(incident, replace(incident, id="i2", number="ZS-20261101-002", place=None))
        call = RollCall("r1", "每日点名", "slot", NOW, NOW, NOW + timedelta(minutes=10), due_count=1)
        missed = replace(call, id="r2", slot="slot2", state=RollCallState.missed, due_count=0)
        answer = Answer("a1", "r1", officer.id, unit.id, "duty_officer", result=Result.late, text="＝到")
        await desk.store.add(call, missed)
        await desk.store.add(answer)
    return sqlite_office


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def read_xlsx(path: Path) -> list[dict[str, Any]]:
    head, *rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    return [dict(zip(map(str, head), row, strict=True)) for row in rows]


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_people_units_and_roster_come_back_as_they_went(
    full: Office, tmp_path: Path, suffix: str, language: str
) -> None:
    full.door.policy = replace(full.door.policy, language=language)
    async with full.door.open() as desk:
        [odd] = await desk.store.find(Officer, name="欧阳建国")
        await desk.store.change(odd, title="=1+1", phone="+85291234567", wecom="ou.yang")
    again = open_office(MemoryDatabase(), language)
    steps = (("units", import_units), ("people", import_people), ("roster", import_roster))
    for what, take in steps:
        path = tmp_path / f"{what}{suffix}"
        written = await export(full.door, what, path)
        before = await full.counts()
        result = await take(full.door, path)
        assert (result.faults, result.changed) == ((), 0), result.lines
        assert await full.counts() == before
        result = await take(again.door, path)
        assert (result.faults, result.changed) == ((), written.rows), result.lines
    assert await again.roster() == await full.roster()
    people = {
        one.name + one.phone: replace(one, id="", unit_id="", version=1) for one in await full.found(Officer)
    }
    assert people == {
        one.name + one.phone: replace(one, id="", unit_id="", version=1) for one in await again.found(Officer)
    }


@pytest.mark.parametrize("what", WHAT)
async def test_every_kind_goes_into_every_format_it_names(full: Office, tmp_path: Path, what: str) -> None:
    counts = {"people": 7, "units": 3, "roster": 3, "incidents": 2, "roll-calls": 2}
    for suffix in formats(what):
        path = tmp_path / f"out{suffix}"
        written = await export(full.door, what, path)
        assert written.rows == counts.get(what, len(await full.found(LogLine)) if what == "log" else -1)
        assert written.line == f"已导出 {written.rows} 行：out{suffix}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        if suffix == ".json":
            content = json.loads(path.read_text("utf-8"))
            assert len(content) == written.rows
            assert all(tuple(row) == COLUMNS[what] for row in content)
        elif suffix in (".csv", ".xlsx"):
            rows = read_csv(path) if suffix == ".csv" else read_xlsx(path)
            assert len(rows) == written.rows
            assert len(rows[0]) == len(COLUMNS[what])
    assert sorted(one.name for one in tmp_path.glob("*out*")) == sorted(f"out{one}" for one in formats(what))


async def test_an_incident_is_told_in_words_and_the_unknown_is_not_zero(full: Office, tmp_path: Path) -> None:
    await export(full.door, "incidents", tmp_path / "a.csv")
    first, second = read_csv(tmp_path / "a.csv")
    assert (first["级别"], first["状态"], first["单位"], first["报告人"]) == (
        "较大",
        "已收到",
        "石岐街道",
        "李四",
    )
    assert (first["死亡"], first["受伤"], first["失踪"]) == ("0", "2", "不详")
    assert first["接报时间"] == "2026-11-01 12:00:00"
    assert (first["地点"], first["纬度"], second["纬度"]) == ("东明路", "22.5", "")
    await export(full.door, "incidents", tmp_path / "a.geojson")
    found = json.loads((tmp_path / "a.geojson").read_text("utf-8"))
    assert found["type"] == "FeatureCollection"
    assert [one["geometry"] for one in found["features"]] == [
        {"type": "Point", "coordinates": [113.3, 22.5]},
        None,
    ]
    assert found["features"][0]["properties"]["severity"] == "major"
    assert found["features"][0]["properties"]["deaths"] == 0
    assert found["features"][0]["properties"]["missing"] is None


async def test_a_missed_roll_call_is_in_the_ledger(full: Office, tmp_path: Path) -> None:
    await export(full.door, "roll-calls", tmp_path / "a.xlsx")
    called, missed = read_xlsx(tmp_path / "a.xlsx")
    assert (called["姓名"], called["结果"], called["状态"], called["岗位"]) == (
        "李四",
        "迟答",
        "进行中",
        "值班员",
    )
    assert (missed["姓名"], missed["状态"]) == ("", "漏点")


@pytest.mark.parametrize("text", NASTY)
async def test_input_19_text_stays_text_in_every_sheet(full: Office, tmp_path: Path, text: str) -> None:
    assert guarded(text) == f"'{text}"
    async with full.door.open() as desk:
        [incident] = await desk.store.find(Incident, id="i1")
        await desk.store.change(incident, title=text)
    await export(full.door, "incidents", tmp_path / "a.csv")
    assert read_csv(tmp_path / "a.csv")[0]["标题"] == f"'{text}"
    await export(full.door, "incidents", tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet and "hyperlink" not in sheet.lower().replace("hyperlink(", "")
    assert read_xlsx(tmp_path / "a.xlsx")[0]["标题"].strip("\r\n\t ") == text.strip("\r\n\t ")


async def test_long_and_broken_text_does_not_break_a_workbook(full: Office, tmp_path: Path) -> None:
    async with full.door.open() as desk:
        [incident] = await desk.store.find(Incident, id="i1")
        await desk.store.change(incident, title="长" * 40_000, outcome="a\x00b\x07c")
    await export(full.door, "incidents", tmp_path / "a.xlsx")
    first = read_xlsx(tmp_path / "a.xlsx")[0]
    assert len(first["标题"]) == 32_767 and first["标题"].endswith("…")
    assert first["处置结果"] == "a\ufffdb\ufffdc"
    await export(full.door, "incidents", tmp_path / "a.json")
    assert len(json.loads((tmp_path / "a.json").read_text("utf-8"))[0]["title"]) == 40_000


async def test_more_than_a_page_goes_out_once_each_and_in_order(tmp_path: Path) -> None:
    office = open_office(MemoryDatabase())
    count = 2 * PAGE_ROWS + 1
    async with office.door.open() as desk:
        for number in range(count):
            desk.log("tested", "desk", number=number)
    for suffix in (".json", ".csv", ".xlsx"):
        assert (await export(office.door, "log", tmp_path / f"log{suffix}")).rows == count
    lines = json.loads((tmp_path / "log.json").read_text("utf-8"))
    assert [line["sequence"] for line in lines] == list(range(1, count + 1))
    assert [after["previous"] for after in lines[1:]] == [line["hash"] for line in lines[:-1]]
    assert [int(row["序号"]) for row in read_csv(tmp_path / "log.csv")] == list(range(1, count + 1))
    assert [row["序号"] for row in read_xlsx(tmp_path / "log.xlsx")] == list(range(1, count + 1))


async def test_a_roster_is_a_calendar(full: Office, tmp_path: Path) -> None:
    await export(full.door, "roster", tmp_path / "a.ics")
    raw = (tmp_path / "a.ics").read_bytes()
    assert raw.startswith(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") and raw.endswith(b"END:VCALENDAR\r\n")
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    lines = raw.decode().replace("\r\n ", "").split("\r\n")
    assert lines.count("BEGIN:VEVENT") == lines.count("END:VEVENT") == 3
    assert lines.count("DTSTART:20261103T003000Z") == lines.count("DTEND:20261104T003000Z") == 3
    assert "SUMMARY:值班员 李四" in lines and "LOCATION:石岐街道" in lines
    uids = [line for line in lines if line.startswith("UID:")]
    assert len(set(uids)) == 3
    assert {f"UID:{shift.id}@muster" for shift in await full.found(Shift)} == set(uids)


def test_calendar_text_is_escaped_and_folded_between_characters() -> None:
    assert escape("a;b,c\\d\r\ne\nf\x07") == "a\\;b\\,c\\\\d\\ne\\nf "
    line = "SUMMARY:" + "值班" * 60
    folded = fold(line)
    assert all(len(piece.encode()) <= 75 for piece in folded.split("\r\n"))
    assert folded.replace("\r\n ", "") == line
    assert fold("x" * 75) == "x" * 75
    assert fold("x" * 76) == "x" * 75 + "\r\n x"


@pytest.mark.parametrize(
    ("what", "name", "kind"),
    [
        ("secrets", "a.csv", "unknown_what"),
        ("people", "a.ics", "unknown_format"),
        ("people", "a.pdf", "unknown_format"),
        ("people", "a", "unknown_format"),
        ("people", "none/a.csv", "cannot_write"),
    ],
)
@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_what_cannot_be_written_is_said_with_a_cure(
    staffed: Office, tmp_path: Path, what: str, name: str, kind: str, language: str
) -> None:
    with pytest.raises(CannotExport) as refused:
        await export(staffed.door, what, tmp_path / name)
    assert refused.value.kind == kind
    assert len(refused.value.text(language)) > 20
    assert list(tmp_path.iterdir()) == []


async def test_a_file_is_replaced_whole_or_left_alone(staffed: Office, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    async with staffed.door.open() as desk:
        [officer] = await desk.store.find(Officer, name="张三")
        await desk.store.change(officer, unit_id="gone")
    assert (await export(staffed.door, "people", path)).rows == 7
    assert {row["unit"] for row in json.loads(path.read_text("utf-8"))} == {"gone", "石岐街道", "小榄镇"}
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


async def test_moments_in_json_are_utc(full: Office, tmp_path: Path) -> None:
    await export(full.door, "incidents", tmp_path / "a.json")
    first = json.loads((tmp_path / "a.json").read_text("utf-8"))[0]
    assert datetime.fromisoformat(first["received_at"]) == NOW
    assert first["received_at"].endswith("+00:00")


async def test_an_empty_office_exports_headers(tmp_path: Path) -> None:
    office = open_office(MemoryDatabase())
    for what in WHAT:
        for suffix in formats(what):
            assert (await export(office.door, what, tmp_path / f"{what}{suffix}")).rows == 0
    assert (tmp_path / "people.csv").read_text(
        "utf-8-sig"
    ).strip() == "姓名,手机,单位,职务,角色,企业微信,Telegram"
    assert json.loads((tmp_path / "log.json").read_text()) == []


async def test_people_are_listed_by_unit_leaders_first(staffed: Office, tmp_path: Path) -> None:
    await export(staffed.door, "people", tmp_path / "a.csv")
    rows = [(row["单位"], row["角色"]) for row in read_csv(tmp_path / "a.csv")]
    assert [unit for unit, _ in rows] == ["小榄镇"] * 3 + ["石岐街道"] * 4
    assert [place for place, (_, role) in enumerate(rows) if role == "带班领导"] == [0, 3]
