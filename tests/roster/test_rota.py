"""Who holds which post: the very moments of change, and every gap."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roster.calendar import DayClass
from roster.model import Presence, Shift, Unit
from roster.rota import REQUIRED, Gap, Need, gaps, holder, holders, next_watch, on_watch, required, watch_span

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TOWN = Unit("xl", "小榄镇")


def shift(
    who: str,
    post: str = "duty_officer",
    start: float = 0,
    end: float = 24,
    *,
    unit: str = "xl",
    presence: Presence = Presence.on_site,
) -> Shift:
    return Shift(
        f"{unit}-{post}-{who}-{start}", unit, post, who, NOON + start * HOUR, NOON + end * HOUR, presence
    )


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(-0.001, None), (0, "zhang"), (23.999, "zhang"), (24, "li"), (47.999, "li"), (48, None)],
)
def test_a_shift_holds_from_its_start_until_just_before_its_end(hours: float, expected: str | None) -> None:
    shifts = [shift("li", start=24, end=48), shift("zhang")]
    held = holder("xl", "duty_officer", shifts, NOON + hours * HOUR)
    assert (held.officer_id if held else None) == expected


def test_two_on_one_post_are_both_its_holders_first_comer_first() -> None:
    shifts = [shift("second", start=-1), shift("first", start=-2), shift("other", post="duty_leader")]
    assert [one.officer_id for one in holders("xl", "duty_officer", shifts, NOON)] == ["first", "second"]
    assert holders("elsewhere", "duty_officer", shifts, NOON) == []


def test_the_next_watch_is_everybody_of_the_next_change() -> None:
    shifts = [
        shift("now"),
        shift("a", start=24),
        shift("b", "duty_leader", start=24),
        shift("later", start=48),
    ]
    assert {one.officer_id for one in next_watch(shifts, NOON)} == {"a", "b"}
    assert {one.officer_id for one in next_watch(shifts, NOON + 24 * HOUR)} == {"later"}
    assert next_watch(shifts, NOON + 48 * HOUR) == []


def test_a_watch_runs_from_change_to_change_in_local_time() -> None:
    begins, ends = watch_span(date(2026, 11, 23), "08:30", ZoneInfo("Asia/Shanghai"))
    assert (begins, ends) == (
        datetime(2026, 11, 23, 0, 30, tzinfo=UTC),
        datetime(2026, 11, 24, 0, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("shifts", "expected"),
    [
        ([shift("a")], []),
        ([], [(0, 24, 0)]),
        ([shift("a", end=8), shift("b", start=8)], []),
        ([shift("a", end=8), shift("b", start=9)], [(8, 9, 0)]),
        ([shift("a", start=-5, end=1)], [(1, 24, 0)]),
        ([shift("a", unit="elsewhere")], [(0, 24, 0)]),
    ],
)
def test_a_gap_is_every_stretch_nobody_holds(
    shifts: list[Shift], expected: list[tuple[int, int, int]]
) -> None:
    found = gaps(shifts, [TOWN], ["duty_officer"], (NOON, NOON + 24 * HOUR))
    assert found == [
        Gap("xl", "duty_officer", NOON + start * HOUR, NOON + end * HOUR, 1, held)
        for start, end, held in expected
    ]


def test_the_same_person_twice_is_one_person() -> None:
    need = Need("duty_officer", 2)
    found = gaps([shift("a"), shift("a", start=-1)], [TOWN], [need], (NOON, NOON + HOUR))
    assert [(gap.needed, gap.held) for gap in found] == [(2, 1)]


def test_dual_lead_needs_two_and_one_of_them_on_site() -> None:
    [need] = [one for one in required(DayClass.holiday) if one.post == "duty_leader"]
    span = (NOON, NOON + HOUR)
    town = shift("town", "duty_leader", presence=Presence.in_town)
    away = shift("away", "duty_leader", presence=Presence.reachable)
    here = shift("here", "duty_leader")
    assert [gap.on_site_short for gap in gaps([town, away], [TOWN], [need], span)] == [1]
    assert [gap.held for gap in gaps([here], [TOWN], [need], span)] == [1]
    assert gaps([town, here], [TOWN], [need], span) == []


def test_phone_duty_and_villages_and_units_of_the_past_have_no_gap() -> None:
    units = [
        Unit("p", "电话值班所", phone_duty=True),
        Unit("v", "绩东一社区", kind="village"),
        Unit("old", "东升镇", valid_to="2021-07-20"),
        Unit("new", "未来镇", valid_from="2030-01-01"),
    ]
    assert gaps([], units, ["duty_officer"], (NOON, NOON + HOUR)) == []


def test_every_class_of_day_has_its_rule_and_none_is_laxer_than_a_workday() -> None:
    assert set(REQUIRED) == set(DayClass)
    plain = {need.post: need.count for need in required(DayClass.workday)}
    for day_class in DayClass:
        assert all(need.count >= plain[need.post] for need in required(day_class))
    assert {need.post: need.count for need in required(DayClass.sensitive)} == {
        "duty_leader": 2,
        "duty_officer": 2,
    }


@given(st.lists(st.tuples(st.integers(0, 23), st.integers(1, 24)), max_size=6))
def test_gaps_and_watches_never_overlap_and_fill_the_span(parts: list[tuple[int, int]]) -> None:
    shifts = [
        shift(f"p{number}", start=start, end=start + length) for number, (start, length) in enumerate(parts)
    ]
    found = gaps(shifts, [TOWN], ["duty_officer"], (NOON, NOON + 24 * HOUR))
    for quarter in range(24 * 4):
        at = NOON + quarter * HOUR / 4
        is_gap = any(gap.starts_at <= at < gap.ends_at for gap in found)
        assert is_gap is (on_watch(shifts, at) == [])
    assert all(one.ends_at < other.starts_at for one, other in pairwise(found))
