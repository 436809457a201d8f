"""A machine's clock that jumps is not believed until a platform's answer agrees, and then it is at once."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bot.second_clock import DOUBT_SECONDS_MAX, OTHERS_GOOD_FOR_SECONDS, SecondClock

TRUE = datetime(2026, 11, 23, 19, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Times:
    """The true time, how far the machine's clock is from it, and the seconds nobody can set."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.ahead = timedelta()
        self.second = SecondClock(self, lambda: self.seconds)

    def now(self) -> datetime:
        return self.true + self.ahead

    @property
    def true(self) -> datetime:
        return TRUE + timedelta(seconds=self.seconds)

    def hear(self) -> None:
        self.second.heard(format_datetime(self.true, usegmt=True))


@pytest.fixture
def times() -> Times:
    return Times()


def test_fault_27_a_jump_ahead_is_doubted_until_a_platform_agrees(times: Times) -> None:
    times.hear()
    assert times.second.doubt() == ""
    times.seconds += 5
    times.ahead += HOUR
    assert times.second.doubt() == "+3600 s"
    times.hear()
    assert times.second.doubt() == "+3600 s", "the platform disagrees as well"
    times.ahead = timedelta()
    times.hear()
    assert times.second.doubt() == ""


def test_a_machine_that_slept_is_believed_as_soon_as_a_platform_agrees(times: Times) -> None:
    times.hear()
    times.second.doubt()
    slept = HOUR
    times.ahead += slept  # The seconds of the process stood still, the wall went on: both clocks are right.
    assert times.second.doubt() == "+3600 s"
    times.second.heard(format_datetime(times.now(), usegmt=True))
    assert times.second.doubt() == ""


def test_without_a_second_clock_nothing_is_doubted(times: Times) -> None:
    times.second.doubt()
    times.ahead += HOUR
    assert times.second.doubt() == ""
    for nonsense in (None, "", "yesterday", "Mon, 99 Foo 2026 00:00:00 GMT", "Mon, 23 Nov 2026 19:00:00"):
        times.second.heard(nonsense)
    assert times.second.doubt() == ""


def test_small_steps_steps_back_and_the_course_of_time_are_no_jump(times: Times) -> None:
    times.hear()
    for step in (timedelta(seconds=30), timedelta(seconds=-50), timedelta(seconds=59)):
        times.second.doubt()
        times.ahead += step
        assert times.second.doubt() == ""
    times.seconds += 3 * OTHERS_GOOD_FOR_SECONDS
    assert times.second.doubt() == ""


def test_a_clock_that_was_wrong_from_the_start_is_doubted_too(times: Times) -> None:
    times.ahead = -2 * HOUR
    times.hear()
    assert times.second.doubt() == "-7200 s"


def test_a_platform_that_is_silent_or_wrong_for_long_does_not_hold_the_desk_for_ever(times: Times) -> None:
    times.hear()
    times.second.doubt()
    times.ahead += HOUR
    assert times.second.doubt()
    times.seconds += OTHERS_GOOD_FOR_SECONDS + 1
    assert times.second.doubt() == "", "nobody was heard for ten minutes"
    times.hear()
    assert times.second.doubt() == "+3600 s"
    times.seconds += DOUBT_SECONDS_MAX
    times.hear()
    assert times.second.doubt() == "", "an hour is enough"
