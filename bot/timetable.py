"""Cron lines: whether one is sound, and the moments it means, read as crontab(5) reads it."""

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

OCCURRENCES_MAX = 1_000
FOREVER = timedelta(days=366 * 9)  # 29 February on a given weekday may be this far away.
GAP_MAX = timedelta(hours=3)  # Clock changes skip an hour, a few old ones two.
_ITEM = re.compile(
    r"(?:\*|([0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?)(?:/([0-9]{1,3}))?", re.IGNORECASE
)


class BadCron(ValueError):
    """The line is not five sound fields; the text is the part that is wrong."""


@dataclass(frozen=True)
class _Field:
    least: int
    most: int
    names: tuple[str, ...] = ()  # The first name means `least`.


_MINUTE = _Field(0, 59)
_HOUR = _Field(0, 23)
_DAY = _Field(1, 31)
_MONTH = _Field(1, 12, tuple("jan feb mar apr may jun jul aug sep oct nov dec".split()))
_WEEKDAY = _Field(0, 7, tuple("sun mon tue wed thu fri sat".split()))  # Both 0 and 7 are Sunday.
_FIELDS = (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)


def check(cron: str) -> str:
    """The part of a cron line that is wrong, or "" when the line is sound and ever comes due."""
    some_day = datetime(2024, 1, 1, tzinfo=UTC)
    try:
        trigger = _trigger(cron, ZoneInfo("UTC"), some_day + FOREVER)
    except BadCron as fault:
        return str(fault)
    return "" if trigger.get_next_fire_time(None, some_day) else cron


def occurrences(cron: str, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    """The moments of (after, until] a cron line means in a zone, as UTC, in order: the first thousand at most.

    A local time that a clock change skips comes due right after it; one that happens twice comes due the
    first time only. Raises BadCron."""
    # A skipped local time comes due after its clock change: begin before it, wherever `after` lies.
    return _kept_line(cron, zone, until.year + 1).between(after, until)[:OCCURRENCES_MAX]


@dataclass
class _Line:
    """A line that was read, and the moments it means from `since` on, as far as somebody asked."""

    trigger: OrTrigger
    zone: ZoneInfo
    since: datetime | None = None
    due: list[datetime] = field(default_factory=list)
    coming: datetime | None = None  # The first one after those.

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        """The moments of (after, until], a thousand at least if there are so many."""
        begins = after - GAP_MAX
        is_ahead = self.coming is not None and self.coming < begins
        if self.since is None or begins < self.since or is_ahead or len(self.due) > 2 * OCCURRENCES_MAX:
            self.since, self.due, self.coming = begins, [], self._next(begins)
        first = bisect_right(self.due, after)
        while self.coming is not None and self.coming <= until and len(self.due) - first < OCCURRENCES_MAX:
            if not self.coming.astimezone(self.zone).fold:
                self.due.append(self.coming)
            if self.coming <= after:
                first = len(self.due)
            self.coming = self._next(self.coming + timedelta(seconds=1))
        return self.due[first : bisect_right(self.due, until)]

    def _next(self, at: datetime) -> datetime | None:
        found = self.trigger.get_next_fire_time(None, at.astimezone(self.zone))
        return None if found is None else found.astimezone(UTC)


@lru_cache(maxsize=128)
def _kept_line(cron: str, zone: ZoneInfo, year: int) -> _Line:
    """The line up to a year's first days: it is asked for all day long, and reading it costs more than asking."""
    return _Line(_trigger(cron, zone, datetime(year, 1, 3, tzinfo=UTC)), zone)


def _trigger(cron: str, zone: ZoneInfo, until: datetime) -> OrTrigger:
    """The line for APScheduler, which counts weekdays from Monday and always wants day *and* weekday.

    crontab(5): when neither day of month nor weekday begins with *, either one is enough. Raises BadCron."""
    words = cron.split()
    if len(words) != len(_FIELDS):
        raise BadCron(cron or '""')
    minute, hour, day, month, weekday = (
        _numbers(word, field) for word, field in zip(words, _FIELDS, strict=True)
    )
    monday_first = {(number + 6) % 7 for number in weekday}
    is_either = not words[2].startswith("*") and not words[4].startswith("*")
    all_days, all_weekdays = set(range(1, 32)), set(range(7))
    days = [(day, all_weekdays), (all_days, monday_first)] if is_either else [(day, monday_first)]
    return OrTrigger(
        [
            CronTrigger(
                month=_listed(month),
                day=_listed(some_days),
                day_of_week=_listed(some_weekdays),
                hour=_listed(hour),
                minute=_listed(minute),
                timezone=zone,
                end_date=until,
            )
            for some_days, some_weekdays in days
        ]
    )


def _listed(numbers: set[int]) -> str:
    return ",".join(str(number) for number in sorted(numbers))


def _numbers(word: str, field: _Field) -> set[int]:
    """Every number a field names. Raises BadCron."""
    found: set[int] = set()
    for item in word.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise BadCron(word)
        first, last, step = match.groups()
        begin = _number(first, field, word) if first else field.least
        # `5/15` runs to the field's end, `5` is itself alone.
        end = _number(last, field, word) if last else (begin if first and not step else field.most)
        if field is _WEEKDAY and last and end == 0:
            end = 7  # fri-sun
        if end < begin or int(step or 1) == 0:
            raise BadCron(word)
        found |= set(range(begin, end + 1, int(step or 1)))
    return found


def _number(text: str, field: _Field, word: str) -> int:
    """A number or a name within its field. Raises BadCron."""
    if text.lower() in field.names:
        return field.least + field.names.index(text.lower())
    if not text.isdecimal() or not field.least <= int(text) <= field.most:
        raise BadCron(word)
    return int(text)
