"""Days and watch times as people type them into a roster; what cannot be read is a fault, never a guess."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from bot.sheets.sheet import Value

YEARS = range(2000, 2100)
DAYS_MAX = 550  # A roster for a day further away than this is a slip of the pen.
_WEEKDAY_WORDS = {
    **{
        mark: index
        for index, marks in enumerate(("一1", "二2", "三3", "四4", "五5", "六6", "日天7"))
        for mark in marks
    },
}
_WEEKDAY = r"[(\[]?\s*(?:星期|周|礼拜|week)?\s*(?P<weekday>[一二三四五六日天])?\s*[)\]]?"
_FULL = re.compile(
    rf"^(?P<year>\d{{4}})\s*[-/.年]\s*(?P<month>\d{{1,2}})\s*[-/.月]\s*(?P<day>\d{{1,2}})\s*[日号]?\s*{_WEEKDAY}$"
)
_COMPACT = re.compile(rf"^(?P<year>20\d\d)(?P<month>\d\d)(?P<day>\d\d)\s*{_WEEKDAY}$")
_SHORT = re.compile(rf"^(?P<month>\d{{1,2}})\s*[-/月]\s*(?P<day>\d{{1,2}})\s*[日号]?\s*{_WEEKDAY}$")
_MIDNIGHT = re.compile(r"[ T]00:00(:00(\.0+)?)?$")
_TITLE = re.compile(r"(?P<year>20\d\d)\s*[年./-]")
_SPAN = re.compile(
    r"(?P<from>\d{1,2}(?::|点|时)\d{0,2}分?)\s*(?:-|~|至|到|--)+\s*(?P<next>次日|翌日|第二天|次晨|次)?\s*(?P<to>\d{1,2}(?::|点|时)\d{0,2}分?)"
)
_HALVES = {"白班": 0, "日班": 0, "早班": 0, "day": 0, "夜班": 1, "晚班": 1, "night": 1}
_WHOLE = ("全天", "24小时", "全日", "整天", "allday", "24h")


class Unreadable(Exception):
    """No day, or no span, can be read from this; carries the kind of fault."""

    def __init__(self, kind: str, **facts: object) -> None:
        super().__init__(kind)
        self.kind, self.facts = kind, facts


@dataclass(frozen=True)
class DayReader:
    """Reads days of one sheet: the year its title names, the office's today, and Excel's first day."""

    today: date
    title_year: int | None = None
    since_1904: bool = False

    def read(self, value: Value) -> date:
        """The day, or Unreadable."""
        if isinstance(value, datetime):
            if value.time() != time():
                raise Unreadable("day_with_time")
            value = value.date()
        if isinstance(value, date):
            return self._near(value)
        if isinstance(value, str):
            return self._near(self._text(value))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._near(self._serial(value))
        raise Unreadable("bad_day")

    def _serial(self, number: float) -> date:
        """Excel's day number; day 60 of the 1900 system never was, and lies long before any roster."""
        if not 30_000 <= number <= 80_000 or number != int(number):
            raise Unreadable("bad_day")
        return (date(1904, 1, 1) if self.since_1904 else date(1899, 12, 30)) + timedelta(days=int(number))

    def _text(self, text: str) -> date:
        plain = _MIDNIGHT.sub("", unicodedata.normalize("NFKC", text).strip().replace("\n", ""))
        if plain.isdecimal() and len(plain) == 5:
            return self._serial(int(plain))
        found = _FULL.match(plain) or _COMPACT.match(plain)
        short = None if found else _SHORT.match(plain)
        parts = found or short
        if parts is None:
            raise Unreadable("bad_day")
        month, number = int(parts["month"]), int(parts["day"])
        day = self._made(int(parts["year"]), month, number) if found else self._nearest(month, number)
        check_weekday(day, parts["weekday"] or "")
        return day

    def _made(self, year: int, month: int, day: int) -> date:
        try:
            return date(year, month, day)
        except ValueError:
            raise Unreadable("no_such_day") from None

    def _nearest(self, month: int, day: int) -> date:
        """A day without a year: the title's year, else the one nearest to today."""
        if self.title_year is not None:
            return self._made(self.title_year, month, day)
        near: list[date] = []
        for year in (self.today.year - 1, self.today.year, self.today.year + 1):
            try:
                near.append(date(year, month, day))
            except ValueError:
                continue
        if not near:
            raise Unreadable("no_such_day")
        return min(near, key=lambda one: abs(one - self.today))

    def _near(self, day: date) -> date:
        if day.year not in YEARS or abs((day - self.today).days) > DAYS_MAX:
            raise Unreadable("day_far_away", day=day.isoformat())
        return day


