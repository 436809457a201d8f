"""Pushes the scheduled 要情 to the office: what came in, what is open, how the roll calls went."""

from datetime import datetime, timedelta
from typing import Any

from desk.letters import tell_all
from desk.model import Notice
from desk.policy import BulletinPlan
from desk.ports import Desk
from desk.recipients import duty_leaders, office_unit, resolve
from incidents.bulletin import Bulletin, CalledRoll, sum_up
from incidents.model import OPEN_STATES, Incident
from roster.model import Officer, RollCall, RollCallState, Unit

SPANS = {"daily": timedelta(days=1), "zero_report": timedelta(days=1), "weekly": timedelta(days=7)}
LATE_AT_MOST = timedelta(hours=3)
LISTED_MAX = 20


async def slot_fell_due(desk: Desk, plan: BulletinPlan, slot_at: datetime) -> list[Officer]:
    """A planned moment has come: the bulletin goes to everybody named; one hours late is only logged."""
    if desk.now - slot_at > LATE_AT_MOST:
        desk.log("bulletin_missed", "desk", plan=plan.name, slot=slot_at.isoformat())
        return []
    summary = await summarise(desk, plan.kind, slot_at)
    facts = {"plan": plan.name, "office": desk.policy.office, **await _facts(desk, summary)}
    kind = plan.kind if plan.kind == "zero_report" else f"bulletin_{plan.kind}"
    people = await _readers(desk, plan)
    tell_all(desk, [officer.id for officer in people], Notice(kind, facts), subject="bulletin")
    told = [officer.name for officer in people]
    desk.log(
        "bulletin_sent",
        "desk",
        plan=plan.name,
        slot=slot_at.isoformat(),
        opened=summary.opened_count,
        to=told,
    )
    return people


async def summarise(desk: Desk, kind: str, ends_at: datetime) -> Bulletin:
    """The figures of the span that ends at a moment."""
    starts_at = ends_at - SPANS[kind]
    came = await desk.store.find(Incident, received_at_from=starts_at, received_at_to=ends_at)
    still = await desk.store.find(Incident, state_in=list(OPEN_STATES), received_at_to=starts_at)
    ended = await desk.store.find(Incident, closed_at_from=starts_at, received_at_to=starts_at)
    incidents = {one.id: one for one in (*came, *still, *ended)}
    calls = await desk.store.find(RollCall, called_at_from=starts_at, called_at_to=ends_at)
    return sum_up(kind, incidents.values(), [_called(one) for one in calls], (starts_at, ends_at))


def _called(call: RollCall) -> CalledRoll:
    is_missed = call.state is RollCallState.missed
    return CalledRoll(call.plan, call.called_at, call.due_count, call.counts or {}, is_missed, call.make_up)


async def _readers(desk: Desk, plan: BulletinPlan) -> list[Officer]:
    office = await office_unit(desk)
    people: dict[str, Officer] = {}
    for word in plan.to:
        people |= {officer.id: officer for officer in await resolve(desk, word, office)}
    return list(people.values()) or await duty_leaders(
        desk
    )  # A bulletin nobody reads would hide that it is so.


async def _facts(desk: Desk, summary: Bulletin) -> dict[str, Any]:
    units = {unit.id: unit.name for unit in await desk.store.find(Unit)}
    return {
        "starts_at": summary.starts_at.isoformat(),
        "ends_at": summary.ends_at.isoformat(),
        "is_zero": summary.is_zero,
        "opened": summary.opened_count,
        "by_severity": {key.value: count for key, count in summary.by_severity.items()},
        "by_category": {key.value: count for key, count in summary.by_category.items()},
        "closed": summary.closed_count,
        "still_open": len(summary.still_open),
        "unsigned": summary.unsigned_count,
        "overdue": summary.overdue_count,
        "sensitive": summary.sensitive_count,
        "casualties": dict(summary.casualties),
        "unknown_casualties": summary.unknown_casualties_count,
        "drills": summary.drills_count,
        "roll_calls": len(summary.roll_calls),
        "roll_calls_missed": summary.roll_calls_missed,
        "due": summary.due,
        "counts": dict(summary.roll_call_counts),
        "incidents": [_line(one, units) for one in summary.opened[:LISTED_MAX]],
        "open_incidents": [_line(one, units) for one in summary.still_open[:LISTED_MAX]],
    }


def _line(incident: Incident, units: dict[str, str]) -> dict[str, Any]:
    return {
        "number": incident.number,
        "severity": incident.severity.value,
        "title": incident.title,
        "unit": units.get(incident.unit_id, ""),
        "state": incident.state.value,
        "received_at": incident.received_at.isoformat(),
    }
