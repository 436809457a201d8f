"""The reporting clocks, at the very moments they turn."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from incidents.deadlines import DONE_FIELDS, ClockReading, after_follow_up, clocks, limit_for, set_clocks
from incidents.lifecycle import close, sign
from incidents.model import Incident, Severity
from incidents.tables.limits import CITY_TO_PROVINCE, TOWN_TO_CITY
from tests.incidents.samples import MINUTE, NOW, TICK, incident

CLOCKED = set_clocks(incident(), NOW, MINUTE)


def reading(one: Incident, at: datetime, name: str = "phone", from_what: str = "received") -> ClockReading:
    [found] = [clock for clock in clocks(one, at) if (clock.name, clock.from_what) == (name, from_what)]
    return found


@pytest.mark.parametrize(
    ("severity", "sensitive", "minutes"),
    [
        (Severity.extremely_serious, False, (15, 30, 60)),
        (Severity.serious, False, (15, 30, 60)),
        (Severity.major, False, (20, 40, 120)),
        (Severity.general, False, (30, 60, 240)),
        (Severity.general, True, (20, 40, 240)),
        (Severity.serious, True, (15, 30, 60)),
    ],
)
def test_the_town_reports_to_the_city_within(
    severity: Severity, sensitive: bool, minutes: tuple[int, int, int]
) -> None:
    one = set_clocks(incident(severity=severity, sensitive=sensitive), NOW, MINUTE)
    assert (one.phone_by, one.written_by, one.follow_up_by) == tuple(
        NOW + count * MINUTE for count in minutes
    )


def test_every_limit_names_its_source() -> None:
    for profile in (TOWN_TO_CITY, CITY_TO_PROVINCE):
        assert all(limit.source for limit in (*profile.limits.values(), profile.sensitive))


def test_the_city_owes_the_province_nothing_below_major_unless_sensitive() -> None:
    assert limit_for(incident(), CITY_TO_PROVINCE) is None
    assert limit_for(incident(sensitive=True), CITY_TO_PROVINCE) is not None
    assert set_clocks(incident(), NOW, MINUTE, CITY_TO_PROVINCE).phone_by is None
    assert clocks(incident(), NOW) == []


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (NOW, "running"),
        (NOW + 15 * MINUTE - TICK, "running"),
        (NOW + 15 * MINUTE, "warn"),
        (NOW + 30 * MINUTE - TICK, "warn"),
        (NOW + 30 * MINUTE, "overdue"),
        (NOW + 31 * MINUTE, "overdue"),
    ],
)
def test_a_clock_warns_at_half_and_is_overdue_at_its_end(at: datetime, state: str) -> None:
    assert reading(CLOCKED, at).state == state


@pytest.mark.parametrize(
    ("done_at", "is_late"),
    [(NOW + 30 * MINUTE, False), (NOW + 30 * MINUTE + TICK, True)],
)
def test_a_report_at_the_very_deadline_is_in_time(done_at: datetime, is_late: bool) -> None:
    told = replace(CLOCKED, phone_done_at=done_at)
    assert DONE_FIELDS == {"phone": "phone_done_at", "written": "written_done_at"}
    found = reading(told, NOW + 60 * MINUTE)
    assert (found.state, found.is_late, found.done_at) == ("done", is_late, done_at)
    assert reading(told, NOW + 60 * MINUTE, "written").state == "overdue"


def test_both_clocks_run_from_the_event_and_from_its_report() -> None:
    one = set_clocks(incident(occurred_at=NOW - 20 * MINUTE), NOW, MINUTE)
    at = NOW + 10 * MINUTE
    assert reading(one, at, from_what="occurred").state == "overdue"
    assert reading(one, at, from_what="received").state == "running"
    assert [(clock.name, clock.from_what) for clock in clocks(one, at)] == [
        ("phone", "occurred"),
        ("phone", "received"),
        ("written", "occurred"),
        ("written", "received"),
        ("follow_up", "last_report"),
    ]


def test_an_event_said_to_come_after_its_report_starts_no_clock() -> None:
    one = set_clocks(incident(occurred_at=NOW + MINUTE), NOW, MINUTE)
    assert {clock.from_what for clock in clocks(one, NOW)} == {"received", "last_report"}


def test_the_fast_clock_shortens_every_span() -> None:
    second = timedelta(seconds=1)
    one = set_clocks(incident(occurred_at=NOW), NOW, second)
    assert reading(one, NOW, from_what="occurred").due_at == NOW + 30 * second
    assert reading(one, NOW, "follow_up", "last_report").started_at == NOW


def test_a_follow_up_owes_the_next_and_a_higher_level_sooner() -> None:
    later = NOW + 60 * MINUTE
    assert after_follow_up(CLOCKED, later, MINUTE).follow_up_by == later + 240 * MINUTE
    worse = after_follow_up(replace(CLOCKED, severity=Severity.serious), later, MINUTE)
    assert (worse.follow_up_by, worse.phone_by) == (later + 60 * MINUTE, NOW + 15 * MINUTE)
    stable = after_follow_up(CLOCKED, later, MINUTE, stable=True)
    assert stable.follow_up_by == later + timedelta(days=1)
    assert (
        reading(after_follow_up(CLOCKED, later, MINUTE), later, "follow_up", "last_report").started_at
        == later
    )


def test_a_new_level_brings_the_follow_up_forward_and_never_puts_it_off() -> None:
    worse = set_clocks(replace(CLOCKED, severity=Severity.serious), NOW + MINUTE, MINUTE)
    assert worse.follow_up_by == NOW + 61 * MINUTE
    assert (
        set_clocks(replace(worse, severity=Severity.general), NOW + 2 * MINUTE, MINUTE).follow_up_by
        == NOW + 61 * MINUTE
    )


def test_after_the_end_the_clocks_stand_as_they_stood() -> None:
    signed = sign(CLOCKED, "zhang", NOW)
    early = close(signed, "zhang", "虚惊", NOW + 10 * MINUTE)
    assert [clock.state for clock in clocks(early, NOW + timedelta(days=9))] == ["done", "done"]
    late = close(signed, "zhang", "已扑灭", NOW + 40 * MINUTE)
    assert [clock.state for clock in clocks(late, NOW + timedelta(days=9))] == ["overdue", "done"]
    assert after_follow_up(late, NOW, MINUTE).follow_up_by is None
