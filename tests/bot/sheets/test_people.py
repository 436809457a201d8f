"""People and units from files: what is read, what is named as wrong, and that all come or none."""

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.sheets.phones import read_phone
from roster.model import Account, Officer, Role, Unit
from tests.bot.sheets.offices import PEOPLE, UNITS, Office, csv, xlsx

TOWN = Path(__file__).parents[3] / "bot/town/data"
HEAD = ("姓名", "手机", "单位", "职务", "角色", "企业微信", "Telegram")
UNIT_HEAD = ("名称", "上级", "纬度", "经度", "类别", "电话值班")


def person(**changes: Any) -> tuple[Any, ...]:
    """A good row, changed."""
    good = dict(zip(HEAD, ("钱七", "13900000001", "石岐街道", "科员", "信息员", "qianqi", 700), strict=True))
    return tuple((good | changes).values())


async def test_the_people_of_the_town_come_in_after_its_units(office: Office) -> None:
    units = tomllib.loads((TOWN / "units.toml").read_text("utf-8"))["unit"]
    rows = [("名称", "上级", "纬度", "经度"), *((u["name"], u["parent"], u["lat"], u["lon"]) for u in units)]
    assert not (await office.take("units", xlsx(rows))).faults
    result = await office.take("people", (TOWN / "people.csv").read_bytes(), "people.csv")
    assert not result.faults
    people = await office.found(Officer)
    assert len(people) == result.changed > 100
    assert {one.role for one in people} == set(Role)
    assert await office.found(Account) == []


async def test_headers_are_found_in_either_language_below_a_title(office: Office) -> None:
    def merged(workbook: Any, sheet: Any) -> None:
        sheet.merge_range(0, 0, 0, 6, "中山市应急值守人员名册")

    await office.take("units", xlsx([("Name", "Parent"), *UNITS[1:]]))
    title: list[Sequence[Any]] = [(), ("2026年11月",), ()]
    english = ("Phone", "ＮＡＭＥ", "unit", "Title", "role", "WeCom", "Telegram")
    rows = [*title, english, ("+86 139-0000-0001", " 钱　七 ", "石岐街道", "科员", "office", "qianqi", 700)]
    assert not (await office.take("people", xlsx(rows, fill=merged))).faults
    rows = [("姓　名（必填）*", "单 位", "联系电话："), ("孙八", "小榄镇", "13900000002")]
    assert not (await office.take("people", xlsx([*title, *rows], fill=merged))).faults
    seven, eight = sorted(await office.found(Officer), key=lambda one: one.phone)
    assert (seven.name, seven.phone, seven.title, seven.role, seven.wecom) == (
        "钱七", "13900000001", "科员", Role.office, "qianqi",
    )  # fmt: skip
    assert (eight.name, eight.phone, eight.role) == ("孙八", "13900000002", Role.officer)


async def test_a_telegram_id_is_bound_at_once_and_only_once(staffed: Office) -> None:
    for _ in range(2):
        assert not (await staffed.take("people", xlsx([HEAD, person()]))).faults
    [account] = await staffed.found(Account)
    [officer] = await staffed.found(Officer, name="钱七")
    assert (account.officer_id, account.channel, account.address) == (officer.id, "telegram", "700")
    assert account.reachable


async def test_importing_twice_changes_nothing(staffed: Office) -> None:
    before = await staffed.counts()
    for what, rows in (("units", UNITS), ("people", PEOPLE)):
        result = await staffed.take(what, xlsx(rows))
        assert (result.faults, result.changed) == ((), 0)
    assert await staffed.counts() == before


async def test_a_trial_writes_nothing_and_says_what_it_would(staffed: Office) -> None:
    before = await staffed.counts()
    rows = [HEAD, person(), ("张三", "13800000001", "小榄镇", "主任", "", "", "")]
    result = await staffed.take("people", xlsx(rows), dry_run=True)
    assert result.lines == (
        "＋ 钱七（石岐街道）：手机 13900000001、职务 科员、角色 信息员、企业微信 qianqi、Telegram 700",
        "～ 张三（小榄镇）：单位 石岐街道→小榄镇、职务 副主任→主任",
        "试运行，未写入：将新增 1，更改 1，删去 0，未变 0。",
        "名单里没有的人仍然保留；离开的人请在值班台停用。",
    )
    assert await staffed.counts() == before


