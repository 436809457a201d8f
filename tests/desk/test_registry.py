"""Lists of units, people and watches are taken whole or not at all, and harmlessly twice."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.store.memory import MemoryDatabase
from bot.store.sql import Database
from desk.enrolment import bind
from desk.lists import Difference, Mark, PersonRow, Refused, ShiftRow, Spot, UnitRow
from desk.model import Letter
from desk.registry import apply_people, apply_units, current_units, digits, one_form, plan_people
from desk.rostering import apply_roster, plan_roster
from incidents.model import LogLine
from roster.model import Account, Officer, Presence, Role, Shift, Unit
from tests.bot.sheets.offices import NOW, Office, open_office

DAY = timedelta(days=1)
BEGINS = datetime(2026, 11, 3, 0, 30, tzinfo=UTC)  # 08:30 in Zhongshan.
UNITS = (Unit("u1", "石岐街道"), Unit("u2", "小榄镇"))
PEOPLE = tuple(
    Officer(f"o{number}", name, "u1", f"1380000000{number}")
    for number, name in enumerate("张三 李四 王五".split())
)


@pytest.fixture
async def office() -> Office:
    """Two units, three people of the first."""
    office = open_office(MemoryDatabase())
    async with office.door.open() as desk:
        await desk.store.add(*UNITS)
        await desk.store.add(*PEOPLE)
    return office


def watch(officer: str, post: str = "duty_officer", day: int = 0, unit: str = "u1", row: int = 2) -> ShiftRow:
    """A whole watch, so many days after the first."""
    starts_at = BEGINS + day * DAY
    return ShiftRow(unit, post, officer, starts_at, starts_at + DAY, spot=Spot("表1", row), column="C 值班员")


async def take(office: Office, *rows: ShiftRow) -> Difference:
    async with office.door.open() as desk:
        return await apply_roster(desk, rows, "o0")


async def standing(office: Office) -> list[tuple[str, str, int]]:
    """Post, officer and day of every watch."""
    shifts = await office.found(Shift)
    return sorted((one.post, one.officer_id, (one.starts_at - BEGINS).days) for one in shifts)


async def test_a_roster_replaces_only_its_own_units_days_and_posts(office: Office) -> None:
    await take(
        office,
        watch("o0"), watch("o0", day=1), watch("o1", "duty_leader"), watch("o1", "duty_leader", day=1),
        watch("o2", unit="u2"),
    )  # fmt: skip
    difference = await take(office, watch("o2", day=1))
    assert await standing(office) == [
        ("duty_leader", "o1", 0), ("duty_leader", "o1", 1),
        ("duty_officer", "o0", 0), ("duty_officer", "o2", 0), ("duty_officer", "o2", 1),
    ]  # fmt: skip
    assert [(one.mark, one.facts["name"]) for one in difference.entries] == [
        (Mark.removed, "张三"),
        (Mark.added, "王五"),
    ]


async def test_a_watch_that_began_stays_as_it_is_and_its_gap_may_be_filled(office: Office) -> None:
    await take(office, watch("o0"))
    office.clock.at = BEGINS
    difference = await take(office, watch("o1"), watch("o2", "duty_leader"))
    assert await standing(office) == [("duty_leader", "o2", 0), ("duty_officer", "o0", 0)]
    assert [(one.mark, one.kind) for one in difference.entries if one.mark is Mark.kept] == [
        (Mark.kept, "shift_begun")
    ]
    assert difference.changes == 1
    office.clock.at = BEGINS - timedelta(minutes=1)
    await take(office, watch("o1"))
    assert await standing(office) == [("duty_leader", "o2", 0), ("duty_officer", "o1", 0)]


async def test_a_roster_taken_twice_is_taken_once(office: Office) -> None:
    rows = [watch("o0"), watch("o1", "duty_leader")]
    await take(office, *rows)
    before = await office.found(Shift), await office.found(LogLine)
    difference = await take(office, *rows)
    assert (difference.entries, difference.unchanged) == ((), 2)
    assert (await office.found(Shift), await office.found(LogLine)) == before


async def test_presence_is_the_posts_own_until_a_list_says_otherwise(office: Office) -> None:
    await take(office, watch("o0", "standby"))
    [shift] = await office.found(Shift)
    assert shift.presence is Presence.reachable
    nearer = ShiftRow("u1", "standby", "o0", BEGINS, BEGINS + DAY, Presence.on_site)
    difference = await take(office, nearer)
    assert [one.kind for one in difference.entries] == ["shift_changed"]
    [changed] = await office.found(Shift)
    assert (changed.id, changed.presence) == (shift.id, Presence.on_site)
    assert (await take(office, watch("o0", "standby"))).changes == 0


@pytest.mark.parametrize(
    ("stored", "rows", "kinds"),
    [
        ([], [watch("o0"), watch("o0", "duty_leader", row=3)], ["double_booking"]),
        ([], [watch("o0"), watch("o0", unit="u2", row=3)], ["double_booking"]),
        ([watch("o0", unit="u2")], [watch("o0")], ["double_booking_stored"]),
        ([watch("o0", "standby")], [watch("o0")], ["double_booking_stored"]),
        ([watch("o0")], [watch("o0"), watch("o0", "standby", row=3)], ["double_booking"]),
        ([watch("o0")], [watch("o1"), watch("o0", "standby", row=3)], []),
        ([], [watch("o0"), watch("o0", day=1)], []),
    ],
)
async def test_nobody_stands_two_watches_at_once(
    office: Office, stored: Sequence[ShiftRow], rows: Sequence[ShiftRow], kinds: list[str]
) -> None:
    await take(office, *stored)
    before = await standing(office)
    if kinds:
        with pytest.raises(Refused) as refused:
            await take(office, *rows)
        assert [one.kind for one in refused.value.conflicts] == kinds
        assert await standing(office) == before
    else:
        await take(office, *rows)
        assert len(await standing(office)) == len(rows)


async def test_a_long_watch_is_seen_behind_a_short_one(office: Office) -> None:
    long = ShiftRow("u1", "standby", "o0", BEGINS, BEGINS + DAY, spot=Spot("表1", 2))
    hour = timedelta(hours=1)
    short = [
        ShiftRow("u1", f"p{at}", "o0", BEGINS + at * hour, BEGINS + (at + 1) * hour, spot=Spot("表1", 2 + at))
        for at in (1, 3)
    ]
    with pytest.raises(Refused) as refused:
        await take(office, long, *short)
    assert [one.spot.row for one in refused.value.conflicts] == [3, 5]


@given(
    st.lists(
        st.tuples(st.sampled_from(["o0", "o1", "o2"]), st.sampled_from(["a", "b"]), st.integers(0, 3)),
        max_size=12,
    ),
    st.lists(
        st.tuples(st.sampled_from(["o0", "o1", "o2"]), st.sampled_from(["a", "b"]), st.integers(0, 3)),
        max_size=12,
    ),
)
async def test_after_any_two_rosters_nobody_is_doubled_and_the_plan_was_true(
    first: list[tuple[str, str, int]], second: list[tuple[str, str, int]]
) -> None:
    database = MemoryDatabase()
    office = open_office(database)
    async with office.door.open() as desk:
        await desk.store.add(*UNITS)
        await desk.store.add(*PEOPLE)
    for listed in (first, second):
        rows = [watch(officer, post, day) for officer, post, day in listed]
        before = await standing(office)
        try:
            async with office.door.read() as store:
                planned = (await plan_roster(store, office.door.policy, rows, NOW)).difference
            done = await take(office, *rows)
        except Refused:
            assert await standing(office) == before
            continue
        after = await standing(office)
        assert planned == done
        assert len(after) == len(before) + done.count(Mark.added) - done.count(Mark.removed)
        assert {(post, officer, day) for officer, post, day in listed} <= set(after)
        assert len({(officer, day) for _, officer, day in after}) == len(after)
        assert (await take(office, *rows)).changes == 0


async def test_people_are_matched_by_number_then_by_name_and_unit(office: Office) -> None:
    rows = [
        PersonRow("张三", "小榄镇", "13800000000", title="主任"),  # Moved: the number tells.
        PersonRow("李 四", "石岐街道", "13900000001"),  # A new number for the only one of this name.
        PersonRow("王五", "小榄镇", "13900000002"),  # Another person: other unit, other number.
    ]
    async with office.door.open() as desk:
        difference = await apply_people(desk, rows, "o0")
    assert [(one.mark, one.facts["name"]) for one in difference.entries] == [
        (Mark.changed, "张三"),
        (Mark.changed, "李 四"),
        (Mark.added, "王五"),
    ]
    people = {one.id: one for one in await office.found(Officer)}
    assert (people["o0"].unit_id, people["o0"].title, people["o1"].phone) == ("u2", "主任", "13900000001")
    assert people["o2"].phone == "13800000002" and len(people) == 4


async def test_a_number_written_otherwise_is_no_change(office: Office) -> None:
    async with office.door.open() as desk:
        [officer] = await desk.store.find(Officer, id="o0")
        await desk.store.change(officer, phone="138-0000-0000")
    async with office.door.read() as store:
        plan = await plan_people(store, [PersonRow("张三", "石岐街道", "13800000000")], NOW)
    assert (plan.steps, plan.difference.unchanged) == ((), 1)
    assert digits("138-0000 0000") == "13800000000"


async def test_a_role_is_logged_and_numbers_are_not(office: Office) -> None:
    row = PersonRow("张三", "石岐街道", "13912345678", role=Role.admin, telegram="777")
    async with office.door.open() as desk:
        await apply_people(desk, [row], "o1")
    lines = {one.kind: one for one in await office.found(LogLine)}
    assert lines["officer_changed"].subject == "officer:o0"
    assert lines["officer_changed"].actor == "o1"
    assert lines["officer_changed"].facts == {
        "name": "张三",
        "fields": ["phone", "role", "telegram"],
        "role": "admin",
    }
    assert lines["people_imported"].facts == {"added": 0, "changed": 1, "unchanged": 0}
    text = " ".join(str(one.facts) for one in lines.values())
    assert "13912345678" not in text and "777" not in text


async def test_a_new_telegram_id_replaces_the_old_which_is_told(office: Office) -> None:
    for address in ("700", "800", "800"):
        async with office.door.open() as desk:
            await apply_people(desk, [PersonRow("张三", "石岐街道", telegram=address)], "system")
    accounts = {one.address: (one.reachable, one.fault) for one in await office.found(Account)}
    assert accounts == {"700": (False, "replaced"), "800": (True, "")}
    told = [one for one in await office.found(Letter) if one.kind == "account_moved"]
    assert [one.channels for one in told] == [("telegram:700",)]


async def test_an_id_the_platform_refused_is_not_bound_again_by_the_list(office: Office) -> None:
    async with office.door.open() as desk:
        [officer] = await desk.store.find(Officer, id="o0")
        account = await bind(desk, officer, "telegram", "700")
        await desk.store.change(account, reachable=False, fault="Forbidden: bot was blocked by the user")
    async with office.door.open() as desk:
        difference = await apply_people(desk, [PersonRow("张三", "石岐街道", telegram="700")], "system")
    assert difference.changes == 0
    assert not (await office.found(Account))[0].reachable


async def test_what_somebody_left_behind_may_be_used_again(office: Office) -> None:
    async with office.door.open() as desk:
        [officer] = await desk.store.find(Officer, id="o0")
        await bind(desk, officer, "telegram", "700")
        await desk.store.change(officer, active=False)
    row = PersonRow("钱七", "石岐街道", "13800000000", telegram="700")
    async with office.door.open() as desk:
        await apply_people(desk, [row], "system")
    [new] = await office.found(Officer, name="钱七")
    [account] = await office.found(Account)
    assert account.officer_id == new.id


async def test_units_of_the_past_are_no_units(office: Office) -> None:
    async with office.door.open() as desk:
        await desk.store.add(Unit("old", "南头镇", valid_to="2021-07-20"))
        with pytest.raises(Refused):
            await apply_people(desk, [PersonRow("钱七", "南头镇")], "system")
        await apply_units(desk, [UnitRow("南头镇", "石岐街道")], "system")
        await apply_people(desk, [PersonRow("钱七", "南头镇")], "system")
        units = current_units(await desk.store.find(Unit), desk.now)
    assert units["南头镇"].id != "old"
    assert units["南头镇"].parent_id == "u1"


@pytest.mark.parametrize("spelling", ["石岐街道", " 石岐 街道", "石岐街道　"])
async def test_spaces_and_width_do_not_make_another_unit(office: Office, spelling: str) -> None:
    assert one_form(spelling) == "石岐街道"
    async with office.door.open() as desk:
        assert (await apply_units(desk, [UnitRow(spelling)], "system")).changes == 0
        assert (await apply_people(desk, [PersonRow("张三", spelling)], "system")).changes == 0


async def test_a_conflict_undoes_the_whole_list_on_a_database(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/muster.db")
    await database.start()
    office = open_office(database)
    async with office.door.open() as desk:
        await apply_units(desk, [UnitRow("甲镇"), UnitRow("乙村", "甲镇")], "system")
        await apply_people(desk, [PersonRow("张三", "甲镇", "13800000001", telegram="7")], "system")
    before = await office.counts()
    for rows in (
        [PersonRow("钱七", "乙村"), PersonRow("孙八", "丙镇")],
        [PersonRow("钱七", "乙村", telegram="7")],
    ):
        with pytest.raises(Refused):
            async with office.door.open() as desk:
                await apply_people(desk, rows, "system")
        assert await office.counts() == before
    people = [PersonRow(f"员工{number}", "乙村", f"139{number:08d}") for number in range(2000)]
    async with office.door.open() as desk:
        assert (await apply_people(desk, people, "system")).changes == 2000
    async with office.door.open() as desk:
        assert (await apply_people(desk, people, "system")).changes == 0
    await database.close()
