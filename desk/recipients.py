"""Brings posts and people together: who is meant by `post:duty_leader` here and now."""

from typing import Any

from desk.ports import Desk
from incidents.model import Incident
from roster.model import Officer, Role, Shift, Unit
from roster.rota import holders

# Beyond these roles a word like `role:leader` means the leaders of the unit concerned, not of the whole city.
_CITY_WIDE = (Role.office, Role.admin)


async def shifts_now(desk: Desk, unit_id: str | None = None) -> list[Shift]:
    """The watches that run at this moment, of one unit or of all."""
    criteria: dict[str, Any] = {"starts_at_to": desk.now, "ends_at_from": desk.now}
    if unit_id is not None:
        criteria["unit_id"] = unit_id
    shifts = await desk.store.find(Shift, **criteria)
    return [shift for shift in shifts if shift.ends_at > desk.now]


async def office_unit(desk: Desk) -> str:
    """The unit of the emergency office, or "" while nobody of the office is known."""
    people = await desk.store.find(Officer, role_in=[Role.office, Role.admin], active=True, limit=1)
    return people[0].unit_id if people else ""


async def resolve(desk: Desk, word: str, unit_id: str) -> list[Officer]:
    """The active officers a ladder's word means for a unit at this moment; empty when nobody is meant."""
    kind, _, name = word.partition(":")
    name, _, where = name.partition("@")
    if where:
        unit = await desk.store.find(Unit, name=where, limit=1)
        unit_id = unit[0].id if unit else where
    if kind == "post":
        return await _post_holders(desk, name, unit_id)
    if kind == "role":
        role = Role(name)
        criteria: dict[str, Any] = {"role": role, "active": True}
        if role not in _CITY_WIDE or where:
            criteria["unit_id"] = unit_id
        return await desk.store.find(Officer, order=("name",), limit=200, **criteria)
    if kind == "officer":
        one = await desk.store.get(Officer, name)
        found = [one] if one else await desk.store.find(Officer, name=name, limit=5)
        return [officer for officer in found if officer.active]
    return []


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
    """Who leads the whole watch now: the office's 带班领导, else everybody of the office."""
    office = await office_unit(desk)
    return await resolve(desk, "post:duty_leader", office) or await resolve(desk, "role:office", office)


async def fallback(desk: Desk, incident: Incident) -> list[Officer]:
    """When the ladder reaches nobody: the policy's fallback words in order, the first that means somebody."""
    for word in desk.policy.fallback:
        people = await resolve(desk, word, incident.unit_id)
        if people:
            return people
    return []


async def names(desk: Desk, officer_ids: list[str]) -> list[str]:
    """The names of officers, in order; an unknown id is shown as it is."""
    found = {officer.id: officer.name for officer in await desk.store.find(Officer, id_in=officer_ids)}
    return [found.get(officer_id, officer_id) for officer_id in officer_ids]