async def test_an_empty_cell_changes_nothing_and_nobody_is_removed(staffed: Office) -> None:
    result = await staffed.take("people", xlsx([HEAD, ("张三", "", "石岐街道", "", "", "", "")]))
    assert (result.faults, result.changed) == ((), 0)
    assert len(await staffed.found(Officer)) == len(PEOPLE) - 1


async def test_input_47_one_bad_row_keeps_all_rows_out_and_every_fault_has_its_place(staffed: Office) -> None:
    before = await staffed.counts()
    rows = [
        ("人员名册",),
        HEAD,
        person(),
        person(姓名="周九", 手机="123", 角色="老板", 企业微信="", Telegram="@zhou"),
    ]
    result = await staffed.take("people", xlsx(rows))
    assert [(one.kind, one.sheet, one.row, one.column) for one in result.faults] == [
        ("bad_phone", "表1", 4, "B 手机"),
        ("unknown_role", "表1", 4, "E 角色"),
        ("bad_telegram", "表1", 4, "G Telegram"),
    ]
    assert result.lines[0] == "表1 第4行 B 手机：“123”不是电话号码。请写 11 位手机号，或带区号的座机。"
    assert result.lines[-1] == "共 3 处问题，没有导入任何一行。"
    assert await staffed.counts() == before


async def test_input_47_every_fault_of_a_row_is_named_at_once_those_the_desk_finds_as_well(
    staffed: Office,
) -> None:
    rows = [
        HEAD,
        person(姓名="周九", 手机="123", 单位="火星镇", 角色="老板"),
        person(姓名="吴十", 手机="138 0000 0001", 企业微信="", Telegram=""),
        person(姓名="", 手机="12", 单位="", 企业微信="", Telegram=""),
    ]
    result = await staffed.take("people", xlsx(rows))
    assert [(one.kind, one.row, one.column[0]) for one in result.faults] == [
        ("bad_phone", 2, "B"),
        ("unknown_role", 2, "E"),
        ("unknown_unit", 2, "C"),
        ("phone_taken", 3, "B"),
        ("empty_cell", 4, "A"),
        ("empty_cell", 4, "C"),
        ("bad_phone", 4, "B"),
    ]


async def test_input_47_a_unit_without_a_name_is_read_for_its_other_faults(staffed: Office) -> None:
    result = await staffed.take("units", xlsx([("名称", "上级", "纬度", "经度"), ("", "火星镇", 99, 113)]))
    assert [(one.kind, one.row) for one in result.faults] == [
        ("empty_cell", 2),
        ("bad_degrees", 2),
        ("half_a_point", 2),
        ("unknown_parent", 2),
    ]


BAD = {
    "no name": (person(姓名=""), "empty_cell"),
    "no unit": (person(单位="  "), "empty_cell"),
    "a Cyrillic letter in a name": (person(姓名="Ivаn"), "disguised_name"),
    "Han and Latin in a name": (person(姓名="张A"), "disguised_name"),
    "a name nobody can see": (person(姓名="张\u200b三"), "disguised_name"),
    "a name written backwards": (person(姓名="\u202e三张"), "disguised_name"),
    "a tag for a name": (person(姓名="<script>"), "bad_name"),
    "two names in one cell": (person(姓名="钱七、孙八"), "bad_name"),
    "a formula": (person(姓名="=HYPERLINK(1)"), "formula"),
    "a formula in full width": (person(姓名="＝1+1"), "bad_name"),
    "a command": (person(姓名="+cmd"), "bad_name"),
    "a control character": (person(职务="科\x07员"), "control_character"),
    "a delete character": (person(职务="科\x7f员"), "control_character"),
    "a very long title": (person(职务="长" * 61), "cell_too_long"),
    "a very long cell": (person(职务="长" * 3000), "cell_too_long"),
    "a number with letters": (person(手机="1390000000O"), "bad_phone"),
    "a number as Excel breaks it": (person(手机="1.39E+10"), "bad_phone"),
    "a role nobody has": (person(角色="组长"), "unknown_role"),
    "停用 as a role": (person(角色="停用"), "unknown_role"),
    "a name for a WeCom account": (person(企业微信="钱七"), "bad_wecom"),
    "a user name for a Telegram id": (person(Telegram="@qianqi"), "bad_telegram"),
    "a negative Telegram id": (person(Telegram=-100123), "bad_telegram"),
    "a Telegram id too big": (person(Telegram=str(2**60)), "bad_telegram"),
    "an unknown unit": (person(单位="火星镇"), "unknown_unit"),
    "somebody else's number": (person(手机="138 0000 0001"), "phone_taken"),
}


