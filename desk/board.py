"""What is open and who is on: one read model for chat, web and map."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from desk.board_roll_calls import newest_results, read_roll_calls, view_roll_call
from desk.board_troubles import read_troubles
from desk.board_views import (
    Board,
    ClockView,
    Dot,
    IncidentView,
    RollCallView,
    Trouble,
    Waiting,
    Watch,
    WatchLine,
)
from desk.permissions import Action, may, may_see
from desk.policy import Policy
from desk.ports import Store
from desk.watch import read_shifts, read_watch
from incidents.model import (
    OPEN_STATES,
    UNSIGNED_STATES,
    Attachment,
    AttachmentState,
    Draft,
    Incident,
    Severity,
    State,
)
from roster.model import Answer, Officer, Result, Role, RollCall, RollCallState, Unit

__all__ = [
    "Board",
    "ClockView",
    "Dot",
    "IncidentView",
    "RollCallView",
    "Trouble",
    "Waiting",
    "Watch",
    "WatchLine",
    "on_duty",
    "open_incidents",
    "see",
    "sees_all",
    "view_incident",
    "view_roll_call",
]

INCIDENTS_MAX = 200
WAITING_MAX = 50


async def sees_all(store: Store, viewer: Officer | None) -> bool:
    """Whether the viewer is the office: its roles, a leader of its unit, or the trusted desk (None)."""
    if viewer is None or may(viewer, Action.see_all):
        return True
    if viewer.role is not Role.leader or not viewer.active:
        return False
    return (
        await store.count(Officer, unit_id=viewer.unit_id, role_in=[Role.office, Role.admin], active=True) > 0
    )


async def see(store: Store, policy: Policy, now: datetime, viewer: Officer | None) -> Board:
    """Everything the desk must look at now; only open records are read, and never without a limit."""
    everything = await sees_all(store, viewer)
    own = viewer.unit_id if viewer is not None and not everything else None
    units = {unit.id: unit for unit in await store.find(Unit)}
    calls = await read_roll_calls(store, own)
    found, counts = await open_incidents(store, viewer, everything)
    shifts = await read_shifts(store, now, own)
    people = await _people(store, [
        *(shift.officer_id for shift in shifts),
        *calls.people(),
        *(one for incident in found for one in _named(incident)),
    ])  # fmt: skip
    views = tuple(view_incident(incident, people, units, now) for incident in found)
    on_watch = [shift.officer_id for shift in shifts if shift.starts_at <= now]
    newest = await newest_results(store, calls, on_watch)
    troubles, count = await read_troubles(store, now) if everything else ((), 0)
    return Board(
        now=now,
        office=policy.office,
        sees_all=everything,
        watch=read_watch(policy, shifts, people, units, now, own, newest),
        open_roll_calls=calls.views(calls.open, own, people, units),
        closed_roll_calls=calls.views(calls.closed, own, people, units),
        incidents=views,
        open_counts=counts,
        overdue=tuple(view for view in views if view.is_overdue),
        waiting=await _waiting(store, viewer, views) if viewer is not None else Waiting(),
        troubles=troubles,
        troubles_count=count,
        attachments_waiting=await store.count(Attachment, state=AttachmentState.waiting) if everything else 0,
        units=units,
    )


async def on_duty(store: Store, policy: Policy, now: datetime, viewer: Officer | None) -> Watch:
    """Who is on watch now and next, for the viewer's unit or for all."""
    everything = await sees_all(store, viewer)
    own = viewer.unit_id if viewer is not None and not everything else None
    shifts = await read_shifts(store, now, own)
    people = await _people(store, [shift.officer_id for shift in shifts])
    units = {unit.id: unit for unit in await store.find(Unit)}
    return read_watch(policy, shifts, people, units, now, own, {})


