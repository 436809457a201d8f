"""What kind of day it is, by table and at the edges."""

from datetime import UTC, date, datetime, timedelta
from importlib import resources

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roster.calendar import Calendar, CalendarFault, DayClass, load

TEXT = (resources.files("roster") / "calendar.toml").read_text("utf-8")
CALENDAR = load(TEXT)
REST = {DayClass.rest_day, DayClass.holiday, DayClass.in_lieu_rest}

DAYS = [
    # The first and last moments of the table and of the years beside it.
    ("2024-12-31", DayClass.workday, ""),
    ("2025-01-01", DayClass.holiday, "元旦"),
    ("2025-01-02", DayClass.workday, ""),
    ("2025-12-31", DayClass.workday, ""),
    # 2026, New Year: Thursday is statutory, Friday and Saturday are in lieu, Sunday is worked.
    ("2026-01-01", DayClass.holiday, "元旦"),
    ("2026-01-02", DayClass.in_lieu_rest, "元旦"),
    ("2026-01-03", DayClass.in_lieu_rest, "元旦"),
    ("2026-01-04", DayClass.makeup_workday, "元旦"),
    ("2026-01-05", DayClass.workday, ""),
    # 2026, Spring Festival: 除夕 is the 16th; the break begins a day earlier.
    ("2026-02-13", DayClass.workday, ""),
    ("2026-02-14", DayClass.makeup_workday, "春节"),
    ("2026-02-15", DayClass.in_lieu_rest, "春节"),
    ("2026-02-16", DayClass.holiday, "春节"),
    ("2026-02-19", DayClass.holiday, "春节"),
    ("2026-02-20", DayClass.in_lieu_rest, "春节"),
    ("2026-02-23", DayClass.in_lieu_rest, "春节"),
    ("2026-02-24", DayClass.workday, ""),
    ("2026-02-28", DayClass.makeup_workday, "春节"),
    ("2026-03-01", DayClass.rest_day, ""),
    # A statutory day on a Sunday, with the Monday off in its place.
    ("2026-04-04", DayClass.in_lieu_rest, "清明节"),
    ("2026-04-05", DayClass.holiday, "清明节"),
    ("2026-04-06", DayClass.in_lieu_rest, "清明节"),
    ("2026-04-07", DayClass.workday, ""),
    # Labour Day has two statutory days since 2025.
    ("2026-05-02", DayClass.holiday, "劳动节"),
    ("2026-05-03", DayClass.in_lieu_rest, "劳动节"),
    ("2026-05-09", DayClass.makeup_workday, "劳动节"),
    ("2026-09-20", DayClass.makeup_workday, "国庆节"),
    ("2026-10-07", DayClass.in_lieu_rest, "国庆节"),
    ("2026-10-08", DayClass.workday, ""),
    ("2026-10-10", DayClass.makeup_workday, "国庆节"),
    ("2026-11-28", DayClass.rest_day, ""),
    # 2025: 中秋 falls inside the National Day break and stays statutory.
    ("2025-10-06", DayClass.holiday, "国庆节、中秋节"),
    ("2025-10-07", DayClass.in_lieu_rest, "国庆节、中秋节"),
    # 2027 knows its statutory days only.
    ("2027-01-01", DayClass.holiday, "元旦"),
    ("2027-01-02", DayClass.rest_day, ""),
    ("2027-02-05", DayClass.holiday, "春节"),
    ("2027-02-09", DayClass.workday, ""),
    ("2027-10-03", DayClass.holiday, "国庆节"),
    ("2028-10-01", DayClass.rest_day, ""),
]


@pytest.mark.parametrize(("day", "day_class", "name"), DAYS)
def test_a_day_has_its_class_and_name(day: str, day_class: DayClass, name: str) -> None:
    moment = date.fromisoformat(day)
    assert (CALENDAR.day_class(moment), CALENDAR.name(moment)) == (day_class, name)


@pytest.mark.parametrize("year", [2025, 2026])
def test_work_and_rest_agree_with_an_independent_table(year: int) -> None:
    day = date(year, 1, 1)
    while day.year == year:
        assert (CALENDAR.day_class(day) in REST) == chinese_calendar.is_holiday(day), day
        day += timedelta(days=1)


def test_every_day_in_lieu_of_work_is_in_lieu_rest() -> None:
    day = date(2025, 1, 1)
    while day.year < 2027:
        if chinese_calendar.is_in_lieu(day):
            assert CALENDAR.day_class(day) is DayClass.in_lieu_rest, day
        day += timedelta(days=1)


@pytest.mark.parametrize("year", [2025, 2026, 2027])
def test_a_year_has_thirteen_statutory_days(year: int) -> None:
    days = [day for day, listed in CALENDAR.days.items() if listed.day_class is DayClass.holiday]
    assert sum(day.year == year for day in days) == 13


def test_the_makeup_days_of_2026_are_the_notices() -> None:
    found = {
        f"{d:%m-%d}"
        for d, at in CALENDAR.days.items()
        if at.day_class is DayClass.makeup_workday and d.year == 2026
    }
    assert found == {"01-04", "02-14", "02-28", "05-09", "09-20", "10-10"}


