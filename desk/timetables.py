"""Turns planned moments into roll calls and bulletins: each moment once, however late it is looked at."""

import random
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from desk import bulletins, roll_calls
from desk.model import Setting
from desk.policy import BulletinPlan
from desk.ports import Desk, Store
from roster.draws import draw
from roster.model import Draw, RollCallPlan
from roster.roll_call import applies_on

LOOK_BACK_MAX = timedelta(days=7)  # After a longer outage the older moments are not gone through one by one.
AHEAD_MAX = timedelta(days=1)
DRAWN_AHEAD = timedelta(days=1)


Plan = RollCallPlan | BulletinPlan


async def looked_at(desk: Desk, plan: Plan) -> datetime:
    """Up to which moment a timetable was gone through; a new one begins now."""
    kept = await desk.store.get(Setting, _kept_as(plan))
    if kept is None:
        await desk.store.add(Setting(_kept_as(plan), desk.now.isoformat()))
        return desk.now
    until = datetime.fromisoformat(kept.value)
    if (
        until > desk.now + AHEAD_MAX
    ):  # Somebody set the clock years ahead, and back: the plan goes on from now.
        await desk.store.change(kept, value=desk.now.isoformat())
        return desk.now
    return max(until, desk.now - LOOK_BACK_MAX)


async def looks(store: Store, plans: Sequence[Plan]) -> list[datetime | None]:
    """Up to which moment each timetable was gone through; None where it never was."""
    kept = {one.id: one.value for one in await store.find(Setting, id_in=[_kept_as(plan) for plan in plans])}
    values = [kept.get(_kept_as(plan)) for plan in plans]
    return [None if value is None else datetime.fromisoformat(value) for value in values]


async def move_on(desk: Desk, plans: Iterable[Plan], until: datetime) -> None:
    """Everything up to a moment was gone through. A clock that went back moves nothing."""
    moment = until.isoformat()
    kept = await desk.store.find(Setting, id_in=[_kept_as(plan) for plan in plans])
    await desk.store.change_all([one for one in kept if one.value < moment], value=moment)


async def call_rolls(desk: Desk, plan: RollCallPlan, moments: Iterable[datetime]) -> None:
    """Call the roll for each planned moment whose day the plan means."""
    zone = ZoneInfo(desk.policy.timezone)
    for moment in moments:
        day_class = desk.policy.calendar.day_class(moment.astimezone(zone).date())
        if applies_on(plan, day_class.value):
            await roll_calls.slot_fell_due(desk, plan, moment)


async def push_bulletins(desk: Desk, plan: BulletinPlan, moments: Iterable[datetime]) -> None:
    """Send the newest bulletin that is due; older ones would say less, so the log alone names them."""
    due = list(moments)
    for moment in due[:-1]:
        desk.log("bulletin_missed", "desk", plan=plan.name, slot=moment.isoformat())
    if due:
        await bulletins.slot_fell_due(desk, plan, due[-1])


async def random_moments(desk: Desk, plan: RollCallPlan, after: datetime, until: datetime) -> list[datetime]:
    """The drawn moments of (after, until]. Each local day is drawn once, a day ahead, stored, and shown to nobody."""
    zone = ZoneInfo(desk.policy.timezone)
    drawn = [await _drawn(desk, plan, day, zone) for day in _days(after, until, zone)]
    return sorted(moment for one in drawn for moment in one.moments if after < moment <= until)


async def owes_random(
    store: Store, plan: RollCallPlan, after: datetime, until: datetime, zone: ZoneInfo
) -> bool:
    """Whether a moment of (after, until] was drawn, or a day of it, or the next one, is still to be drawn."""
    names = [_draw_name(plan, day) for day in _days(after, until, zone)]
    drawn = await store.find(Draw, id_in=names)
    return len(drawn) < len(names) or any(after < moment <= until for one in drawn for moment in one.moments)


async def drawn_next(store: Store, after: datetime, until: datetime) -> list[datetime]:
    """The first drawn moment of (after, until], if any; for waking up, never for showing."""
    days = [(after + timedelta(days=number)).date().isoformat() for number in (-1, 0, 1)]
    drawn = await store.find(Draw, day_in=days)
    moments = [moment for one in drawn for moment in one.moments if after < moment <= until]
    return [min(moments)] if moments else []


async def _drawn(desk: Desk, plan: RollCallPlan, day: date, zone: ZoneInfo) -> Draw:
    name = _draw_name(plan, day)
    known = await desk.store.get(Draw, name)
    if known is not None:
        return known
    changes_at = time.fromisoformat(desk.policy.watch_changes_at)
    moments = draw(plan, day, zone, random.SystemRandom(), [changes_at])
    drawn = Draw(name, plan.name, day.isoformat(), moments)
    await desk.store.add(drawn)
    return drawn


def _days(after: datetime, until: datetime, zone: ZoneInfo) -> list[date]:
    first = after.astimezone(zone).date() - timedelta(days=1)  # A window may reach over midnight.
    last = (until + DRAWN_AHEAD).astimezone(zone).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _draw_name(plan: RollCallPlan, day: date) -> str:
    return f"{plan.name}/{day.isoformat()}"


def _kept_as(plan: Plan) -> str:
    kind = "roll_call" if isinstance(plan, RollCallPlan) else "bulletin"
    return f"timetable/{kind}/{plan.name}"
