"""What a criterion of `find` means: which field, compared how."""

from dataclasses import fields
from functools import lru_cache
from typing import Any

SUFFIXES = ("in", "not", "to", "from", "has")


@lru_cache(maxsize=4096)
def parse(kind: type[Any], criterion: str) -> tuple[str, str]:
    """The field and "is", "in", "not", "to", "from" or "has"; TypeError when the record has no such field."""
    names = {one.name for one in fields(kind)}
    if criterion in names:  # A field such as `assigned_to` wins over the suffix it happens to carry.
        return criterion, "is"
    field, _, suffix = criterion.rpartition("_")
    if field in names and suffix in SUFFIXES:
        return field, suffix
    raise TypeError(f"{kind.__name__} has no criterion {criterion!r}.")


def order_of(kind: type[Any], order: str) -> tuple[str, bool]:
    """The field of one part of an order, and whether it sorts downward."""
    field, downward = (order[1:], True) if order.startswith("-") else (order, False)
    if field == "id" and key_of(kind) != "id":
        field = key_of(kind)
    if parse(kind, field)[1] != "is":
        raise TypeError(f"{kind.__name__} cannot be ordered by {order!r}.")
    return field, downward


@lru_cache(maxsize=256)
def key_of(kind: type[Any]) -> str:
    """The record's key: its id, and the sequence of a log line."""
    return "id" if any(one.name == "id" for one in fields(kind)) else "sequence"


@lru_cache(maxsize=256)
def has_version(kind: type[Any]) -> bool:
    """Whether changes of this record are compared and set on a version."""
    return any(one.name == "version" for one in fields(kind))
