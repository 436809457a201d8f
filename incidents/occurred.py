"""Reads when it happened (事发时间) out of a sentence; what is ambiguous is never guessed."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from incidents.numerals import FIGURE, fold, read_count, read_figure

SOON = timedelta(minutes=5)  # Phones and people run ahead by a little; more is the future.
LONGEST_AGO_HOURS = 72
A_DAY = timedelta(days=1)
LAST_NIGHT = timedelta(hours=12)

_DAYS = {"大前": -3, "前": -2, "昨": -1, "今": 0, "本": 0, "当": 0, "明": 1, "后": 2}
_CLOCK = (
    rf"(?:(?P<hour>{FIGURE})\s*(?P<mark>点钟|点整|点|时许|时|:)\s*"
    rf"(?:(?P<half>半)|(?P<quarter>[一三])刻|(?P<minute>{FIGURE})\s*分?)?)"
)
_DATE = (
    rf"(?:(?:(?P<year>\d{{4}}|\d{{2}})\s*年\s*)?(?P<month>{FIGURE})\s*月\s*(?P<day>{FIGURE})\s*[日号]?"
    r"|(?<![\d.])(?:(?P<plain_year>\d{4})[/.-])?(?P<plain_month>\d{1,2})[/.-](?P<plain_day>\d{1,2})(?![\d.-])"
    rf"|(?P<only_day>{FIGURE})\s*[日号](?!楼|线|门|院|桥|机|闸|仓|厂|路))"
)
_NEAR_DAY = r"(?P<near>大前|前|昨|今|本|当|明|后)\s*(?:天|日|晚|早|晨|夜)(?:上|里|间)?"
_PART = r"(?P<part>凌晨|清晨|早晨|早上|上午|中午|正午|下午|傍晚|晚上|夜里|夜间|深夜|半夜|晚|早)"
_MOMENT = re.compile(rf"(?:{_DATE}|{_NEAR_DAY})?[\s,，的于在约]{{0,6}}{_PART}?[\s约大]{{0,6}}{_CLOCK}?")
_AGO = re.compile(
    rf"(?:(?P<hours>半|{FIGURE})\s*(?P<and_half>个半)?个?(?:小时|钟头)(?P<then_half>半)?|"
    rf"(?P<minutes>{FIGURE})\s*(?:多|来)?分钟?|(?P<quarters>[一三])刻钟)(?:多|左右)?\s*(?:之|以)?前"
)
_JUST_NOW = re.compile(r"刚才|刚刚")


@dataclass(frozen=True)
class Occurred:
    """When it happened, or why that cannot be told: impossible, future, ambiguous or no_time."""

    at: datetime | None = None
    fault: str = ""


def read_occurred(text: str, now: datetime, zone: tzinfo) -> Occurred:
    """The first moment a text names, as UTC; nothing named is neither a moment nor a fault."""
    line = fold(text)
    if ago := _AGO.search(line):
        return _ago(ago, now)
    dateless = Occurred()
    for match in _MOMENT.finditer(line):
        found = _moment(match, now, zone)
        if found is not None and found.fault != "no_time":
            return found
        dateless = found or dateless
    return Occurred(now) if _JUST_NOW.search(line) else dateless


def read_occurred_at(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """The first moment a text names, as UTC, or None when it names none that can be trusted."""
    return read_occurred(text, now, zone).at


def _ago(match: re.Match[str], now: datetime) -> Occurred:
    if match["quarters"]:
        hours = 0.25 if match["quarters"] == "一" else 0.75
    elif match["minutes"]:
        hours = (read_figure(match["minutes"]) or 0) / 60
    else:
        hours = 0.5 if match["hours"] == "半" else read_figure(match["hours"]) or 0
        hours += 0.5 if match["and_half"] or match["then_half"] else 0
    if not 0 < hours <= LONGEST_AGO_HOURS:
        return Occurred(fault="impossible")
    return Occurred(now - timedelta(hours=hours))


def _moment(match: re.Match[str], now: datetime, zone: tzinfo) -> Occurred | None:
    """What one mention means; None when it is no time at all ("一点烟")."""
    local = now.astimezone(zone)
    has_day = any(match[name] for name in ("month", "plain_month", "only_day", "near"))
    part = match["part"] or _part_of_near(match[0])
    if match["hour"] is None and not (match["month"] or match["only_day"]):
        return None
    if match["hour"] is not None and not has_day and not part and _is_a_bit(match):
        return None
    try:
        day = _day(match, local.date())
        clock = _clock(match, part)
    except ValueError:
        return Occurred(fault="impossible")
    if clock is None:
        return Occurred(fault="no_time")
    hours, is_certain = clock
    if day is None and read_count(match["hour"]) == 24:
        return Occurred(fault="ambiguous")
    moments = [_at(day or local.date(), one, zone) for one in hours]
    past = [one for one in moments if one <= now + SOON]
    if day is None and not past:
        # "23:50" said at half past midnight is last night's; farther back nobody can tell what was meant.
        past = [one - A_DAY for one in moments if now - (one - A_DAY) <= LAST_NIGHT]
    if not past:
        return Occurred(fault="future")
    if not is_certain and len(past) > 1:
        return Occurred(fault="ambiguous")
    return Occurred(past[0].astimezone(UTC))


def _is_a_bit(match: re.Match[str]) -> bool:
    bare = not (match["half"] or match["quarter"] or match["minute"])
    return bare and match["hour"] in ("一", "两", "几") and match["mark"] in ("点", "时")


def _part_of_near(text: str) -> str:
    found = re.search(r"[天日本昨今前]?(晚|早|晨|夜)", text)
    return found.group(1) if found else ""


def _day(match: re.Match[str], today: date) -> date | None:
    """The local day meant, or None when no day is said. Raises ValueError for 2月30日."""
    if match["near"]:
        return today + timedelta(days=_DAYS[match["near"]])
    if match["only_day"]:
        number = read_count(match["only_day"]) or 0
        day = today.replace(day=number)
        return day if day <= today else (today.replace(day=1) - timedelta(days=1)).replace(day=number)
    named, said_year = match["month"] or match["plain_month"], match["year"] or match["plain_year"]
    if not named:
        return None
    month, number = read_count(named) or 0, read_count(match["day"] or match["plain_day"]) or 0
    if said_year:
        year = int(said_year)
        return date(year + 2000 if year < 100 else year, month, number)
    day = date(today.year, month, number)
    return day if day <= today + timedelta(days=180) else date(today.year - 1, month, number)


def _clock(match: re.Match[str], part: str) -> tuple[list[timedelta], bool] | None:
    """The offsets from midnight a clock may mean, and whether it is one for certain; None without a clock.

    Raises ValueError for 25点 and for 8点70分."""
    if match["hour"] is None:
        return None
    hour = read_count(match["hour"])
    minute = 30 if match["half"] else {"一": 15, "三": 45}.get(match["quarter"] or "", 0)
    minute = (read_count(match["minute"]) or 0) if match["minute"] else minute
    if hour is None or hour > 24 or minute > 59 or (hour == 24 and minute):
        raise ValueError(match[0])
    if hour == 24:
        return [A_DAY], True
    if part in ("下午", "傍晚") or (part in ("中午", "正午") and hour < 11):
        hour += 12 if hour < 12 else 0
    elif part in ("晚上", "晚", "夜里", "夜间", "深夜", "半夜", "夜"):
        # 晚上 12 点 and 1 点 belong to the night that began on that day.
        hour += 12 if 5 <= hour <= 12 else 24 if hour < 5 else 0
    elif part in ("凌晨", "早上", "早晨", "清晨", "早", "晨", "上午"):
        hour = 0 if hour == 12 and part == "凌晨" else hour
    elif not part and 0 < hour <= 12 and match["mark"].startswith("点"):
        return [timedelta(hours=one, minutes=minute) for one in (hour, (hour + 12) % 24)], False
    return [timedelta(hours=hour, minutes=minute)], True


def _at(day: date, offset: timedelta, zone: tzinfo) -> datetime:
    shifted = datetime.combine(day, time()) + offset
    return shifted.replace(tzinfo=zone)
