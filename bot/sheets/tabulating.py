"""A record as a row a person reads: headers and coded values in words, moments in the office's time."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot.sheets.export_rows import COLUMNS, Record
from bot.sheets.words import words
from bot.wording.language import language
from desk.policy import Policy

Shown = str | int | float | None
_TERMS = {  # Column to the terms that say its values; `word` is this room's own.
    "severity": "severity",
    "potential": "severity",
    "category": "category",
    "result": "result",
    "channel": "channel",
}
_WORDS = ("role", "presence", "phone_duty", "sensitive", "drill", "make_up")
_HARM = ("deaths", "missing", "trapped", "serious_injuries", "injuries", "loss_yuan")


class Tabulator:
    """Rows of one kind in one language."""

    def __init__(self, what: str, policy: Policy) -> None:
        self._what = what
        self._zone = ZoneInfo(policy.timezone)
        self._spoken = language(policy.language)
        self._words = words(policy.language, "word")
        self._posts = {rule.key: rule.name for rule in policy.posts}
        columns = words(policy.language, "columns")
        self.columns: Sequence[str] = COLUMNS[what]
        self.headers = [columns.get(f"{what}_{name}") or columns[name] for name in self.columns]

    def row(self, record: Record) -> list[Shown]:
        """The record's values in the order of the headers."""
        return [self._shown(name, record.get(name)) for name in self.columns]

    def _shown(self, name: str, value: Any) -> Shown:
        if value is None:
            return self._spoken.say["missing"] if name in _HARM else None
        if isinstance(value, datetime):
            return f"{value.astimezone(self._zone):%Y-%m-%d %H:%M:%S}"
        if isinstance(value, bool) or name in _WORDS:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            return self._words.get(text, text)
        if isinstance(value, Mapping | list | tuple):
            return json.dumps(value, ensure_ascii=False, default=str)
        if isinstance(value, int | float):
            return value
        return self._text(name, str(value))

    def _text(self, name: str, text: str) -> str:
        if name == "post":
            return self._posts.get(text) or self._spoken.terms["post"].get(text, text)
        if name == "kind" and self._what == "units":
            return self._words.get(text, text)
        terms = _TERMS.get(name)
        if name == "state":
            terms = "state" if self._what == "incidents" else ""
            text = text if terms else self._words.get(f"call_{text}", text)
        return self._spoken.terms[terms].get(text, text) if terms else text
