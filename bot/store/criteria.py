"""What a criterion of `find` means: which field, compared how."""

from collections.abc import Mapping, Sequence
from typing import Any

from incidents.model import LogLine

SUFFIXES = ("in", "not", "to", "from", "has")


def parse(kind: type[Any], criterion: str) -> tuple[str, str]:
    """The field and "is", "in", "not", "to", "from" or "has"; TypeError when the record has no such field."""
    names = kind.__dataclass_fields__
    if criterion in names:  # A field such as `assigned_to` wins over the suffix it happens to carry.
        return criterion, "is"
    field, _, suffix = criterion.rpartition("_")
    if field in names and suffix in SUFFIXES:
        return field, suffix
    raise TypeError(f"{kind.__name__} has no criterion {criterion!r}.")


def meant(kind: type[Any], name: str) -> tuple[str, str]:
    """The same for a criterion by the name the statements know, as `given` gives it."""
    return parse(kind, name.partition("=")[0])


def order_of(kind: type[Any], order: str) -> tuple[str, bool]:
    """The field of one part of an order, and whether it sorts downward."""
    field, downward = (order[1:], True) if order.startswith("-") else (order, False)
    if field == "id" and key_of(kind) != "id":
        field = key_of(kind)
    if parse(kind, field)[1] != "is":
        raise TypeError(f"{kind.__name__} cannot be ordered by {order!r}.")
    return field, downward


def key_of(kind: type[Any]) -> str:
    """The record's key: its id, and the sequence of a log line."""
    return "sequence" if kind is LogLine else "id"


def has_version(kind: type[Any]) -> bool:
    """Whether changes of this record are compared and set on a version."""
    return "version" in kind.__dataclass_fields__


def given(kind: type[Any], criteria: Mapping[str, Any]) -> dict[str, Any]:
    """The criteria by the names the statements know: comparing with nothing is "field=none", a list of one its one."""
    found: dict[str, Any] = {}
    for criterion, value in criteria.items():
        field, how = parse(kind, criterion)
        if (
            how == "in" and len(value) == 1 and field not in criteria
        ):  # Databases read a list far more slowly.
            [only] = value
            if only is not None:
                found[field] = only
                continue
        if value is None and how not in ("is", "not"):
            raise TypeError(f"{criterion} cannot be compared with nothing.")
        found[f"{criterion}=none" if value is None else criterion] = value
    return found


def groups(records: Sequence[Any]) -> dict[type[Any], list[tuple[int, Any]]]:
    """The records of each type, with their places among all."""
    found: dict[type[Any], list[tuple[int, Any]]] = {}
    for place, record in enumerate(records):
        found.setdefault(type(record), []).append((place, record))
    return found


def may_change(kind: type[Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes; TypeError when the kind is append-only or they reach for the key or the version."""
    if kind is LogLine:
        raise TypeError("The duty log is append-only.")
    forbidden = {key_of(kind), "version"} & set(changes)
    unknown = changes.keys() - kind.__dataclass_fields__.keys()
    if unknown:
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(unknown))}.")
    if forbidden:
        raise TypeError(f"{kind.__name__} keeps its {', '.join(sorted(forbidden))}: the store sets them.")
    return dict(changes)