@pytest.mark.parametrize("name", BAD)
async def test_input_47_a_bad_row_is_named(staffed: Office, name: str) -> None:
    row, kind = BAD[name]
    before = await staffed.counts()
    result = await staffed.take("people", xlsx([HEAD, row]))
    assert [(one.kind, one.row) for one in result.faults] == [(kind, 2)]
    assert result.faults[0].column
    assert await staffed.counts() == before


@pytest.mark.parametrize("column", ["手机", "企业微信", "Telegram"])
async def test_input_49_what_two_people_cannot_share_is_named(staffed: Office, column: str) -> None:
    others = {"手机": "13900000002", "企业微信": "sunba", "Telegram": 800}
    shared = person()[HEAD.index(column)]
    second = person(姓名="孙八", **{**others, column: shared})
    result = await staffed.take("people", xlsx([HEAD, person(), second]))
    assert [(one.kind, one.row) for one in result.faults] == [("twice_in_file", 3)]
    assert not (await staffed.take("people", xlsx([HEAD, person()]))).faults
    result = await staffed.take("people", xlsx([HEAD, second]))
    kinds = {"手机": "phone_taken", "企业微信": "wecom_taken", "Telegram": "telegram_taken"}
    assert [(one.kind, one.row) for one in result.faults] == [(kinds[column], 2)]


async def test_two_people_may_exchange_their_numbers(staffed: Office) -> None:
    rows = [
        PEOPLE[0],
        ("李四", "13800000003", "石岐街道", "", ""),
        ("王五", "13800000002", "石岐街道", "", ""),
    ]
    result = await staffed.take("people", xlsx(rows))
    assert not result.faults
    assert {one.name: one.phone for one in await staffed.found(Officer, name_in=["李四", "王五"])} == {
        "李四": "13800000003",
        "王五": "13800000002",
    }


async def test_input_49_two_people_of_one_name_are_told_apart_by_number_or_refused(staffed: Office) -> None:
    twins = [
        HEAD,
        person(姓名="张伟", 企业微信="", Telegram=""),
        person(姓名="张伟", 手机="", 企业微信="", Telegram=""),
    ]
    result = await staffed.take("people", xlsx(twins))
    assert [(one.kind, one.row) for one in result.faults] == [("person_twice", 3)]
    twins[2] = person(姓名="张伟", 手机="13900000002", 企业微信="", Telegram="")
    result = await staffed.take("people", xlsx(twins))
    assert not result.faults
    assert "石岐街道 有两位 张伟（另一位在第2行），按手机号区分。" in result.lines[0]
    assert len(await staffed.found(Officer, name="张伟")) == 2
    result = await staffed.take(
        "people", xlsx([HEAD, person(姓名="张伟", 手机="", 企业微信="", Telegram="")])
    )
    assert [one.kind for one in result.faults] == ["which_person"]
    assert "13900000001、13900000002" in result.lines[0]


