"""Reads who is on watch now and next from the roster, and which required posts nobody holds."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from desk.board_views import Watch, WatchLine
from desk.policy import Policy
from desk.ports import Store
from roster.model import Officer, Result, Shift, Unit
from roster.rota import UNROSTERED_KINDS

NEXT_WITHIN = timedelta(hours=36)
REQUIRED_POSTS = ("duty_leader", "duty_officer")


async def read_shifts(store: Store, now: datetime, own: str | None) -> list[Shift]:
    """The watches that run now or begin soon, of one unit or of all."""
    criteria: dict[str, Any] = {"ends_at_from": now, "starts_at_to": now + NEXT_WITHIN}
    if own is not None:
        criteria["unit_id"] = own
    return await store.find(Shift, order=("starts_at", "id"), **criteria)


def read_watch(
    policy: Policy,
    shifts: Sequence[Shift],
    people: Mapping[str, Officer],
    units: Mapping[str, Unit],
    now: datetime,
    own: str | None,
    newest: Mapping[str, Result],
) -> Watch:
    """The posts now and next in the roster's order; a required post nobody holds is a gap (空岗).

    Who was taken out of the office holds nothing."""
    names = {rule.key: rule.name for rule in policy.posts}
    order = {key: place for place, key in enumerate(names)}

    def line(shift: Shift) -> WatchLine:
        officer, unit = people.get(shift.officer_id), units.get(shift.unit_id)
        return WatchLine(
            unit_id=shift.unit_id,
            unit=unit.name if unit else shift.unit_id,
            post=shift.post,
            post_name=names.get(shift.post, shift.post),
            officer_id=shift.officer_id,
            officer=officer.name if officer else shift.officer_id,
            title=officer.title if officer else "",
            phone=officer.phone if officer else "",
            presence=shift.presence,
            starts_at=shift.starts_at,
            ends_at=shift.ends_at,
            result=newest.get(shift.officer_id),
        )

    def rank(one: WatchLine) -> tuple[bool, str, int, str]:
        unit = units.get(one.unit_id)
        return (bool(unit and unit.parent_id), one.unit_id, order.get(one.post, len(order)), one.officer)

    shifts = [one for one in shifts if one.officer_id not in people or people[one.officer_id].active]
    current = [shift for shift in shifts if shift.starts_at <= now < shift.ends_at]
    coming = [shift for shift in shifts if shift.starts_at > now]
    first: dict[tuple[str, str], datetime] = {}
    for shift in coming:
        first.setdefault((shift.unit_id, shift.post), shift.starts_at)
    held = {(shift.unit_id, shift.post) for shift in current}
    gaps = [
        WatchLine(unit.id, unit.name, post, names[post])
        for unit in units.values()
        if (own is None or unit.id == own) and not unit.phone_duty and unit.kind not in UNROSTERED_KINDS
        if not unit.valid_to or unit.valid_to > now.date().isoformat()
        for post in REQUIRED_POSTS
        if post in names and (unit.id, post) not in held
    ]
    following = [line(one) for one in coming if first[one.unit_id, one.post] == one.starts_at]
    return Watch(
        now=tuple(sorted([*(line(shift) for shift in current), *gaps], key=rank)),
        next=tuple(sorted(following, key=rank)),
    )
