"""What `check` finds in the office's own data: the calendar, the next 30 days' watches, people out of reach."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.commands.findings import Finding, Say, fault, ok, warning
from bot.commands.office import Office
from desk.gaps import coming_shifts, find_gaps
from desk.policy import Policy
from roster.model import Account, Officer, Shift, Unit

DAYS = 30
SPAN = timedelta(days=DAYS)
SOON = timedelta(hours=24)
NOTICE_MONTH = 11  # The State Council tells the next year's 调休 in late October or November.
NAMED_MAX = 6


def check_calendar(policy: Policy, now: datetime, say: Say) -> Finding:
    """Whether this year's days off rest on a notice, and from November on the next year's."""
    today = now.astimezone(ZoneInfo(policy.timezone)).date()
    if policy.calendar.is_provisional(today.year):
        return fault("calendar", say("calendar_now", year=today.year))
    if not policy.calendar.is_provisional(today.year + 1):
        return ok("calendar", say("calendar_ok", year=today.year + 1))
    text = say("calendar_next", year=today.year + 1)
    return warning("calendar", text) if today.month >= NOTICE_MONTH else ok("calendar", text)


async def check_roster(office: Office, say: Say) -> list[Finding]:
    """The gaps of 30 days, and who cannot be told anything."""
    now = office.clock.now()
    async with office.door.read() as store:
        people = await store.find(Officer, active=True)
        units = await store.find(Unit)
        shifts = await coming_shifts(store, now, SPAN)
        reached = {one.officer_id for one in await store.find(Account, reachable=True)}
    if not people:
        return [warning("people", say("no_people"))]
    return [
        _gaps(office.door.policy, units, shifts, now, say),
        _unreachable(people, {one.officer_id for one in shifts if one.starts_at < now + SOON}, reached, say),
    ]


def _gaps(policy: Policy, units: Sequence[Unit], shifts: Sequence[Shift], now: datetime, say: Say) -> Finding:
    found = find_gaps(policy, units, shifts, now, SPAN)
    if not found:
        return ok("roster", say("roster_ok", days=DAYS))
    first = min(found, key=lambda gap: gap.starts_at)
    names = {unit.id: unit.name for unit in units}
    posts = {post.key: post.name for post in policy.posts}
    facts = {
        "days": DAYS,
        "count": len(found),
        "units": len({gap.unit_id for gap in found}),
        "unit": names.get(first.unit_id, first.unit_id),
        "post": posts.get(first.post, first.post),
        "at": first.starts_at.astimezone(ZoneInfo(policy.timezone)).strftime("%Y-%m-%d %H:%M"),
    }
    is_soon = first.starts_at < now + SOON
    return (
        fault("roster", say("roster_gap_soon", **facts))
        if is_soon
        else warning("roster", say("roster_gap", **facts))
    )


def _unreachable(people: Sequence[Officer], soon: set[str], reached: set[str], say: Say) -> Finding:
    missing = [one for one in people if one.id not in reached]
    if not missing:
        return ok("reach", say("reach_ok", count=len(people)))
    on_watch = [one for one in missing if one.id in soon]
    named = on_watch or missing
    names = "、".join(one.name for one in named[:NAMED_MAX]) + ("…" if len(named) > NAMED_MAX else "")
    facts = {"count": len(missing), "soon": len(on_watch), "names": names, "first": named[0].name}
    return fault("reach", say("reach_soon", **facts)) if on_watch else warning("reach", say("reach", **facts))
