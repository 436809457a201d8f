"""Records of every kind: plain ones by hand, and any at all by Hypothesis, built from the types of their fields."""

import types
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from desk.model import InboxRow
from desk.ports import LogEntry
from incidents.model import Incident, Report, ReportKind, State
from roster.model import Answer, Officer, RollCall

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """This many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def officer(officer_id: str, name: str = "陈一", **more: Any) -> Officer:
    return Officer(officer_id, name, "unit-1", **more)


def event(event_id: str) -> InboxRow:
    return InboxRow(event_id, "telegram", "telegram/7", NOON, b'{"update_id": 7}')


def incident(incident_id: str, **more: Any) -> Incident:
    more = {"number": f"ZS-{incident_id}", "state": State.received, "received_at": NOON, **more}
    return Incident(incident_id, **more)


def report(report_id: str, event_key: str = "") -> Report:
    return Report(report_id, "i1", 1, ReportKind.first, "o1", NOON, event_key=event_key)


def answer(answer_id: str, roll_call_id: str, officer_id: str) -> Answer:
    return Answer(answer_id, roll_call_id, officer_id, "unit-1", "duty_officer")


def roll_call(roll_call_id: str, slot: str) -> RollCall:
    return RollCall(roll_call_id, "早点名", slot, NOON, at(5), at(10))


def entry(kind: str = "reported", minutes: float = 0, **facts: Any) -> LogEntry:
    return LogEntry(at(minutes), kind, "incident:i1", "o1", facts)


# What people and phones can write, without what is cleaned away (that is tested by itself).
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
floats = st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(-(2**63), 2**63 - 1)
moments = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001  Hypothesis adds the zone itself.
    datetime(2200, 1, 1),  # noqa: DTZ001  The same.
    timezones=st.sampled_from(
        [UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-5, minutes=-30))]
    ),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def any_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a declared type."""
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        int: integers,
        float: floats,
        bool: st.booleans(),
        bytes: st.binary(max_size=30),
        datetime: moments,
        Any: json_values,
        type(None): st.none(),
    }
    if hint in plain:
        return plain[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of(*(any_of(one) for one in inner))
    if origin is dict:
        return st.dictionaries(texts, any_of(inner[1]), max_size=3)
    if origin is tuple and inner[-1] is Ellipsis:
        return st.lists(any_of(inner[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(any_of(one) for one in inner))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    assert isinstance(hint, type) and is_dataclass(hint), hint
    hints = get_type_hints(hint)
    return st.builds(hint, **{one.name: any_of(hints[one.name]) for one in fields(hint)})
