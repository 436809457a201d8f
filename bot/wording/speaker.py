"""Says facts in one language: fills a template, and never fails on a fact that is odd or missing."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import isfinite
from typing import Any
from urllib.parse import quote

from bot.wording import moments
from bot.wording.language import Field, Language, Template
from bot.wording.plain import one_line, whole
from bot.wording.variants import variant

Facts = Mapping[str, Any]

FIELD_MAX = 120  # Characters of one short field.
BRIEF_MAX = 40
NAMES_MAX = 30
ITEMS_MAX = 60
COUNT_MAX = 10**15
CASUALTIES = ("deaths", "missing", "trapped", "serious_injuries", "injuries")


class Speaker:
    """One language, one office's time, posts and address, one moment."""

    def __init__(
        self, language: Language, now: datetime, timezone: str, posts: Mapping[str, str], public_url: str
    ) -> None:
        self._language = language
        self._zone = moments.zone_of(timezone)
        self._now = now.astimezone(self._zone)
        self._posts = posts
        self._url = public_url.rstrip("/")
        # Each way gives the words, "" to say nothing at all, or None when the fact is not known.
        self._ways: Mapping[str, Callable[[Any, str], str | None]] = {
            "": lambda value, _: _text(value, FIELD_MAX),
            "brief": lambda value, _: _text(value, BRIEF_MAX),
            "text": lambda value, _: whole(value) or None if isinstance(value, str) else None,
            "time": self._time,
            "moment": self._moment,
            "left": self._left,
            "minutes": self._minutes,
            "metres": self._metres,
            "count": lambda value, _: f"{count:g}" if (count := _number(value)) else None,
            "figure": lambda value, _: None if (count := _number(value)) is None else f"{count:g}",
            "ordinal": self._ordinal,
            "names": self._names,
            "terms": self._terms,
            "counts": self._counts,
            "casualties": self._casualties,
            "each": self._each,
            "all": lambda value, piece: self.say("none") if value == [] else self._each(value, piece),
            "if": lambda value, word: self.say(word) if value is True else "",
            "unless": lambda value, word: "" if value is True else self.say(word),
            "with": self._with,
            "page": self._page,
            "post": lambda value, _: self._post(value),
        }

    def say(self, word: str) -> str:
        """One of the small words."""
        return self._language.say.get(word, "")

    def notice(self, kind: str, facts: Facts) -> str | None:
        """A notice in the wording that fits its facts; None when nobody has words for it."""
        notices = self._language.notices
        template = notices.get(f"{kind}.{variant(kind, facts)}") or notices.get(kind)
        return None if template is None else self.fill(template, facts)

    def fill(self, template: Template, facts: Facts) -> str:
        """The template with its facts; an optional line none of whose facts is known is left out."""
        lines = []
        for line in template:
            said = [self._said(field, facts) if field.names else "" for field in line.fields]
            if line.is_optional and not any(said):
                continue
            missing = self.say("missing")
            words = [
                field.words + (missing if value is None else value)
                for field, value in zip(line.fields, said, strict=True)
            ]
            lines.append("".join(words).rstrip())
        return "\n".join(lines)

    def _said(self, field: Field, facts: Facts) -> str | None:
        value = next((facts[name] for name in field.names if _is_known(facts.get(name))), None)
        return self._put(value, field.way, field.argument)

    def _put(self, value: Any, way: str, argument: str) -> str | None:
        if way in self._ways:
            return self._ways[way](value, argument)
        code = _text(value, FIELD_MAX)
        return None if code is None else self._language.terms.get(way, {}).get(code, code)

    def _with(self, value: Any, argument: str) -> str:
        """A small word around a fact, nothing without it: "with phone", "with potential severity"."""
        word, _, rest = argument.partition(" ")
        way, _, more = rest.partition(" ")
        said = self._put(value, way, more)
        return self.say(word).replace("{it}", said) if said else ""

    def _time(self, value: Any, _argument: str) -> str | None:
        moment = moments.read(value, self._zone)
        return moments.clock_time(moment, self._now) if moment else None

    def _moment(self, value: Any, _argument: str) -> str | None:
        moment = moments.read(value, self._zone)
        return moments.full_time(moment, self._now) if moment else None

    def _left(self, value: Any, _argument: str) -> str | None:
        moment = moments.read(value, self._zone)
        return self._minutes(moments.minutes_left(moment, self._now), "") if moment else None

    def _minutes(self, value: Any, _argument: str) -> str | None:
        count = _number(value)
        if count is None or count < 0:
            return None
        if count < 60:
            return (
                self.say("minutes").format(minutes=int(count)) if count >= 1 else self.say("under_a_minute")
            )
        hours, rest = divmod(int(count), 60)
        if hours < 24:
            return self.say("hours").format(hours=hours, minutes=rest)
        days, hours = divmod(hours, 24)
        return self.say("days").format(days=days, hours=hours)

    def _metres(self, value: Any, _argument: str) -> str | None:
        metres = _number(value)
        if metres is None or metres < 0:
            return None
        if metres < 1000:
            return self.say("metres").format(metres=f"{metres:.0f}")
        return self.say("kilometres").format(kilometres=f"{metres / 1000:.1f}")

    def _ordinal(self, value: Any, _argument: str) -> str | None:
        number = _number(value)
        if number is None or number < 1:
            return ""
        return self._language.terms["ordinal"].get(f"{number:.0f}", f"{number:.0f}")

    def _names(self, value: Any, _argument: str) -> str | None:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, Sequence):
            return None
        shown = [name for one in values[:NAMES_MAX] if (name := _text(one, BRIEF_MAX)) is not None]
        if not shown:
            return None
        line = self.say("and").join(shown)
        return line + self.say("and_all").format(count=len(values)) if len(values) > NAMES_MAX else line

    def _terms(self, value: Any, terms: str) -> str | None:
        values = value[:NAMES_MAX] if isinstance(value, list | tuple) else []
        said = [word for one in values if (word := self._put(one, terms, "")) is not None]
        return self.say("and").join(said) or None

    def _counts(self, value: Any, terms: str) -> str | None:
        """{"present": 20, "late": 1} as "到岗 20、迟答 1", in the terms' order, nothing of zeros."""
        if not isinstance(value, Mapping):
            return None
        names = self._language.terms.get(terms, {})
        order = [*(key for key in names if key in value), *(key for key in value if key not in names)]
        counted = [
            (names.get(key) or _text(key, BRIEF_MAX), _number(value[key])) for key in order[:ITEMS_MAX]
        ]
        said = self.say("and").join(f"{name} {count:g}" for name, count in counted if name and count)
        return said or self.say("none")

    def _casualties(self, value: Any, _argument: str) -> str | None:
        """Known figures, 0 among them; 无 only when somebody said so."""
        if not isinstance(value, Mapping):
            return None
        names = self._language.terms["casualty"]
        known = [(names[key], _number(value.get(key))) for key in CASUALTIES]
        said = self.say("and").join(f"{name} {count:g}" for name, count in known if count is not None)
        return said or (self.say("none") if value.get("nobody") is True else None)

    def _each(self, value: Any, argument: str) -> str | None:
        """A line for each item of a list."""
        items = [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []
        lines = [self._item(argument, item) for item in items[:ITEMS_MAX]]
        if len(items) > ITEMS_MAX:
            lines.append(self.say("more").format(count=len(items) - ITEMS_MAX))
        return "\n".join(lines) or None

    def _item(self, piece: str, facts: Facts) -> str:
        pieces = self._language.pieces
        return self.fill(pieces.get(f"{piece}.{variant(piece, facts)}") or pieces[piece], facts)

    def _post(self, value: Any) -> str | None:
        """A post by the office's own name for it."""
        key = _text(value, BRIEF_MAX)
        return None if key is None else self._posts.get(key) or self._language.terms["post"].get(key, key)

    def _page(self, value: Any, path: str) -> str:
        """The desk's page about something, when the desk has an address people can open."""
        ref = _text(value, BRIEF_MAX)
        return f"{self._url}/{path}/{quote(ref, safe='-')}" if ref and self._url else ""


def _is_known(value: Any) -> bool:
    return value is not None and value != ""


def _text(value: Any, characters_max: int) -> str | None:
    """A word or a number in one line; None for anything else."""
    if isinstance(value, str):
        return one_line(value, characters_max) or None
    number = _number(value)
    return None if number is None else f"{number:g}" if isinstance(number, float) else str(number)


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < COUNT_MAX and isfinite(value) else None