async def test_who_was_deactivated_stays_so_and_is_said(staffed: Office) -> None:
    async with staffed.door.open() as desk:
        [officer] = await desk.store.find(Officer, name="张三")
        await desk.store.change(officer, active=False)
    result = await staffed.take("people", xlsx(PEOPLE))
    assert (result.faults, result.changed) == ((), 0)
    assert result.lines[0] == "！ 张三（石岐街道）已停用，导入不恢复，这一行未用"
    assert not (await staffed.found(Officer, name="张三"))[0].active


async def test_input_46_formulas_errors_and_merged_cells_are_named_or_understood(staffed: Office) -> None:
    def fill(workbook: Any, sheet: Any) -> None:
        sheet.write_formula("B2", '="139"&"00000001"', None, "13900000001")
        sheet.write_formula("D3", "=1/0", None, "#DIV/0!")
        sheet.write_formula("I3", "=SUM(A1:A2)", None, 3)  # Not in the list's columns: nobody minds.
        sheet.merge_range("C2:C4", "石岐街道")

    rows = [
        HEAD,
        person(),
        person(姓名="孙八", 手机="", 企业微信="", Telegram=""),
        ("周九", "", "", "", "", "", ""),
    ]
    result = await staffed.take("people", xlsx(rows, fill=fill))
    assert [(one.kind, one.row, one.facts["cell"]) for one in result.faults] == [
        ("formula", 2, "B2"),
        ("formula", 3, "D3"),
    ]

    def across(workbook: Any, sheet: Any) -> None:
        sheet.merge_range("C2:C4", "石岐街道")
        sheet.merge_range("D3:E3", "科员")

    result = await staffed.take("people", xlsx(rows, fill=across))
    assert [(one.kind, one.row, one.facts["cell"]) for one in result.faults] == [("merged_across", 3, "D3")]

    def only_down(workbook: Any, sheet: Any) -> None:
        sheet.merge_range("C2:C4", "石岐街道")

    assert not (await staffed.take("people", xlsx(rows, fill=only_down))).faults
    assert {one.name for one in await staffed.found(Officer, name_in=["孙八", "周九"])} == {"孙八", "周九"}


async def test_several_sheets_are_one_list_and_a_sheet_without_headers_is_said(staffed: Office) -> None:
    notes = [("填表说明",), ("每人一行",)]
    result = await staffed.take("people", xlsx([HEAD, person()], notes, [HEAD, person(姓名="孙八")]))
    assert [(one.kind, one.sheet, one.row) for one in result.faults] == [
        ("twice_in_file", "表3", 2),
        ("twice_in_file", "表3", 2),
        ("twice_in_file", "表3", 2),
    ]
    second = person(姓名="孙八", 手机="", 企业微信="", Telegram="")
    result = await staffed.take("people", xlsx([HEAD, person()], notes, [HEAD, second]))
    assert result.changed == 2
    assert result.lines[0] == "表2：没有找到表头，这张表未读取。"


async def test_of_very_many_faults_a_person_reads_two_hundred(staffed: Office) -> None:
    rows = [HEAD, *(person(姓名="钱七", 手机="1", 单位="", 企业微信="", Telegram="") for _ in range(300))]
    result = await staffed.take("people", xlsx(rows))
    assert len(result.faults) == 201
    assert result.faults[-1].kind == "more_faults"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("13800000001", "13800000001"),
        ("138 0000 0001", "13800000001"),
        ("138-0000-0001", "13800000001"),
        ("+86 138 0000 0001", "13800000001"),
        ("+8613800000001", "13800000001"),
        ("008613800000001", "13800000001"),
        ("8613800000001", "13800000001"),
        ("１３８０００００００１", "13800000001"),
        ("0760-88881234", "076088881234"),
        ("(0760) 8888 1234", "076088881234"),
        ("+86 760 8888 1234", "076088881234"),
        ("+86 10 8888 1234", "01088881234"),
        ("88881234", "88881234"),
        ("+852 9123 4567", "+85291234567"),
        ("00853 6612 3456", "+85366123456"),
        ("", ""),
        (" ", ""),
        ("12800000001", None),
        ("1380000000", None),
        ("138000000012", None),
        ("+86138000", None),
        ("电话", None),
    ],
)
def test_a_number_has_one_form(text: str, number: str | None) -> None:
    assert read_phone(text) == number


