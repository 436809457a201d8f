"""Rosters as offices really write them, and every slip in one named by its cell."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from incidents.model import LogLine
from roster.model import Officer, Presence, Shift
from tests.bot.sheets.offices import Office, csv, xlsx

WIDE = ("日期", "带班领导", "值班员")
LONG = ("日期", "班次", "岗位", "姓名")
DAY = "11-03 08:30/11-04 08:30"
TUESDAY = [f"{DAY} 石岐街道 duty_leader 张三", f"{DAY} 石岐街道 duty_officer 李四"]
MORNING = datetime(2026, 11, 3, 8)  # noqa: DTZ001 # A workbook knows no zone.
Rows = Sequence[Sequence[Any]]


async def taken(office: Office, data: bytes, name: str = "a.xlsx", unit: str = "石岐街道") -> list[str]:
    """The roster after a file was taken without a fault."""
    result = await office.take("roster", data, name, unit=unit)
    assert result.faults == (), result.lines
    return await office.roster()


def titled(workbook: Any, sheet: Any) -> None:
    sheet.merge_range("A1:E1", "石岐街道2026年11月值班表")


DAYS = {
    "a date": date(2026, 11, 3),
    "a number": 46329,
    "a number as text": "46329",
    "slashes": "2026/11/3",
    "dashes": "2026-11-03",
    "dots": "2026.11.3",
    "Chinese": "2026年11月3日",
    "Chinese with spaces": "2026 年 11 月 3 日",
    "no year": "11月3日",
    "no year, dash": "11-3",
    "号": "11月3号",
    "a weekday in brackets": "11月3日(周二)",
    "a weekday in wide brackets": "11月3日（星期二）",
    "a weekday behind": "11月3日 星期二",
    "a weekday on the next line": "11月3日\n周二",
    "digits alone": "20261103",
    "wide digits": "２０２６／１１／３",
    "midnight written out": "2026-11-03 00:00:00",
}


@pytest.mark.parametrize("form", DAYS)
async def test_input_47_a_day_is_read_in_every_form(staffed: Office, form: str) -> None:
    assert await taken(staffed, xlsx([WIDE, (DAYS[form], "张三", "李四")])) == TUESDAY


async def test_input_47_days_of_a_workbook_of_1904_are_not_four_years_off(staffed: Office) -> None:
    data = xlsx([WIDE, (46329 - 1462, "张三", "李四"), (date(2026, 11, 4), "张三", "王五")], date_1904=True)
    assert await taken(staffed, data) == [
        *TUESDAY,
        "11-04 08:30/11-05 08:30 石岐街道 duty_leader 张三",
        "11-04 08:30/11-05 08:30 石岐街道 duty_officer 王五",
    ]


async def test_a_year_comes_from_the_title_or_from_what_is_near(staffed: Office) -> None:
    await taken(staffed, xlsx([("2027年1月值班表",), WIDE, ("3月3日", "张三", "李四")]))
    await taken(staffed, xlsx([WIDE, ("1月2日", "张三", "李四"), ("12月31日", "张三", "李四")]))
    starts = sorted((one.starts_at + timedelta(hours=8)).date() for one in await staffed.found(Shift))
    assert sorted(set(starts)) == [date(2026, 12, 31), date(2027, 1, 2), date(2027, 3, 3)]


NAMES = {
    "、": ("李四、王五", ["李四", "王五"]),
    "a comma": ("李四,王五", ["李四", "王五"]),
    "a wide comma": ("李四，王五", ["李四", "王五"]),
    "a line break": ("李四\n王五", ["李四", "王五"]),
    "a space": ("李四 王五", ["李四", "王五"]),
    "a wide space": ("李四　王五", ["李四", "王五"]),
    "a slash": ("李四/王五", ["李四", "王五"]),
    "padding inside names": ("李　四、王 五", ["李四", "王五"]),
    "padding and spaces": ("李 四 王 五", ["李四", "王五"]),
    "a title glued on": ("张三副主任", ["张三"]),
    "another title glued on": ("张三党工委委员", ["张三"]),
    "a title in front": ("副主任张三", ["张三"]),
    "a title behind a space": ("张三 副主任", ["张三"]),
    "a title in brackets": ("张三（副主任）", ["张三"]),
    "titles and names": ("张三副主任、李四科长\n王五同志", ["张三", "李四", "王五"]),
    "a number behind": ("李四13800000002", ["李四"]),
    "a number in brackets": ("李四(138 0000 0002)、王五", ["李四", "王五"]),
    "a number with a colon": ("李四：13800000002", ["李四"]),
    "numbers of two": ("李四13800000002 王五13800000003", ["李四", "王五"]),
    "a double surname of another unit": ("欧阳建国(13800000007)", ["欧阳建国"]),
    "a title in brackets in front": ("（副主任）张三", ["张三"]),
    "a name in brackets": ("（李四）、王五", ["李四", "王五"]),
    "the unit's own of two": ("陈伟", ["陈伟"]),
    "the other of two by number": ("陈伟13800000005", ["陈伟"]),
    "the other of two by unit": ("陈伟（小榄）", ["陈伟"]),
}


@pytest.mark.parametrize("form", NAMES)
async def test_names_are_told_apart_in_every_form(staffed: Office, form: str) -> None:
    cell, names = NAMES[form]
    lines = await taken(staffed, xlsx([("日期", "备班"), ("2026-11-03", cell)]))
    assert [line.split()[-1] for line in lines] == sorted(
        names, key=["张三", "李四", "王五", "欧阳建国", "陈伟"].index
    )
    people = {one.officer_id for one in await staffed.found(Shift)}
    assert len(people) == len(names)


@pytest.mark.parametrize(
    ("cell", "phone"), [("陈伟", "06"), ("陈伟13800000005", "05"), ("陈伟（小榄）", "05")]
)
async def test_of_two_with_one_name_the_right_one_stands_the_watch(
    staffed: Office, cell: str, phone: str
) -> None:
    await taken(staffed, xlsx([("日期", "备班"), ("2026-11-03", cell)]))
    [shift] = await staffed.found(Shift)
    async with staffed.door.read() as store:
        officer = await store.get(Officer, shift.officer_id)
    assert officer is not None and officer.phone.endswith(phone)


async def test_a_real_wide_sheet_is_understood(staffed: Office) -> None:
    def fill(workbook: Any, sheet: Any) -> None:
        titled(workbook, sheet)
        sheet.merge_range("B3:B5", "张三副主任")
        sheet.merge_range("A7:F7", "注：请各值班人员提前10分钟到岗")

    rows: Rows = [
        (),
        ("日期", "带班领导", "值班员", "备班", "备注", "值班电话"),
        ("11月3日(周二)", "", "李四、陈　伟", "王五", "", 88881234),
        ("11月4日(周三)", "", "同上", "", "重点", ""),
        ("11月5日(周四)", "", "王五", "无", "", ""),
        (),
        ("注：",),
    ]
    assert await taken(staffed, xlsx(rows, fill=fill)) == [
        "11-03 08:30/11-04 08:30 石岐街道 duty_leader 张三",
        "11-03 08:30/11-04 08:30 石岐街道 duty_officer 李四",
        "11-03 08:30/11-04 08:30 石岐街道 duty_officer 陈伟",
        "11-03 08:30/11-04 08:30 石岐街道 standby 王五",
        "11-04 08:30/11-05 08:30 石岐街道 duty_leader 张三",
        "11-04 08:30/11-05 08:30 石岐街道 duty_officer 李四",
        "11-04 08:30/11-05 08:30 石岐街道 duty_officer 陈伟",
        "11-05 08:30/11-06 08:30 石岐街道 duty_leader 张三",
        "11-05 08:30/11-06 08:30 石岐街道 duty_officer 王五",
    ]


HALVES = [
    "11-03 08:30/11-03 20:30 石岐街道 duty_officer 李四",
    "11-03 08:30/11-04 08:30 石岐街道 duty_leader 张三",
    "11-03 20:30/11-04 08:30 石岐街道 duty_officer 王五",
]


def two_lines(workbook: Any, sheet: Any) -> None:
    sheet.merge_range("A2:A3", "日期")
    sheet.merge_range("C2:D2", "白班(08:00-20:00)")
    sheet.merge_range("E2:F2", "夜班(20:00-08:00)")


async def test_day_and_night_are_rows_or_columns(staffed: Office) -> None:
    columns: Rows = [
        ("日期", "带班领导", "白班值班员", "值班员（夜班）"),
        ("2026-11-03", "张三", "李四", "王五"),
    ]
    result = await staffed.take("roster", xlsx(columns), unit="石岐街道")
    assert not result.faults
    assert "“白班”按 08:30、20:30 读取" in result.lines[0]
    assert await staffed.roster() == HALVES
    words_alone: Rows = [("日期", "带班领导", "白班", "夜班"), ("2026-11-03", "张三", "李四", "王五")]
    assert await taken(staffed, xlsx(words_alone)) == HALVES

    rows: Rows = [("日期", "班次", "值班员"), ("2026-11-05", "白班", "李四"), ("", "夜班", "王五")]
    assert (await taken(staffed, xlsx(rows)))[3:] == [
        "11-05 08:30/11-05 20:30 石岐街道 duty_officer 李四",
        "11-05 20:30/11-06 08:30 石岐街道 duty_officer 王五",
    ]


async def test_a_header_of_two_lines_names_watch_and_post(staffed: Office) -> None:
    rows: Rows = [
        ("值班表",),
        ("日期", "", "白班(08:00-20:00)", "", "夜班(20:00-08:00)", ""),
        ("", "备注", "带班领导", "值班员", "带班领导", "值班员"),
        ("2026-11-03", "", "张三", "李四", "赵六(13800000004)", "王五"),
    ]
    expected = [
        "11-03 08:00/11-03 20:00 石岐街道 duty_leader 张三",
        "11-03 08:00/11-03 20:00 石岐街道 duty_officer 李四",
        "11-03 20:00/11-04 08:00 石岐街道 duty_leader 赵六",
        "11-03 20:00/11-04 08:00 石岐街道 duty_officer 王五",
    ]
    assert await taken(staffed, xlsx(rows, fill=two_lines)) == expected
    plain = csv([[str(cell) for cell in row] for row in rows], "gbk")  # Without the merges.
    result = await staffed.take("roster", plain, "a.csv", unit="石岐街道")
    assert (result.faults, result.changed) == ((), 0)


@pytest.mark.parametrize(
    ("shift", "span"),
    [
        ("", "11-03 08:30/11-04 08:30"),
        ("08:30-08:30", "11-03 08:30/11-04 08:30"),
        ("8:30—17:30", "11-03 08:30/11-03 17:30"),
        ("08：30～次日08：30", "11-03 08:30/11-04 08:30"),
        ("18:00至次日9:00", "11-03 18:00/11-04 09:00"),
        ("20:00-08:00", "11-03 20:00/11-04 08:00"),
        ("08:00-次日09:00", "11-03 08:00/11-04 09:00"),
        ("8时30分-17时", "11-03 08:30/11-03 17:00"),
        ("8点-20点", "11-03 08:00/11-03 20:00"),
        ("00:00-24:00", "11-03 00:00/11-04 00:00"),
        ("全天", "11-03 08:30/11-04 08:30"),
        ("白班 08:00-20:00", "11-03 08:00/11-03 20:00"),
        ("夜班", "11-03 20:30/11-04 08:30"),
    ],
)
async def test_a_watch_has_its_hours(staffed: Office, shift: str, span: str) -> None:
    rows = [LONG, ("2026-11-03", shift, "值班员", "李四")]
    assert await taken(staffed, xlsx(rows)) == [f"{span} 石岐街道 duty_officer 李四"]


async def test_a_long_sheet_names_units_posts_and_presence(staffed: Office) -> None:
    rows: Rows = [
        ("Date", "Shift", "Post", "Name", "Unit", "presence"),
        ("2026-11-03", "08:30-08:30", "duty leader", "张三", "石岐街道", "驻地"),
        ("", "同上", "值班员", "李四、王五", "同上", "在岗"),
        ("2026-11-03", "08:30-08:30", "驾驶员", "欧阳建国", " 小榄镇", ""),
    ]
    result = await staffed.take("roster", xlsx(rows))
    assert not result.faults
    assert any("新岗位“驾驶员”" in line for line in result.lines)
    assert await staffed.roster() == [
        f"{DAY} 小榄镇 驾驶员 欧阳建国",
        f"{DAY} 石岐街道 duty_leader 张三",
        f"{DAY} 石岐街道 duty_officer 李四",
        f"{DAY} 石岐街道 duty_officer 王五",
    ]
    presence = {one.post: one.presence for one in await staffed.found(Shift)}
    assert presence == {
        "duty_leader": Presence.in_town,
        "duty_officer": Presence.on_site,
        "驾驶员": Presence.on_site,
    }


async def test_without_a_unit_each_watch_is_of_its_officers_unit(staffed: Office) -> None:
    rows = [WIDE, ("2026-11-03", "张三、赵六", "李四、欧阳建国")]
    lines = await taken(staffed, xlsx(rows), unit="")
    assert [line.split()[-3:] for line in lines] == [
        ["小榄镇", "duty_leader", "赵六"],
        ["小榄镇", "duty_officer", "欧阳建国"],
        ["石岐街道", "duty_leader", "张三"],
        ["石岐街道", "duty_officer", "李四"],
    ]


BAD: dict[str, tuple[Rows, list[tuple[str, int, str]]]] = {
    "30 February": ([WIDE, ("2026/2/30", "张三", "李四")], [("no_such_day", 2, "A 日期")]),
    "a 13th month": ([WIDE, ("2026/13/1", "张三", "李四")], [("no_such_day", 2, "A 日期")]),
    "29 February of no leap year": ([WIDE, ("2月29日", "张三", "李四")], [("no_such_day", 2, "A 日期")]),
    "a word for a day": ([WIDE, ("明天", "张三", "李四")], [("bad_day", 2, "A 日期")]),
    "a small number": ([WIDE, (3, "张三", "李四")], [("bad_day", 2, "A 日期")]),
    "eleven point three": ([WIDE, (11.3, "张三", "李四")], [("bad_day", 2, "A 日期")]),
    "a wrong year": ([WIDE, ("2016-11-03", "张三", "李四")], [("day_far_away", 2, "A 日期")]),
    "a wrong weekday": ([WIDE, ("11月3日(周四)", "张三", "李四")], [("weekday_differs", 2, "A 日期")]),
    "a wrong weekday column": (
        [("日期", "星期", *WIDE[1:]), ("2026-11-03", "四", "张三", "李四")],
        [("weekday_differs", 2, "A 日期")],
    ),
    "a day with a time": ([WIDE, (MORNING, "张三", "李四")], [("day_with_time", 2, "A 日期")]),
    "no day above": ([WIDE, ("", "张三", "李四")], [("empty_cell", 2, "A 日期")]),
    "an unknown name": ([WIDE, ("2026-11-03", "张三", "李泗")], [("unknown_officer", 2, "C 值班员")]),
    "one of two unknown": ([WIDE, ("2026-11-03", "张三", "李四、孙悟空")], [("unknown_officer", 2, "C 值班员")]),
    "a name with more glued on": ([WIDE, ("2026-11-03", "张三丰", "李四")], [("unknown_officer", 2, "B 带班领导")]),
    "a homoglyph": ([WIDE, ("2026-11-03", "张三", "李а")], [("disguised_name", 2, "C 值班员")]),
    "a hidden mark": ([WIDE, ("2026-11-03", "张三", "李\u200b四")], [("disguised_name", 2, "C 值班员")]),
    "somebody of another unit": ([WIDE, ("2026-11-03", "赵六", "李四")], [("officer_of_other_unit", 2, "B 带班领导")]),
    "a wrong number": ([WIDE, ("2026-11-03", "张三13800000009", "李四")], [("other_phone", 2, "B 带班领导")]),
    "a note in brackets": ([WIDE, ("2026-11-03", "张三", "李四（替王五）")], [("unread_note", 2, "C 值班员")]),
    "a note in front": ([WIDE, ("2026-11-03", "张三", "（替）李四")], [("unknown_officer", 2, "C 值班员")]),
    "a number without a name": (
        [WIDE, ("2026-11-03", "张三", "李四、13800000003")],
        [("unknown_officer", 2, "C 值班员")],
    ),
    "an open bracket": ([WIDE, ("2026-11-03", "张三", "李四（王五")], [("unknown_officer", 2, "C 值班员")]),
    "the same person twice": ([WIDE, ("2026-11-03", "张三", "李四、李四")], [("officer_twice", 2, "C 值班员")]),
    "a day twice": (
        [WIDE, ("2026-11-03", "张三", "李四"), ("2026-11-03", "张三", "王五")],
        [("officer_twice", 3, "B 带班领导")],
    ),
    "two posts at once": ([WIDE, ("2026-11-03", "张三", "张三")], [("double_booking", 2, "C 值班员")]),
    "nobody on a post": ([WIDE, ("2026-11-03", "张三", "")], [("post_empty", 2, "C 值班员")]),
    "a dash on a post": ([WIDE, ("2026-11-03", "—", "李四")], [("post_empty", 2, "B 带班领导")]),
    "a day with nobody": (
        [WIDE, ("2026-11-03", "", "")],
        [("post_empty", 2, "B 带班领导"), ("post_empty", 2, "C 值班员")],
    ),
    "同上 with nothing above": ([WIDE, ("2026-11-03", "同上", "李四")], [
        ("nothing_above", 2, "B 带班领导"), ("post_empty", 2, "B 带班领导"),
    ]),
    "a shift in words": ([LONG, ("2026-11-03", "下午茶", "值班员", "李四")], [("bad_shift", 2, "B 班次")]),
    "hour 25": ([LONG, ("2026-11-03", "08:30-25:00", "值班员", "李四")], [("bad_shift", 2, "B 班次")]),
    "no post": ([LONG, ("2026-11-03", "", "", "李四")], [("empty_cell", 2, "C 岗位")]),
    "no name": ([LONG, ("2026-11-03", "", "值班员", "")], [("empty_cell", 2, "D 姓名")]),
    "no column for the post": ([("日期", "姓名"), ("2026-11-03", "李四")], [("missing_columns", 1, "")]),
    "no column for anybody": ([("日期", "备注"), ("2026-11-03", "x")], [("missing_columns", 1, "")]),
    "an unknown unit": (
        [(*LONG, "单位"), ("2026-11-03", "", "值班员", "李四", "火星镇")],
        [("unknown_unit", 2, "E 单位")],
    ),
    "no unit": ([(*LONG, "单位"), ("2026-11-03", "", "值班员", "李四", "")], [("empty_cell", 2, "E 单位")]),
    "an unknown presence": (
        [(*LONG, "到位要求"), ("2026-11-03", "", "值班员", "李四", "在家")],
        [("unknown_presence", 2, "E 到位要求")],
    ),
    "a footnote that is none": ([WIDE, ("2026-11-03", "张三", "李四"), ("合计", 1, 1)], [
        ("bad_day", 3, "A 日期"), ("unknown_officer", 3, "B 带班领导"), ("unknown_officer", 3, "C 值班员"),
    ]),
    "an unknown unit, hour 25 and an unknown name": (
        [(*LONG, "单位"), ("2026-11-03", "08:30-25:00", "值班员", "李泗", "火星镇")],
        [("unknown_unit", 2, "E 单位"), ("bad_shift", 2, "B 班次"), ("unknown_officer", 2, "D 姓名")],
    ),
    "a wrong day and two posts at once elsewhere": (
        [WIDE, ("2026/2/30", "张三", "李四"), ("2026-11-04", "张三", "张三")],
        [("no_such_day", 2, "A 日期"), ("double_booking", 3, "C 值班员")],
    ),
    "everything at once": ([WIDE, ("2026/2/30", "张珊", "李四"), ("2026-11-04", "赵六", "")], [
        ("no_such_day", 2, "A 日期"), ("unknown_officer", 2, "B 带班领导"), ("officer_of_other_unit", 3, "B 带班领导"),
        ("post_empty", 3, "C 值班员"),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_input_47_and_49_a_slip_is_named_by_its_cell_and_nothing_is_imported(
    staffed: Office, name: str
) -> None:
    rows, faults = BAD[name]
    await taken(staffed, xlsx([WIDE, ("2026-11-20", "张三", "李四")]))
    before = await staffed.counts()
    good = [*rows, ("2026-11-09", "张三", "李四")] if rows[0] is WIDE else rows
    result = await staffed.take("roster", xlsx(good), unit="石岐街道")
    assert [(one.kind, one.row, one.column) for one in result.faults] == faults
    assert await staffed.counts() == before


async def test_input_49_two_officers_of_one_name_are_listed_for_choice(staffed: Office) -> None:
    result = await staffed.take("roster", xlsx([("日期", "备班"), ("2026-11-03", "陈伟")]))
    [fault] = result.faults
    assert fault.kind == "which_officer"
    assert set(fault.facts["of"]) == {"陈伟(小榄镇 …0005)", "陈伟(石岐街道 …0006)"}
    assert result.lines[0].startswith("表1 第2行 B 备班：有几位 陈伟：陈伟(")
    assert "请在姓名后用括号写单位或手机号" in result.lines[0]


async def test_input_49_a_name_near_another_is_proposed(staffed: Office) -> None:
    result = await staffed.take("roster", xlsx([("日期", "备班"), ("2026-11-03", "欧阳建囯")]))
    assert "没有“欧阳建囯”这个人。是不是：欧阳建国？" in result.lines[0]


async def test_a_deactivated_officer_stands_no_watch(staffed: Office) -> None:
    async with staffed.door.open() as desk:
        [officer] = await desk.store.find(Officer, name="李四")
        await desk.store.change(officer, active=False)
    result = await staffed.take("roster", xlsx([WIDE, ("2026-11-03", "张三", "李四")]))
    assert [(one.kind, one.column) for one in result.faults] == [("officer_inactive", "C 值班员")]


async def test_an_unknown_unit_on_the_command_line_is_said(staffed: Office) -> None:
    result = await staffed.take("roster", xlsx([WIDE, ("2026-11-03", "张三", "李四")]), unit="火星镇")
    assert [one.kind for one in result.faults] == ["unknown_unit"]


async def test_a_unit_on_telephone_duty_needs_nobody_in_the_room(staffed: Office) -> None:
    await staffed.take("units", xlsx([("名称", "电话值班"), ("石岐街道", "是")]))
    assert await taken(staffed, xlsx([WIDE, ("2026-11-03", "张三", "")])) == TUESDAY[:1]


async def test_the_same_file_twice_changes_nothing(staffed: Office) -> None:
    data = xlsx([WIDE, ("2026-11-03", "张三", "李四")])
    await taken(staffed, data)
    before = await staffed.counts()
    result = await staffed.take("roster", data, unit="石岐街道")
    assert result.lines == ("已导入：新增 0，更改 0，删去 0，未变 2。",)
    assert await staffed.counts() == before


async def test_a_trial_shows_who_comes_and_who_goes(staffed: Office) -> None:
    await taken(staffed, xlsx([WIDE, ("2026-11-03", "张三", "李四"), ("2026-11-04", "张三", "王五")]))
    before = await staffed.counts()
    data = xlsx([WIDE, ("2026-11-03", "张三", "王五、陈伟")])
    result = await staffed.take("roster", data, unit="石岐街道", dry_run=True)
    assert result.lines == (
        "－ 2026-11-03 08:30 至 11-04 08:30 石岐街道 值班员 李四",
        "＋ 2026-11-03 08:30 至 11-04 08:30 石岐街道 值班员 王五",
        "＋ 2026-11-03 08:30 至 11-04 08:30 石岐街道 值班员 陈伟",
        "试运行，未写入：将新增 2，更改 0，删去 1，未变 1。",
    )
    assert await staffed.counts() == before


async def test_an_import_is_one_line_of_the_log_for_each_unit(staffed: Office) -> None:
    await taken(staffed, xlsx([WIDE, ("2026-11-03", "张三", "李四"), ("2026-11-04", "张三", "李四")]))
    [line] = [one for one in await staffed.found(LogLine) if one.kind == "roster_imported"]
    assert line.facts == {"added": 4, "removed": 0, "changed": 0, "days": ["2026-11-03", "2026-11-04"]}
    assert line.at == datetime(2026, 11, 1, 4, tzinfo=UTC)
