"""The roll call's rules: who owes what, the very moments of its deadlines, counts that sum."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roster.model import Answer, Officer, Presence, Proof, Result, Role, RollCall, RollCallPlan, Shift, Unit
from roster.roll_call import Due, applies_on, audience, judge, make_up, reminders, silent, tally

NOW = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
OFFICE = Unit("yj", "市应急办", kind="city_office")
TOWN = Unit("xl", "小榄镇", "yj", lat=22.67825, lon=113.23134)
VILLAGE = Unit("jd", "绩东一社区", "xl", kind="village")
PHONE = Unit("ph", "神湾镇", "yj", phone_duty=True)
UNITS = [OFFICE, TOWN, VILLAGE, PHONE]


@dataclass(frozen=True)
class Point:
    lat: float | None
    lon: float | None


def officer(name: str, unit: str = "xl", role: Role = Role.duty, *, active: bool = True) -> Officer:
    return Officer(name, name, unit, role=role, active=active)


def shift(
    who: str, post: str = "duty_officer", unit: str = "xl", presence: Presence = Presence.on_site
) -> Shift:
    return Shift(f"{who}-{post}", unit, post, who, NOW - 60 * MINUTE, NOW + 60 * MINUTE, presence)


PEOPLE = [
    officer("zhu", "yj", Role.office),
    officer("zhang"),
    officer("li", role=Role.leader),
    officer("gone", active=False),
    officer("cun", "jd", Role.officer),
    officer("shen", "ph"),
]
SHIFTS = [
    shift("zhang"),
    shift("li", "duty_leader", presence=Presence.in_town),
    shift("gone"),
    shift("shen", unit="ph"),
    shift("zhu", unit="yj"),
    shift("zhang", "duty_leader", presence=Presence.reachable),
    replace(shift("li"), ends_at=NOW),
]


def called(**plan: Any) -> list[str]:
    found = audience(RollCallPlan("点名", **plan), SHIFTS, PEOPLE, UNITS, NOW)
    return [due.officer_id for due in found]


def test_everybody_on_watch_is_called_once_in_the_order_of_units() -> None:
    assert called() == ["zhu", "li", "zhang", "shen"]


def test_posts_units_and_roles_narrow_the_call() -> None:
    assert called(posts=("duty_leader",)) == ["li", "zhang"]
    assert called(units=("小榄镇",)) == called(units=("xl",)) == ["li", "zhang"]
    assert called(roles=("officer",)) == ["cun"]
    assert called(roles=("officer",), units=("小榄镇",)) == ["cun"]
    assert called(roles=("officer",), units=("神湾镇",)) == []
    assert called(posts=("duty_leader",), roles=("officer",)) == ["li", "zhang", "cun"]
    assert called(units=("市应急办",)) == ["zhu"]
    assert called(units=("没有这个镇",)) == []


def test_who_holds_two_posts_owes_the_stricter() -> None:
    found = {due.officer_id: due for due in audience(RollCallPlan("点名"), SHIFTS, PEOPLE, UNITS, NOW)}
    assert found["zhang"] == Due("zhang", "xl", "duty_officer", Presence.on_site, Proof.tap)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (
            RollCallPlan("点名", proof=Proof.passcode),
            {"zhang": Proof.passcode, "li": Proof.tap, "shen": Proof.tap},
        ),
        (RollCallPlan("点名", needs_place=True), {"zhang": Proof.place, "li": Proof.tap, "shen": Proof.tap}),
    ],
)
def test_only_those_on_site_owe_a_proof(plan: RollCallPlan, expected: dict[str, Proof]) -> None:
    found = {due.officer_id: due.proof for due in audience(plan, SHIFTS, PEOPLE, UNITS, NOW)}
    assert {name: found[name] for name in expected} == expected


def test_classes_of_days_narrow_a_plan() -> None:
    assert applies_on(RollCallPlan("点名"), "holiday")
    assert not applies_on(RollCallPlan("点名", day_classes=("workday",)), "holiday")


CALL = RollCall("c", "点名", "s", NOW, NOW + 5 * MINUTE, NOW + 10 * MINUTE, passcode="0042")
OWED = Answer("a", "c", "zhang", "xl", "duty_officer")


@pytest.mark.parametrize(
    ("at", "result", "after_close"),
    [
        (NOW, Result.present, False),
        (CALL.on_time_until, Result.present, False),
        (CALL.on_time_until + TICK, Result.late, False),
        (CALL.closes_at, Result.late, False),
        (CALL.closes_at + TICK, Result.late, True),
    ],
)
def test_an_answer_at_the_very_deadline_is_in_time(at: datetime, result: Result, after_close: bool) -> None:
    verdict = judge(CALL, OWED, at=at)
    assert (verdict.result, verdict.after_close, verdict.missing) == (result, after_close, "")


@pytest.mark.parametrize("settled", [one for one in Result if one is not Result.waiting])
def test_the_first_answer_stands(settled: Result) -> None:
    verdict = judge(CALL, replace(OWED, result=settled), at=NOW, passcode="0042", has_photo=True)
    assert verdict.result is settled and verdict.repeated


NORTH_500 = 500 / 111_195.08  # Degrees of latitude in 500 metres.


@pytest.mark.parametrize(
    ("proof", "given", "missing"),
    [
        (Proof.tap, {}, ""),
        (Proof.passcode, {}, "passcode"),
        (Proof.passcode, {"passcode": "0043"}, "passcode"),
        (Proof.passcode, {"passcode": "0042"}, ""),
        (Proof.photo, {}, "photo"),
        (Proof.photo, {"has_photo": True}, ""),
        (Proof.place, {"has_photo": True, "passcode": "0042"}, "place"),
        (Proof.place, {"place": Point(22.67825, 113.23134)}, ""),
        (Proof.place, {"place": Point(22.67825 + NORTH_500 * 0.999, 113.23134)}, ""),
        (Proof.place, {"place": Point(22.67825 + NORTH_500 * 1.001, 113.23134)}, "place"),
        (Proof.place, {"place": Point(0.0, 0.0)}, "place"),
        (Proof.place, {"place": Point(float("nan"), 113.2)}, "place"),
        (Proof.place, {"place": Point(None, None)}, "place"),
    ],
)
def test_without_the_owed_proof_nothing_is_recorded(proof: Proof, given: dict, missing: str) -> None:
    verdict = judge(CALL, replace(OWED, proof=proof), at=NOW, unit=TOWN, **given)
    assert verdict.missing == missing
    assert (verdict.result is None) is bool(missing)


def test_a_call_without_a_passcode_takes_no_passcode() -> None:
    verdict = judge(replace(CALL, passcode=""), replace(OWED, proof=Proof.passcode), at=NOW, passcode="")
    assert verdict.missing == "passcode"


def test_a_place_no_unit_can_check_counts_and_says_so() -> None:
    verdict = judge(CALL, replace(OWED, proof=Proof.place), at=NOW, place=Point(22.6, 113.2), unit=VILLAGE)
    assert verdict.result is Result.present and verdict.unchecked


def test_the_distance_is_told_when_it_is_too_far() -> None:
    far = Point(22.67825 + 0.01, 113.23134)
    verdict = judge(CALL, replace(OWED, proof=Proof.place), at=NOW, place=far, unit=TOWN)
    assert verdict.distance == pytest.approx(1111.95, abs=1)


def test_reminders_come_in_order_once_and_only_inside_the_window() -> None:
    plan = RollCallPlan("点名", remind_after_minutes=(4, 2, 2, 0, -1, 10, 12))
    assert reminders(plan, NOW, MINUTE) == (NOW + 2 * MINUTE, NOW + 4 * MINUTE)
    assert reminders(plan, NOW, timedelta(seconds=1)) == (
        NOW + timedelta(seconds=2),
        NOW + timedelta(seconds=4),
    )


@given(st.lists(st.sampled_from(list(Result)), max_size=60))
def test_the_counts_always_sum_to_those_due(results: list[Result]) -> None:
    answers = [replace(OWED, id=str(number), result=result) for number, result in enumerate(results)]
    counts = tally(answers)
    assert sum(counts.values()) == len(answers)
    assert all(counts.values()) and set(counts) <= {one.value for one in Result}
    assert len(silent(answers)) == counts.get("waiting", 0) + counts.get("no_answer", 0)


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (-MINUTE, "on_time"),
        (0 * MINUTE, "on_time"),
        (MINUTE, "on_time"),
        (MINUTE + TICK, "make_up"),
        (10 * MINUTE, "make_up"),
        (30 * MINUTE, "make_up"),
        (30 * MINUTE + TICK, "missed"),
        (60 * MINUTE, "missed"),
    ],
)
def test_a_moment_slept_through_is_made_up_inside_the_window(late: timedelta, expected: str) -> None:
    assert make_up(RollCallPlan("点名", catch_up_minutes=30), NOW, NOW + late) == expected


@given(
    st.lists(st.sampled_from(SHIFTS), max_size=12), st.booleans(), st.sampled_from([(), ("duty_officer",)])
)
def test_nobody_owes_two_answers(shifts: list[Shift], needs_place: bool, posts: tuple[str, ...]) -> None:
    plan = RollCallPlan(
        "点名", posts=posts, roles=("officer", "leader") if posts else (), needs_place=needs_place
    )
    people = [due.officer_id for due in audience(plan, shifts, PEOPLE, UNITS, NOW)]
    assert len(people) == len(set(people)) and "gone" not in people