BAD_UNITS = {
    "no name": (("", "", 22.5, 113.3), "empty_cell"),
    "half a point": (("甲镇", "", 22.5, ""), "half_a_point"),
    "a point in the sea": (("甲镇", "", 0, 0), "zero_point"),
    "latitude 91": (("甲镇", "", 91, 113.3), "bad_degrees"),
    "swapped": (("甲镇", "", 113.3, 22.5), "bad_degrees"),
    "not a number": (("甲镇", "", "nan", 113.3), "bad_degrees"),
    "words for degrees": (("甲镇", "", "北纬22度", 113.3), "bad_degrees"),
    "an unknown parent": (("甲镇", "火星", "", ""), "unknown_parent"),
    "its own parent": (("甲镇", "甲镇", "", ""), "parent_circle"),
    "an unknown kind": (("甲镇", "", "", "", "帝国"), "unknown_kind"),
    "maybe on telephone duty": (("甲镇", "", "", "", "", "也许"), "not_yes_or_no"),
    "an invisible letter": (("甲\u200b镇", "", "", ""), "bad_unit_name"),
}


@pytest.mark.parametrize("name", BAD_UNITS)
async def test_a_bad_unit_is_named(staffed: Office, name: str) -> None:
    row, kind = BAD_UNITS[name]
    before = await staffed.counts()
    result = await staffed.take("units", xlsx([UNIT_HEAD, ("好镇",), row]))
    assert kind in [one.kind for one in result.faults]
    assert {one.row for one in result.faults} == {3}
    assert await staffed.counts() == before


async def test_units_may_stand_in_any_order_and_in_no_circle(staffed: Office) -> None:
    circle = [UNIT_HEAD, ("甲镇", "乙镇"), ("乙镇", "甲镇")]
    assert {one.kind for one in (await staffed.take("units", xlsx(circle))).faults} == {"parent_circle"}
    twice = [UNIT_HEAD, ("甲镇",), ("甲镇",)]
    assert [one.kind for one in (await staffed.take("units", xlsx(twice))).faults] == ["unit_twice"]
    rows = [UNIT_HEAD, ("某某村", "甲镇", 22.5, 113.3, "", "是"), ("甲镇", "市应急办", 22.4, 113.2, "管委会")]
    assert not (await staffed.take("units", xlsx(rows))).faults
    units = {one.name: one for one in await staffed.found(Unit)}
    assert units["某某村"].parent_id == units["甲镇"].id
    assert units["甲镇"].parent_id == units["市应急办"].id
    assert (units["某某村"].kind, units["甲镇"].kind) == ("village", "committee")
    assert units["某某村"].phone_duty and not units["甲镇"].phone_duty
    assert (units["某某村"].lat, units["某某村"].lon) == (22.5, 113.3)


async def test_a_unit_is_changed_in_place(staffed: Office) -> None:
    [before] = await staffed.found(Unit, name="小榄镇")
    result = await staffed.take("units", xlsx([UNIT_HEAD, ("小榄镇", "石岐街道", 22.6, 113.2)]))
    assert result.lines[0] == "～ 单位 小榄镇：纬度 22.6、经度 113.2、上级 市应急办→石岐街道"
    [parent] = await staffed.found(Unit, name="石岐街道")
    [after] = await staffed.found(Unit, name="小榄镇")
    assert after == replace(before, lat=22.6, lon=113.2, parent_id=parent.id, version=before.version + 1)


async def test_the_guard_of_our_own_csv_is_taken_off_again(staffed: Office) -> None:
    rows = [HEAD[:4], ("钱七", "'+852 9123 4567", "石岐街道", "'-科员")]
    assert not (await staffed.take("people", csv(rows), "a.csv")).faults
    [officer] = await staffed.found(Officer, name="钱七")
    assert (officer.phone, officer.title) == ("+85291234567", "-科员")