def check_weekday(day: date, mark: str) -> None:
    """Unreadable when a weekday stands beside the day and is another one."""
    word = mark.strip()[-1:]
    if word and _WEEKDAY_WORDS.get(word, day.weekday()) != day.weekday():
        raise Unreadable("weekday_differs", day=day.isoformat(), weekday="一二三四五六日"[day.weekday()])


def year_of_title(texts: list[str]) -> int | None:
    """The year a sheet's title or name tells, None when it tells none or several."""
    years = {
        int(found["year"]) for text in texts for found in _TITLE.finditer(unicodedata.normalize("NFKC", text))
    }
    return years.pop() if len(years) == 1 else None


@dataclass(frozen=True)
class WatchReader:
    """Turns a day and a 班次 into the moments of a watch, in the office's own time."""

    changes_at: str
    zone: tzinfo

    def read(self, day: date, shift: str) -> tuple[datetime, datetime]:
        """Start and end, aware, in UTC; an end not after the start is on the next day. Unreadable else."""
        start, end, next_day = self._times(shift)
        if not next_day and end <= start:
            next_day = True
        return self._moment(day, start), self._moment(day + timedelta(days=1) if next_day else day, end)

    def names_half(self, shift: str) -> bool:
        """Whether the word alone (白班, 夜班) said when, so that the reader should be told the hours taken."""
        return self._half(shift) is not None and not _SPAN.search(_tidy(shift))

    def _times(self, shift: str) -> tuple[time, time, bool]:
        change = time.fromisoformat(self.changes_at)
        text = _tidy(shift)
        if not text or text.casefold() in _WHOLE:
            return change, change, True
        found = _SPAN.search(text)
        if found:
            return _time(found["from"]), _time(found["to"], last=True), bool(found["next"])
        half = self._half(shift)
        if half is None:
            raise Unreadable("bad_shift", shift=shift)
        turn = (datetime.combine(date(2000, 1, 1), change) + timedelta(hours=12)).time()
        return (change, turn, False) if half == 0 else (turn, change, False)

    def _half(self, shift: str) -> int | None:
        return _HALVES.get(re.sub(r"\(.*?\)", "", _tidy(shift)).casefold())

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)


def is_shift_word(text: str) -> bool:
    """Whether a header names a watch: 白班, 夜班, 08:00-20:00."""
    tidy = _tidy(text)
    return re.sub(r"\(.*?\)", "", tidy).casefold() in _HALVES or bool(_SPAN.fullmatch(tidy))


def split_shift(text: str) -> tuple[str, str]:
    """The watch and the rest of a header: 白班值班员 is 白班 and 值班员; ("", text) when it names none."""
    tidy = _tidy(text)
    for word in _HALVES:
        if word.isascii():
            continue
        for rest in (tidy.removeprefix(word), tidy.removesuffix(f"({word})"), tidy.removesuffix(word)):
            if rest != tidy and rest:
                return word, rest.strip("()-· ")
    return "", text


def _tidy(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text)
    return re.sub(r"\s+", "", plain.replace("—", "-").replace("–", "-").replace("〜", "~"))


def _time(text: str, *, last: bool = False) -> time:
    hour, _, minute = re.sub(r"[点时]", ":", text).rstrip("分").partition(":")
    if last and int(hour) == 24 and int(minute or 0) == 0:
        return time()  # 24:00 is the next day's first moment.
    try:
        return time(int(hour), int(minute or 0))
    except ValueError:
        raise Unreadable("bad_shift", shift=text) from None
