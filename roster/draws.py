"""Draws the random moments of a day's roll calls (抽查): inside the window, apart, never near a hand-over."""

import random
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from roster.model import RandomMoments, RollCallPlan

HANDOVER_MARGIN = timedelta(minutes=10)
APART_AT_LEAST = timedelta(minutes=5)  # Beyond the answer window, so one call is over before the next.
TRIES = 40
WINDOW = re.compile(r"\s*(\d{1,2}):(\d{2})\s*[-–—~～至]\s*(\d{1,2}):(\d{2})\s*")


class BadWindow(ValueError):
    """The window is not written as two local times such as 22:00-06:00."""

    def __init__(self, window: str) -> None:
        super().__init__(f"not a window of two local times such as 22:00-06:00: {window!r}")
        self.window = window


def draw(
    plan: RollCallPlan, day: date, tz: tzinfo, rng: random.Random, handovers: Iterable[time] = ()
) -> tuple[datetime, ...]:
    """The moments for the window that begins on a local day, in order, as UTC; none on another weekday.

    A window too narrow for all its moments gives as many as fit. Raises BadWindow."""
    wanted = plan.random
    if wanted is None or wanted.times < 1 or day.isoweekday() not in wanted.weekdays:
        return ()
    free = _free_minutes(wanted, day, tz, handovers)
    apart = timedelta(minutes=plan.answer_window_minutes) + APART_AT_LEAST
    best: list[datetime] = []
    while len(best) < wanted.times:
        for _ in range(TRIES):
            found = _scatter(free, wanted.times, apart, rng)
            best = found if len(found) > len(best) else best
            if len(best) == wanted.times:
                break
        if apart <= timedelta(minutes=1):
            break
        apart = max(apart / 2, timedelta(minutes=1))
    return tuple(sorted(best))


def window_span(window: str, day: date, tz: tzinfo) -> tuple[datetime, datetime]:
    """When a local window opens (included) and shuts (excluded), as UTC; "22:00-06:00" shuts the next day.

    Raises BadWindow."""
    parts = WINDOW.fullmatch(window)
    if parts is None:
        raise BadWindow(window)
    hour, minute, until_hour, until_minute = (int(part) for part in parts.groups())
    if hour > 23 or minute > 59 or until_minute > 59 or until_hour * 60 + until_minute > 24 * 60:
        raise BadWindow(window)
    opens = datetime.combine(day, time(hour, minute), tz)
    shuts = datetime.combine(day, time(until_hour % 24, until_minute), tz)
    if until_hour == 24 or (until_hour, until_minute) <= (hour, minute):
        shuts = datetime.combine(day + timedelta(days=1), shuts.time(), tz)
    return opens.astimezone(UTC), shuts.astimezone(UTC)


def _free_minutes(wanted: RandomMoments, day: date, tz: tzinfo, handovers: Iterable[time]) -> list[datetime]:
    opens, shuts = window_span(wanted.window, day, tz)
    days = [day + timedelta(days=number) for number in (-1, 0, 1, 2)]
    times = list(handovers)
    changes = [datetime.combine(one, at, tz).astimezone(UTC) for one in days for at in times]
    count = int((shuts - opens) / timedelta(minutes=1))
    minutes = [opens + timedelta(minutes=number) for number in range(count)]
    return [one for one in minutes if all(abs(one - change) > HANDOVER_MARGIN for change in changes)]


def _scatter(free: list[datetime], times: int, apart: timedelta, rng: random.Random) -> list[datetime]:
    """Pick one free minute after the other, each far enough from those picked before."""
    left, picked = free, list[datetime]()
    while left and len(picked) < times:
        moment = rng.choice(left)
        picked.append(moment)
        left = [one for one in left if abs(one - moment) >= apart]
    return picked