@pytest.mark.parametrize(
    ("year", "provisional"), [(2024, True), (2025, False), (2026, False), (2027, True), (2028, True)]
)
def test_a_year_without_a_notice_is_provisional(year: int, provisional: bool) -> None:
    assert CALENDAR.is_provisional(year) is provisional


def test_an_empty_calendar_still_knows_weekends_and_trusts_no_year() -> None:
    empty = load("")
    assert empty == Calendar()
    assert empty.day_class(date(2026, 10, 3)) is DayClass.rest_day
    assert empty.day_class(date(2026, 10, 1)) is DayClass.workday
    assert empty.is_provisional(2026)


def test_a_source_said_to_be_provisional_is_not_trusted() -> None:
    assert load('[[year]]\nyear = 2027\nsource = "推算"\nprovisional = true').is_provisional(2027)
    assert load('[[year]]\nyear = 2027\nsource = " "').is_provisional(2027)


SENSITIVE = TEXT + '\n[[sensitive]]\nname = "防台风"\nfrom = 2026-09-30\nto = 2026-10-01\n'


@pytest.mark.parametrize(
    ("day", "day_class", "ordinary"),
    [
        ("2026-09-29", DayClass.workday, DayClass.workday),
        ("2026-09-30", DayClass.sensitive, DayClass.workday),
        ("2026-10-01", DayClass.sensitive, DayClass.holiday),
        ("2026-10-02", DayClass.holiday, DayClass.holiday),
    ],
)
def test_a_sensitive_period_goes_first_on_its_first_and_last_day(
    day: str, day_class: DayClass, ordinary: DayClass
) -> None:
    calendar, moment = load(SENSITIVE), date.fromisoformat(day)
    assert calendar.day_class(moment) is day_class
    assert calendar.ordinary_class(moment) is ordinary
    assert (calendar.name(moment) == "防台风") is (day_class is DayClass.sensitive)


def test_a_moment_is_read_as_its_own_day() -> None:
    assert CALENDAR.day_class(datetime(2026, 1, 1, 23, 59, tzinfo=UTC)) is DayClass.holiday


@given(st.dates(date(1990, 1, 1), date(2100, 12, 31)))
def test_any_day_has_a_class_and_an_unlisted_one_follows_its_weekday(day: date) -> None:
    found = CALENDAR.day_class(day)
    if day not in CALENDAR.days:
        assert found is (DayClass.rest_day if day.weekday() >= 5 else DayClass.workday)


BREAK = "[[year]]\nyear = 2026\n[[year.break]]\n"
FAULTS = [
    ("year = ", "not TOML"),
    ("[[yaer]]\nyear = 2026", "`yaer` is not a known key"),
    ("[[year]]\nsource = 'x'", "no `year` number"),
    ("[[year]]\nyear = true", "no `year` number"),
    ("[[year]]\nyear = 2026\n[[year]]\nyear = 2026", "given twice"),
    ("[[year]]\nyear = 2026\nsource = 3", "`source` is a text"),
    ("[year]\nyear = 2026", "must be written as [["),
    (BREAK + "from = 2026-01-01\nto = 2026-01-01", "`name` is missing"),
    (BREAK + "name = '元旦'\nfrom = '2026-01-01'\nto = 2026-01-01", "must be dates"),
    (BREAK + "name = '元旦'\nfrom = 2026-01-01T00:00:00\nto = 2026-01-01", "must be dates"),
    (BREAK + "name = '元旦'\nfrom = 2026-01-02\nto = 2026-01-01", "is before"),
    (BREAK + "name = '元旦'\nfrom = 2025-01-01\nto = 2025-01-01", "is not in 2026"),
    (BREAK + "name = '元旦'\nfrom = 2026-01-01\nto = 2026-12-01", "too long"),
    (BREAK + "name = '元旦'\nfrom = 2026-01-01\nto = 2026-01-01\nstatutory = [2026-01-02]", "lies outside"),
    (BREAK + "name = '元旦'\nfrom = 2026-01-01\nto = 2026-01-01\nstatutory = ['x']", "list of dates"),
    (BREAK + "name = '元旦'\nfrom = 2026-01-01\nto = 2026-01-01\nmakeup = [2026-01-05]", "workday already"),
    (BREAK + "name = '元旦'\nfrom = 2026-01-01\nto = 2026-01-04\nmakeup = [2026-01-04]", "given twice"),
    (
        BREAK + "name = '元旦'\nfrom = 2026-01-01\nto = 2026-01-01\nmakeups = []",
        "`makeups` is not a known key",
    ),
    ("[[sensitive]]\nname = '汛期'\nfrom = 2026-05-01", "must be dates"),
]


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_a_bad_table_is_refused_with_its_fault_named(text: str, said: str) -> None:
    with pytest.raises(CalendarFault) as caught:
        load(text)
    assert any(said in fault for fault in caught.value.faults), caught.value.faults


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(CalendarFault) as caught:
        load("[[sensitive]]\nname = '汛期'\nfrom = 1\nto = 2\n[[year]]\nsource = ''\n[[holiday]]\n")
    assert len(caught.value.faults) == 3
