"""Finds open incidents that may be the same event; it only suggests, a person merges (并案)."""

from collections.abc import Iterable
from datetime import timedelta

from rapidfuzz import fuzz

from incidents.model import OPEN_STATES, Category, Incident
from incidents.places import distance_metres

ALIKE_AT_LEAST = 60.0  # Of 100, how alike two titles must be when there is no point to compare.
VERY_ALIKE_AT_LEAST = 85.0


def likely(
    new: Incident, open_ones: Iterable[Incident], *, window: timedelta, within_metres: float
) -> list[tuple[Incident, str]]:
    """The open incidents inside the window that may be the same event, likeliest first.

    The reason is near_same_kind, near (a kind unknown) or alike (similar words, a point missing)."""
    found: list[tuple[float, timedelta, Incident, str]] = []
    for other in open_ones:
        apart = abs(new.received_at - other.received_at)
        if other.id == new.id or other.state not in OPEN_STATES or other.drill is not new.drill:
            continue
        if apart > window:
            continue
        distance = distance_metres(new.place, other.place)
        reason = _reason(new, other, distance, within_metres)
        if reason:
            found.append((distance if distance is not None else within_metres, apart, other, reason))
    found.sort(key=lambda one: (one[3] != "near_same_kind", one[0], one[1], one[2].id))
    return [(other, reason) for _distance, _apart, other, reason in found]


def _reason(new: Incident, other: Incident, distance: float | None, within_metres: float) -> str:
    is_same_kind = bool(new.kind) and new.kind == other.kind
    is_unclear = not new.kind or not other.kind or Category.unknown in (new.category, other.category)
    alike = fuzz.ratio(new.title, other.title) if new.title and other.title else 0.0
    if distance is not None:
        if distance > within_metres:
            return ""
        if is_same_kind:
            return "near_same_kind"
        return "near" if is_unclear or alike >= ALIKE_AT_LEAST else ""
    if new.unit_id != other.unit_id:
        return ""
    if alike >= VERY_ALIKE_AT_LEAST or (alike >= ALIKE_AT_LEAST and (is_same_kind or is_unclear)):
        return "alike"
    return ""
