"""Column types: moments that keep their zone, figures that are numbers, words, and nested values as JSON text."""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Dialect, Double, Text
from sqlalchemy.types import TypeDecorator

# NUL as JSON writes it; after an even number of backslashes, else it is the text of somebody writing about NUL.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def clean(text: str) -> str:
    """The text without what a database cannot hold: NUL and lone surrogates become U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def to_text(value: Any) -> str:
    """Compact JSON text; NaN and infinity are ValueErrors, as they are no JSON."""
    text = clean(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    return _NUL.sub("\\1\ufffd", text) if "\\u0000" in text else text


# Sorted by its bytes on every database, as Python does it, whatever language the server speaks.
BYTEWISE = Text().with_variant(Text(collation="C"), "postgresql")


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError(f"A moment needs a time zone: {value!r}.")
    return value.astimezone(UTC)


def _moment_text(value: datetime) -> str:
    return _in_utc(value).isoformat(timespec="microseconds")


class Moment(TypeDecorator[datetime]):
    """An aware moment, kept in UTC as text of fixed width, which sorts as moments do."""

    impl = BYTEWISE
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect | None) -> Any:
        """UTC, or ValueError when the moment has no zone."""
        return None if value is None else self.write(value)

    write = staticmethod(_moment_text)
    read = staticmethod(datetime.fromisoformat)

    def process_result_value(self, value: Any, dialect: Dialect | None) -> datetime | None:
        """Aware, in UTC."""
        return None if value is None else self.read(value)


class Words(TypeDecorator[str]):
    """Text as people wrote it, without what databases choke on."""

    impl = BYTEWISE
    cache_ok = True
    write = staticmethod(clean)

    def process_bind_param(self, value: str | None, dialect: Dialect | None) -> str | None:
        """The cleaned text."""
        return None if value is None else self.write(value)


class Figure(TypeDecorator[float]):
    """A finite number: NaN would come back as nothing, so it is refused."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect | None) -> float | None:
        """The number, or ValueError."""
        if value is not None and not math.isfinite(value):
            raise ValueError(f"A figure must be finite: {value!r}.")
        return value


class Named(TypeDecorator[StrEnum]):
    """One of an enumeration's words, as text."""

    impl = BYTEWISE
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind
        self.read = {member.value: member for member in kind}.__getitem__

    def process_bind_param(self, value: Any, dialect: Dialect | None) -> str | None:
        """The word, or ValueError when the enumeration does not have it."""
        return None if value is None else self.write(value)

    def write(self, value: Any) -> str:
        """The same for a value."""
        word: str = value.value if value.__class__ is self.kind else self.kind(value).value
        return word

    def process_result_value(self, value: Any, dialect: Dialect | None) -> StrEnum | None:
        """The member."""
        return None if value is None else self.read(value)


class Json(TypeDecorator[Any]):
    """A nested value (dict, tuple or dataclass) as JSON text, read back as its declared type."""

    impl = BYTEWISE
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self.write, self.read = _codec(kind)

    def process_bind_param(self, value: Any, dialect: Dialect | None) -> str | None:
        """JSON text."""
        return None if value is None else self.write(value)

    def process_result_value(self, value: Any, dialect: Dialect | None) -> Any:
        """The value."""
        return None if value is None else self.read(value)


def _codec(kind: Any) -> tuple[Callable[[Any], str], Callable[[str], Any]]:
    if kind == tuple[str, ...]:
        return (lambda value: to_text(value) if value else "[]"), (
            lambda text: () if text == "[]" else tuple(json.loads(text))
        )
    if kind == tuple[datetime, ...]:
        return (lambda value: to_text([_moment_text(one) for one in value])), (
            lambda text: tuple(datetime.fromisoformat(one) for one in json.loads(text))
        )
    if getattr(kind, "__origin__", None) is dict:
        return to_text, json.loads
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    # Frozen values: a thousand letters of one mailing share theirs.
    load = lru_cache(maxsize=256)(adapter.validate_json)
    return (lambda value: to_text(adapter.dump_python(value, mode="json"))), load
