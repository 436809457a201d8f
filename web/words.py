"""The screen's words by language, read once from `templates/words.toml`, and moments in the office's time."""

import json
import re
import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

FIRST = "zh-CN"
_GAP = re.compile(r" (?=[，：、。）])")  # What a missing fact leaves behind.
Words = dict[str, dict[str, str]]


@cache
def words(language: str) -> Words:
    """All words of a language, Chinese when it is unknown."""
    table: dict[str, Words] = tomllib.loads(
        (Path(__file__).parent / "templates" / "words.toml").read_text("utf-8")
    )
    return table.get(language, table[FIRST])


def span(length: timedelta, unit: Mapping[str, str]) -> str:
    """A length of time as a person says it; the largest unit and the next."""
    minutes = int(max(length, timedelta()).total_seconds() // 60)
    if minutes < 1:
        return unit["moment"]
    if minutes < 60:
        return unit["minutes"].format(minutes=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return unit["hours"].format(hours=hours, minutes=minutes)
    days, hours = divmod(hours, 24)
    return unit["days"].format(days=days, hours=hours)


def countdown(length: timedelta) -> str:
    """What is left or over, as 14:20 or 3:05:09."""
    seconds = int(abs(length.total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def local(moment: datetime, zone: str, pattern: str = "%m-%d %H:%M") -> str:
    """A moment in the office's time."""
    return moment.astimezone(ZoneInfo(zone)).strftime(pattern)


def sentence(kind: str, facts: Mapping[str, Any], table: Words) -> str:
    """One log line as a sentence; a kind without words shows its name and facts."""
    pattern = table["log"].get(kind)
    if pattern is None:
        return f"{kind} {json.dumps(dict(facts), ensure_ascii=False)}" if facts else kind
    said = _Forgiving(table).vformat(pattern, (), facts)
    return _GAP.sub("", said).lstrip(" :")


class _Forgiving(Formatter):
    """Fills a sentence: a missing fact is left out, a list is joined, a coded value is said in words."""

    def __init__(self, table: Words) -> None:
        self._table = table

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:
        value = kwargs.get(key, "")
        return value if value is not None else ""

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, list | tuple):
            return "、".join(str(one) for one in value)
        if isinstance(value, dict):
            results = self._table["result"]
            return "、".join(f"{results.get(key, key)} {count}" for key, count in value.items() if count)
        if isinstance(value, bool):
            return self._table["log"].get(f"is_{format_spec}", "") if value else ""
        if format_spec in self._table:
            return self._table[format_spec].get(str(value), str(value))
        return str(value)
