"""Random moments: inside the window, apart, away from hand-overs, never two alike."""

import random
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roster.draws import HANDOVER_MARGIN, BadWindow, draw, window_span
from roster.model import RandomMoments, RollCallPlan

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = date(2026, 11, 23)


def plan(
    window: str = "22:00-06:00", times: int = 1, weekdays: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
) -> RollCallPlan:
    return RollCallPlan("夜间抽查", random=RandomMoments(window, times, weekdays))


@pytest.mark.parametrize(
    ("window", "opens", "shuts"),
    [
        ("22:00-06:00", "2026-11-23T22:00", "2026-11-24T06:00"),
        ("09:00-17:30", "2026-11-23T09:00", "2026-11-23T17:30"),
        ("00:00-24:00", "2026-11-23T00:00", "2026-11-24T00:00"),
        ("08:00 – 08:00", "2026-11-23T08:00", "2026-11-24T08:00"),
    ],
)
def test_a_window_that_shuts_before_it_opens_crosses_midnight(window: str, opens: str, shuts: str) -> None:
    local = tuple(datetime.fromisoformat(one).replace(tzinfo=SHANGHAI) for one in (opens, shuts))
    assert window_span(window, MONDAY, SHANGHAI) == local


@pytest.mark.parametrize("window", ["", "22-6", "25:00-06:00", "22:60-06:00", "22:00-24:01", "夜里"])
def test_a_window_that_is_none_is_named(window: str) -> None:
    with pytest.raises(BadWindow):
        draw(plan(window), MONDAY, SHANGHAI, random.Random(1))


def test_nothing_is_drawn_on_other_weekdays_or_without_random_moments() -> None:
    assert draw(plan(weekdays=(2,)), MONDAY, SHANGHAI, random.Random(1)) == ()
    assert len(draw(plan(weekdays=(1,)), MONDAY, SHANGHAI, random.Random(1))) == 1
    assert draw(RollCallPlan("定时", cron="0 8 * * *"), MONDAY, SHANGHAI, random.Random(1)) == ()


def test_the_same_seed_draws_the_same_night() -> None:
    nights = {draw(plan(times=2), MONDAY, SHANGHAI, random.Random(seed)) for seed in (7, 7, 8)}
    assert len(nights) == 2


def test_a_window_filled_by_a_handover_draws_nothing() -> None:
    assert draw(plan("08:25-08:35"), MONDAY, SHANGHAI, random.Random(1), [time(8, 30)]) == ()


def test_ten_minutes_from_a_handover_is_too_near_and_eleven_is_not() -> None:
    handover = [time(8, 30)]
    assert draw(plan("08:40-08:41"), MONDAY, SHANGHAI, random.Random(1), handover) == ()
    assert len(draw(plan("08:41-08:42"), MONDAY, SHANGHAI, random.Random(1), handover)) == 1


def test_moments_that_do_not_fit_apart_move_closer_but_stay_distinct() -> None:
    found = draw(plan("12:00-12:10", times=5), MONDAY, SHANGHAI, random.Random(3))
    assert len(set(found)) == 5


def test_a_window_narrower_than_its_moments_gives_what_fits() -> None:
    assert len(draw(plan("12:00-12:03", times=9), MONDAY, SHANGHAI, random.Random(3))) == 3


WINDOWS = ["22:00-06:00", "21:00-09:00", "08:00-20:00", "23:30-00:30"]


@given(
    st.integers(0, 2**32),
    st.sampled_from(WINDOWS),
    st.integers(1, 4),
    st.dates(date(2020, 1, 1), date(2040, 1, 1)),
)
def test_every_draw_keeps_the_rules(seed: int, window: str, times: int, day: date) -> None:
    handovers = [time(8, 30), time(20, 0)]
    found = draw(plan(window, times), day, SHANGHAI, random.Random(seed), handovers)
    opens, shuts = window_span(window, day, SHANGHAI)
    assert len(found) == len(set(found)) == times
    assert list(found) == sorted(found)
    for moment in found:
        assert moment.tzinfo is UTC and opens <= moment < shuts
        local = moment.astimezone(SHANGHAI)
        for change in handovers:
            at = datetime.combine(local.date(), change, SHANGHAI)
            assert abs(local - at) > HANDOVER_MARGIN
    assert all(later - earlier >= timedelta(minutes=3) for earlier, later in pairwise(found))
