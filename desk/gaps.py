"""Finds the stretches of the coming days in which a post that must be held is not (空岗), by each day's own class."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from desk.policy import Policy
from desk.ports import Store
from roster.model import Officer, Shift, Unit
from roster.rota import Gap, gaps, required, watch_span


async def coming_shifts(store: Store, now: datetime, span: timedelta) -> list[Shift]:
    """The watches of a coming span, without those of people who were taken out: they hold nothing."""
    shifts = await store.find(Shift, ends_at_from=now, starts_at_to=now + span)
    ids = sorted({shift.officer_id for shift in shifts})
    gone = {one.id for one in await store.find(Officer, id_in=ids, active=False)} if ids else set()
    return [shift for shift in shifts if shift.officer_id not in gone]


def find_gaps(
    policy: Policy, units: Sequence[Unit], shifts: Iterable[Shift], now: datetime, span: timedelta
) -> list[Gap]:
    """空岗 from this moment to the end of the span, each day by what its class requires."""
    zone = ZoneInfo(policy.timezone)
    today = now.astimezone(zone).date()
    every, found = list(shifts), list[Gap]()
    for number in range(-1, span.days + 1):
        day = today + timedelta(days=number)
        begins, ends = watch_span(day, policy.watch_changes_at, zone)
        begins, ends = max(begins, now), min(ends, now + span)
        if ends <= begins:
            continue
        running = [one for one in every if one.starts_at < ends and begins < one.ends_at]
        found += gaps(running, units, required(policy.calendar.day_class(day)), (begins, ends))
    return found
