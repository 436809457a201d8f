"""Brings posts and people together: who is meant by `post:duty_leader` here and now."""

from datetime import datetime
from typing import Any

from desk.ports import Desk, Store
from roster.model import Officer, Role, Shift, Unit
from roster.rota import UNROSTERED_KINDS, holders

# Beyond these roles a word like `role:leader` means the leaders of the unit concerned, not of the whole city.
_CITY_WIDE = (Role.office, Role.admin)
_LEVELS_MAX = 5


async def shifts_now(desk: Desk, unit_id: str | None = None) -> list[Shift]:
    """The watches that run at this moment, of one unit or of all."""
    return await shifts_at(desk.store, desk.now, unit_id)


async def shifts_at(store: Store, at: datetime, unit_id: str | None = None) -> list[Shift]:
    """The same for any moment."""
    criteria: dict[str, Any] = {"starts_at_to": at, "ends_at_from": at}
    if unit_id is not None:
        criteria["unit_id"] = unit_id
    shifts = await store.find(Shift, **criteria)
    return [shift for shift in shifts if shift.ends_at > at]


async def office_unit(desk: Desk) -> str:
    """The unit of the emergency office, or "" while nobody of the office is known."""
    for role in _CITY_WIDE:  # An administrator may sit elsewhere.
        people = await desk.store.find(Officer, role=role, active=True, limit=1)
        if people:
            return people[0].unit_id
    return ""


async def watch_unit(desk: Desk, unit_id: str) -> str:
    """The unit whose watch answers for a unit: a village's is its township's."""
    return (await _line_of(desk, unit_id))[-1]


async def resolve(desk: Desk, word: str, unit_id: str) -> list[Officer]:
    """The active officers a ladder's word means for a unit at this moment; empty when nobody is meant.

    Where a village has no such people, its township's are meant."""
    kind, _, name = word.partition(":")
    name, _, where = name.partition("@")
    if where:
        unit = await desk.store.find(Unit, name=where, limit=1)
        unit_id = unit[0].id if unit else where
    if kind == "officer":
        return await _named(desk, name)
    if kind == "role" and name in _CITY_WIDE and not where:
        return await desk.store.find(Officer, role=Role(name), active=True, order=("name",), limit=200)
    for place in await _line_of(desk, unit_id):
        people = await _in_unit(desk, kind, name, place)
        if people:
            return people
    return []


async def _in_unit(desk: Desk, kind: str, name: str, unit_id: str) -> list[Officer]:
    if kind == "post":
        return await _post_holders(desk, name, unit_id)
    if kind == "role" and name in [role.value for role in Role]:
        return await desk.store.find(
            Officer, role=Role(name), unit_id=unit_id, active=True, order=("name",), limit=200
        )
    return []


async def _named(desk: Desk, name: str) -> list[Officer]:
    one = await desk.store.get(Officer, name)
    found = [one] if one else await desk.store.find(Officer, name=name, limit=5)
    return [officer for officer in found if officer.active]


async def _line_of(desk: Desk, unit_id: str) -> list[str]:
    """The unit, then those above it up to the first that keeps a watch of its own."""
    line = [unit_id]
    for _ in range(_LEVELS_MAX):
        unit = await desk.store.get(Unit, line[-1])
        if unit is None or unit.kind not in UNROSTERED_KINDS or not unit.parent_id:
            break
        line.append(unit.parent_id)
    return line


async def _post_holders(desk: Desk, post: str, unit_id: str) -> list[Officer]:
    held = holders(unit_id, post, await shifts_now(desk, unit_id), desk.now)
    people: list[Officer] = []
    for shift in held:
        officer = await desk.store.get(Officer, shift.officer_id)
        if officer is not None and officer.active and officer not in people:
            people.append(officer)
    return people


async def leaders_of(desk: Desk, unit_id: str) -> list[Officer]:
    """Who leads a unit now: its 带班领导 on watch, else its leaders by role."""
    return await resolve(desk, "post:duty_leader", unit_id) or await resolve(desk, "role:leader", unit_id)


async def duty_leaders(desk: Desk) -> list[Officer]:
    """Who leads the whole watch now: the office's 带班领导, else everybody of the office, else the fallback's first."""
    office = await office_unit(desk)
    for word in ("post:duty_leader", "role:office", *desk.policy.fallback):
        people = await resolve(desk, word, office)
        if people:
            return people
    return []


async def names(desk: Desk, officer_ids: list[str]) -> list[str]:
    """The names of officers, in order; an unknown id is shown as it is."""
    found = {officer.id: officer.name for officer in await desk.store.find(Officer, id_in=officer_ids)}
    return [found.get(officer_id, officer_id) for officer_id in officer_ids]
