"""What kind of day it is: the table of days off that decides who must be on watch."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeGuard

SATURDAY = 5
YEAR_KEYS = frozenset({"year", "source", "provisional", "break"})
BREAK_KEYS = frozenset({"name", "from", "to", "statutory", "makeup"})
SPAN_KEYS = frozenset({"name", "from", "to"})
BREAK_DAYS_MAX = 31


class DayClass(StrEnum):
    """The day types of 《广东省政府系统值班工作规范》第三条; each has its own rule for the watch."""

    workday = "workday"  # 工作日
    rest_day = "rest_day"  # 公休日: a plain weekend
    holiday = "holiday"  # 法定节假日
    in_lieu_rest = "in_lieu_rest"  # 调休后的公休日: the other days of a holiday's break
    makeup_workday = "makeup_workday"  # 调休上班
    sensitive = "sensitive"  # 敏感时期, whatever the day would be otherwise


class CalendarFault(ValueError):
    """The calendar's text cannot be used; `faults` names every reason."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Day:
    """A day of the table: its class and the holiday it belongs to."""

    day_class: DayClass
    name: str


@dataclass(frozen=True)
class Span:
    """A sensitive period, first and last day included."""

    name: str
    first: date
    last: date


@dataclass(frozen=True)
class Calendar:
    """The class of any day. A day in no table is a workday or, on Saturday and Sunday, a rest day."""

    days: Mapping[date, Day] = field(default_factory=dict)
    sources: Mapping[int, str] = field(default_factory=dict)  # Only of years that rest on a notice.
    sensitive: Sequence[Span] = ()

    def day_class(self, day: date) -> DayClass:
        """The class of `day`, the office's local day; a sensitive period goes before everything else."""
        return DayClass.sensitive if self._span(day) else self.ordinary_class(day)

    def ordinary_class(self, day: date) -> DayClass:
        """The class `day` has when no sensitive period is counted."""
        listed = self.days.get(_plain(day))
        if listed:
            return listed.day_class
        return DayClass.rest_day if day.weekday() >= SATURDAY else DayClass.workday

    def name(self, day: date) -> str:
        """The sensitive period or the holiday `day` belongs to, else an empty string."""
        span = self._span(day)
        if span:
            return span.name
        listed = self.days.get(_plain(day))
        return listed.name if listed else ""

    def is_provisional(self, year: int) -> bool:
        """Whether `year` rests on no notice, so that its 调休 are unknown and must not be trusted."""
        return year not in self.sources

    def _span(self, day: date) -> Span | None:
        plain = _plain(day)
        return next((span for span in self.sensitive if span.first <= plain <= span.last), None)


def load(text: str) -> Calendar:
    """The calendar that `text` (TOML, shaped as `roster/calendar.toml`) describes.

    Raises CalendarFault with every fault found.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise CalendarFault([f"not TOML: {fault}"]) from fault
    reader = _Reader()
    reader.read(tables)
    if reader.faults:
        raise CalendarFault(reader.faults)
    return Calendar(reader.days, reader.sources, tuple(reader.sensitive))


class _Reader:
    """Collects days and every fault, so that a table with three mistakes names three."""

    def __init__(self) -> None:
        self.days: dict[date, Day] = {}
        self.sources: dict[int, str] = {}
        self.sensitive: list[Span] = []
        self.faults: list[str] = []
        self._years: set[int] = set()

    def read(self, tables: dict[str, Any]) -> None:
        self._only(tables, frozenset({"year", "sensitive"}), "the calendar")
        for table in self._tables(tables, "year", "the calendar"):
            self._year(table)
        for table in self._tables(tables, "sensitive", "the calendar"):
            self._only(table, SPAN_KEYS, "[[sensitive]]")
            span = self._span(table, "[[sensitive]]")
            if span:
                self.sensitive.append(span)

    def _year(self, table: dict[str, Any]) -> None:
        year = table.get("year")
        if not isinstance(year, int) or isinstance(year, bool):
            self.faults.append("a [[year]] has no `year` number")
            return
        self._only(table, YEAR_KEYS, f"year {year}")
        if year in self._years:
            self.faults.append(f"year {year} is given twice")
        self._years.add(year)
        source, provisional = table.get("source", ""), table.get("provisional", False)
        if not isinstance(source, str) or not isinstance(provisional, bool):
            self.faults.append(f"year {year}: `source` is a text and `provisional` is true or false")
        elif source.strip() and not provisional:
            self.sources[year] = source
        for number, part in enumerate(self._tables(table, "break", f"year {year}"), 1):
            self._break(part, year, f"year {year}, {part.get('name') or f'break {number}'}")

    def _break(self, table: dict[str, Any], year: int, where: str) -> None:
        self._only(table, BREAK_KEYS, where)
        span = self._span(table, where)
        if not span:
            return
        statutory = set(self._dates(table, "statutory", where))
        makeup = self._dates(table, "makeup", where)
        days = list(_days(span.first, span.last))
        if len(days) > BREAK_DAYS_MAX:
            self.faults.append(f"{where}: {len(days)} days is too long for a break")
            return
        # A break at New Year may reach into its neighbour, but it starts or ends in its own year.
        if year not in (span.first.year, span.last.year):
            self.faults.append(f"{where}: {span.first} to {span.last} is not in {year}")
        self.faults += [f"{where}: statutory day {day} lies outside" for day in sorted(statutory - set(days))]
        for day in days:
            self._put(day, DayClass.holiday if day in statutory else DayClass.in_lieu_rest, span.name, where)
        for day in makeup:
            if day.weekday() < SATURDAY:
                self.faults.append(f"{where}: make-up day {day} is a workday already")
            self._put(day, DayClass.makeup_workday, span.name, where)

    def _put(self, day: date, day_class: DayClass, name: str, where: str) -> None:
        if day in self.days:
            self.faults.append(f"{where}: {day} is given twice")
        self.days[day] = Day(day_class, name)

    def _span(self, table: dict[str, Any], where: str) -> Span | None:
        name, first, last = table.get("name"), table.get("from"), table.get("to")
        if not isinstance(name, str) or not name.strip():
            self.faults.append(f"{where}: `name` is missing")
            return None
        if not _is_date(first) or not _is_date(last):
            self.faults.append(f"{where}: `from` and `to` must be dates such as 2026-10-01")
            return None
        if last < first:
            self.faults.append(f"{where}: `to` {last} is before `from` {first}")
            return None
        return Span(name, first, last)

    def _dates(self, table: dict[str, Any], key: str, where: str) -> list[date]:
        found = table.get(key, [])
        if not isinstance(found, list) or not all(_is_date(day) for day in found):
            self.faults.append(f"{where}: `{key}` must be a list of dates")
            return []
        return found

    def _tables(self, table: dict[str, Any], key: str, where: str) -> list[dict[str, Any]]:
        found = table.get(key, [])
        if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
            self.faults.append(f"{where}: `{key}` must be written as [[…{key}]]")
            return []
        return found

    def _only(self, table: dict[str, Any], keys: frozenset[str], where: str) -> None:
        self.faults += [f"{where}: `{key}` is not a known key" for key in sorted(table.keys() - keys)]


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _is_date(value: object) -> TypeGuard[date]:
    """A date, and not the moment that TOML also knows."""
    return isinstance(value, date) and not isinstance(value, datetime)


def _plain(day: date) -> date:
    """`day` as a plain date: a moment never equals a date, and would silently miss the table."""
    return day.date() if isinstance(day, datetime) else day