async def open_incidents(
    store: Store, viewer: Officer | None, everything: bool
) -> tuple[list[Incident], dict[Severity, int]]:
    """Open incidents the viewer may see, worst first, then oldest; and how many of each level."""
    found: dict[str, Incident] = {}
    counts: dict[Severity, int] = {}
    for severity in Severity:
        criteria: dict[str, Any] = {"severity": severity, "state_in": list(OPEN_STATES)}
        rows = await store.find(Incident, order=("received_at",), limit=INCIDENTS_MAX, **criteria)
        if viewer is not None and not everything:
            own = await store.find(Incident, limit=INCIDENTS_MAX, unit_id=viewer.unit_id, **criteria)
            rows = [one for one in {row.id: row for row in (*own, *rows)}.values() if may_see(viewer, one)]
            counts[severity] = len(rows)
        else:
            counts[severity] = (
                len(rows) if len(rows) < INCIDENTS_MAX else await store.count(Incident, **criteria)
            )
        found.update({row.id: row for row in sorted(rows, key=lambda row: row.received_at)})
    return list(found.values())[:INCIDENTS_MAX], counts


def view_incident(
    incident: Incident, people: Mapping[str, Officer], units: Mapping[str, Unit], now: datetime
) -> IncidentView:
    """One incident with its names and its clocks read at `now`."""

    def name(officer_id: str) -> str:
        return people[officer_id].name if officer_id in people else officer_id

    unsigned = incident.state in UNSIGNED_STATES
    return IncidentView(
        incident=incident,
        unit=units[incident.unit_id].name if incident.unit_id in units else incident.unit_id,
        reporter=name(incident.reporter_id),
        holder=name(incident.assigned_to if incident.state is State.handed_on else incident.signed_by),
        heard=tuple(name(one) for one in incident.heard_by),
        age=now - incident.received_at,
        clocks=tuple(_clocks(incident, now)),
        is_unheld=unsigned and _is_unheld(incident, now),
    )


async def _people(store: Store, ids: Iterable[str]) -> dict[str, Officer]:
    wanted = sorted({one for one in ids if one})
    return {one.id: one for one in await store.find(Officer, id_in=wanted)} if wanted else {}


def _named(incident: Incident) -> tuple[str, ...]:
    return (incident.reporter_id, incident.signed_by, incident.assigned_to, *incident.heard_by)


def _is_unheld(incident: Incident, now: datetime) -> bool:
    """The ladder was walked to its end; one just handed on waits its time first, though its walk is a new one."""
    if incident.next_step_at is None:
        return True
    is_waiting = incident.walk_started_at is not None and now < incident.walk_started_at
    return incident.walk > 0 and not (is_waiting and incident.state is State.handed_on)


def _clocks(incident: Incident, now: datetime) -> Iterable[ClockView]:
    for name, due_at, done_at in (
        ("phone", incident.phone_by, incident.phone_done_at),
        ("written", incident.written_by, incident.written_done_at),
        ("follow_up", incident.follow_up_by, None),
    ):
        if due_at is not None:
            yield ClockView(name, due_at, done_at is not None, done_at is None and due_at <= now)


async def _waiting(store: Store, viewer: Officer, views: Sequence[IncidentView]) -> Waiting:
    answers = await store.find(
        Answer, officer_id=viewer.id, result=Result.waiting, order=("-id",), limit=WAITING_MAX
    )
    still = {
        call.id
        for call in await store.find(
            RollCall, id_in=[answer.roll_call_id for answer in answers], state=RollCallState.open
        )
    } if answers else set()  # fmt: skip
    return Waiting(
        answers=tuple(answer for answer in answers if answer.roll_call_id in still),
        to_sign=tuple(
            view
            for view in views
            if view.incident.state in UNSIGNED_STATES
            and (viewer.id == view.incident.assigned_to or viewer.id in view.incident.heard_by)
        ),
        mine=tuple(view for view in views if view.incident.signed_by == viewer.id),
        drafts=tuple(await store.find(Draft, officer_id=viewer.id, state="open", limit=WAITING_MAX)),
    )
