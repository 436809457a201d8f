"""Cron lines mean what crontab(5) says, in every zone, across clock changes."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.timetable import BadCron, check, occurrences

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, tzinfo=SHANGHAI)


def local(cron: str, after: datetime, days: float, zone: ZoneInfo = SHANGHAI) -> list[str]:
    found = occurrences(cron, zone, after, after + timedelta(days=days))
    assert all(moment.tzinfo is UTC for moment in found)
    return [moment.astimezone(zone).strftime("%a %d %H:%M") for moment in found]


def test_the_start_is_excluded_and_the_end_included() -> None:
    eight = MONDAY.replace(hour=8)
    assert occurrences("0 8 * * *", SHANGHAI, eight, eight + timedelta(days=1)) == [
        (eight + timedelta(days=1)).astimezone(UTC)
    ]
    assert occurrences("0 8 * * *", SHANGHAI, eight - timedelta(seconds=1), eight) == [eight.astimezone(UTC)]


@pytest.mark.parametrize(
    ("weekday", "days"),
    [
        ("0", ["Sun"]),
        ("7", ["Sun"]),
        ("sun", ["Sun"]),
        ("1", ["Mon"]),
        ("1-5", ["Mon", "Tue", "Wed", "Thu", "Fri"]),
        ("MON-FRI", ["Mon", "Tue", "Wed", "Thu", "Fri"]),
        ("6,0", ["Sat", "Sun"]),
        ("5-7", ["Fri", "Sat", "Sun"]),
        ("fri-sun", ["Fri", "Sat", "Sun"]),
        ("mon-fri/2", ["Mon", "Wed", "Fri"]),
        ("*/2", ["Tue", "Thu", "Sat", "Sun"]),
    ],
)
def test_weekdays_count_from_sunday_as_cron_counts_them(weekday: str, days: list[str]) -> None:
    assert [one.split()[0] for one in local(f"0 8 * * {weekday}", MONDAY, 7)] == days


def test_day_and_weekday_together_mean_either() -> None:
    found = local("0 8 25 * 1", MONDAY, 8)
    assert found == ["Mon 23 08:00", "Wed 25 08:00", "Mon 30 08:00"]


def test_a_day_that_begins_with_a_star_narrows_the_weekday() -> None:
    assert local("0 8 */2 * 1", MONDAY, 14) == ["Mon 23 08:00"]


@pytest.mark.parametrize(
    ("cron", "times"),
    [
        ("*/20 9 * * *", ["09:00", "09:20", "09:40"]),
        ("5/20 9 * * *", ["09:05", "09:25", "09:45"]),
        ("0 0-12/6 * * *", ["00:00", "06:00", "12:00"]),
        ("30 8,16 * * *", ["08:30", "16:30"]),
    ],
)
def test_steps_and_lists(cron: str, times: list[str]) -> None:
    found = local(cron, MONDAY - timedelta(seconds=1), 1)
    assert [one.split()[2] for one in found] == times


def test_a_time_the_clock_change_skips_comes_due_right_after_it_wherever_one_looks_from() -> None:
    due = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 02:30 does not exist: it is 03:30.
    for minutes in (1, 10, 29, 30, 31, 600):
        after = due - timedelta(minutes=minutes)
        assert occurrences("30 2 * * *", BERLIN, after, due + timedelta(hours=2)) == [due]
    assert occurrences("30 2 * * *", BERLIN, due, due + timedelta(hours=2)) == []


def test_a_time_that_happens_twice_comes_due_once() -> None:
    found = local("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=BERLIN), 2, BERLIN)
    assert found == ["Sun 25 02:30", "Mon 26 02:30"]
    second = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)  # The second 02:00.
    assert occurrences("30 2 * * *", BERLIN, second, second + timedelta(hours=1)) == []


@pytest.mark.parametrize(
    ("cron", "part"),
    [
        ("", '""'),
        ("0 8 * *", "0 8 * *"),
        ("0 8 * * * *", "0 8 * * * *"),
        ("61 8 * * *", "61"),
        ("0 24 * * *", "24"),
        ("0 8 0 * *", "0"),
        ("0 8 * 13 *", "13"),
        ("0 8 * * 8", "8"),
        ("0 8 * * mo", "mo"),
        ("0 8 * * monday", "monday"),
        ("0 8-6 * * *", "8-6"),
        ("*/0 8 * * *", "*/0"),
        ("0 8, * * *", "8,"),
        ("0 8 * * 一", "一"),
        ("٣ 8 * * *", "٣"),
        ("@daily", "@daily"),
        ("0 8 30 2 *", "0 8 30 2 *"),
        ("0 8 31 4,6,9,11 *", "0 8 31 4,6,9,11 *"),
    ],
)
def test_a_line_that_is_wrong_or_never_due_is_named_by_its_part(cron: str, part: str) -> None:
    assert check(cron) == part
    if part != cron or len(cron.split()) != 5:
        with pytest.raises(BadCron):
            occurrences(cron, SHANGHAI, MONDAY, MONDAY)


@pytest.mark.parametrize("cron", ["0 8 * * *", "0 8 29 2 *", "0 8 29 2 1", "0 0 1 1 *"])
def test_a_sound_line_has_no_fault(cron: str) -> None:
    assert check(cron) == ""


def test_a_line_due_every_minute_is_bounded() -> None:
    assert len(occurrences("* * * * *", SHANGHAI, MONDAY, MONDAY + timedelta(days=30))) == 1_000


def some_numbers(least: int, most: int) -> st.SearchStrategy[set[int]]:
    return st.sets(st.integers(least, most), min_size=1, max_size=4)


@given(
    minutes=some_numbers(0, 59),
    hours=some_numbers(0, 23),
    weekdays=some_numbers(0, 6),
    start=st.integers(0, 365 * 24 * 60),
    zone=st.sampled_from([SHANGHAI, BERLIN, ZoneInfo("America/New_York")]),
)
def test_every_minute_of_a_day_and_a_half_is_judged_as_by_hand(
    minutes: set[int], hours: set[int], weekdays: set[int], start: int, zone: ZoneInfo
) -> None:
    after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    until = after + timedelta(hours=36)
    by_hand = []
    for number in range(1, 36 * 60 + 1):
        moment = after + timedelta(minutes=number)
        there = moment.astimezone(zone)
        is_due = there.minute in minutes and there.hour in hours and there.isoweekday() % 7 in weekdays
        if is_due and not there.fold:
            by_hand.append(moment)
    fields = (",".join(str(number) for number in sorted(one)) for one in (minutes, hours, weekdays))
    minute, hour, weekday = fields
    found = occurrences(f"{minute} {hour} * * {weekday}", zone, after, until)
    skipped = [moment for moment in found if moment not in by_hand]
    assert [moment for moment in found if moment in by_hand] == by_hand
    # What is due beyond that was skipped by a clock change: an hour earlier another offset held.
    for moment in skipped:
        before = (moment - timedelta(hours=1)).astimezone(zone)
        assert before.utcoffset() != moment.astimezone(zone).utcoffset()


def test_a_line_asked_again_and_again_and_backwards_means_the_same_moments() -> None:
    """What it remembers between two looks must not hide a moment, whichever way the clock goes."""
    zone = ZoneInfo("Asia/Shanghai")
    begin = datetime(2026, 11, 24, tzinfo=UTC)
    chance = random.Random(1)
    whole = occurrences("0 8,20 * * *", zone, begin, begin + timedelta(days=30))
    for _ in range(500):
        after = begin + timedelta(minutes=chance.randrange(0, 30 * 1440))
        until = min(after + timedelta(minutes=chance.choice((1, 60, 1440))), begin + timedelta(days=30))
        asked = occurrences("0 8,20 * * *", zone, after, until)
        assert asked == [moment for moment in whole if after < moment <= until]
