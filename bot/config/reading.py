"""Turns one TOML table into one frozen record by its type hints, collecting every fault."""

import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeVar

from bot.config.faults import Fault, Wrong, nearest, shown
from bot.config.rules import RULES

R = TypeVar("R")

EXAMPLES = {"name": '"…"', "cron": '"0 8 * * *"', "to": '["role:office"]', "steps": "[…]"}
LIST_MAX = 500


@dataclass(frozen=True)
class Place:
    """Where a table stands: how it is told, whose rules hold, and which keys came from elsewhere."""

    told: str  # "[web]" or "[[roll_call]] 每日点名"
    rules: str  # "web", "roll_call"
    origins: Mapping[str, str] = field(default_factory=dict)  # Key: the environment variable it came from.
    hidden: tuple[str, ...] = ()  # Fields of the record that are no keys here.

    def of(self, key: str) -> str:
        """The words for one key here."""
        return self.origins.get(key) or f"{self.told} {key}"


class Reader:
    """Collects faults while tables are read, so that five mistakes are named at once."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, where: str, kind: str, **facts: Any) -> None:
        """One more thing that is wrong."""
        self.faults.append(Fault(where, kind, facts))

    def record(
        self, kind: type[R], raw: Mapping[str, Any], place: Place, more: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The sound values of a table by key; `more` names keys the caller reads itself."""
        found: dict[str, Any] = {}
        hints = {key: hint for key, hint in hints_of(kind).items() if key not in place.hidden}
        self.known(raw, [*hints, *more], place)
        for key, hint in hints.items():
            if key in more:
                continue
            if key in raw:
                value = self.value(raw[key], hint, place, key)
                if value is not None:
                    found[key] = value
            elif _is_required(kind, key):
                self.fault(place.of(key), "missing", example=f"{key} = {EXAMPLES.get(key, '…')}")
        return found

    def known(self, raw: Mapping[str, Any], keys: Iterable[str], place: Place) -> None:
        """Names every key that means nothing here."""
        known = list(dict.fromkeys(keys))
        for key in raw:
            if key not in known:
                hint = nearest(key, known)
                self.fault(f"{place.told} {key}", "unknown_key", hint=hint, known=", ".join(known))

    def value(self, raw: Any, hint: Any, place: Place, key: str) -> Any:
        """The value as its type, or None once its fault is noted."""
        try:
            value = _converted(raw, hint)
            for rule in RULES.get(f"{place.rules}.{key}", ()):
                rule(value)
        except Wrong as wrong:
            self.fault(place.of(key), wrong.kind, **wrong.facts)
            return None
        return value


def hints_of(kind: type[Any]) -> dict[str, Any]:
    """The type of each field of a record, in order."""
    hints = typing.get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind)}


def _is_required(kind: type[Any], key: str) -> bool:
    return any(
        one.name == key and one.default is MISSING and one.default_factory is MISSING for one in fields(kind)
    )


def _converted(raw: Any, hint: Any) -> Any:
    """A TOML value as the type of a field. Raises Wrong."""
    if typing.get_origin(hint) is tuple:
        item = typing.get_args(hint)[0]
        values = raw if isinstance(raw, list) else [raw]  # One alone needs no brackets.
        if isinstance(raw, dict) or len(values) > LIST_MAX:
            raise Wrong("wrong_type", expected="list", found=shown(raw))
        return tuple(_converted(one, item) for one in values)
    if isinstance(hint, types.UnionType):
        return _converted(raw, typing.get_args(hint)[0])
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _member(raw, hint)
    if hint is float and isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if not isinstance(raw, hint) or (isinstance(raw, bool) and hint is not bool):
        raise Wrong("wrong_type", expected=hint.__name__, found=shown(raw))
    if isinstance(raw, float) and not math.isfinite(raw):
        raise Wrong("wrong_type", expected="float", found=shown(raw))
    return raw


def _member(raw: Any, kind: type[StrEnum]) -> StrEnum:
    words = [one.value for one in kind]
    if not isinstance(raw, str):
        raise Wrong("wrong_type", expected="str", found=shown(raw))
    if raw not in words:
        raise Wrong("choice", words=", ".join(words), found=shown(raw), hint=nearest(raw, words))
    return kind(raw)
