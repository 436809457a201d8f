"""Makes a draft an incident: number, suggested level, frozen ladder, clocks, first step due now."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from desk.attachments import move_to_incident
from desk.clocks import start_clocks
from desk.escalations import call_in
from desk.follow_ups import follow_up
from desk.ports import Desk
from desk.recipients import watch_unit
from desk.territory import ground_of, unit_names
from incidents import deadlines, duplicates, escalation, intake, triage
from incidents.casualties import read_casualties
from incidents.kinds import read_kind
from incidents.model import OPEN_STATES, Draft, Incident, Report, ReportKind, State
from incidents.occurred import read_occurred
from roster.model import Officer, Unit

TITLE_MAX = 40
DRAFT_KEY = "draft/"
NOT_A_TIME = ("impossible", "ambiguous", "future")  # Never guessed: the teller is asked.


@dataclass(frozen=True)
class Taken:
    """What became of a message: a draft that still lacks something, or an incident it opened or joined."""

    draft: Draft | None = None
    missing: tuple[str, ...] = ()
    incident: Incident | None = None
    report: Report | None = None
    opened: bool = False
    silent: bool = False  # A later photo of an album: kept, not answered one by one.
    similar: tuple[str, ...] = ()


def draft_key(draft_id: str) -> str:
    """The event key of the report that a draft became."""
    return f"{DRAFT_KEY}{draft_id}"


def draft_subject(draft_id: str) -> str:
    """What the duty log calls a report that is being told."""
    return f"draft:{draft_id}"


def told_as(reports: Iterable[Report]) -> list[str]:
    """What the log calls these reports from while they were being told."""
    keys = [one.event_key for one in reports if one.event_key.startswith(DRAFT_KEY)]
    return [draft_subject(key.removeprefix(DRAFT_KEY)) for key in keys]


async def file(desk: Desk, draft: Draft, officer: Officer) -> Taken:
    """Send the draft out as an incident, or into the last one of a person who reports too many an hour."""
    flooding = await _flooding(desk, officer)
    if flooding is not None:
        return await _fold(desk, draft, flooding, officer)
    incident = await _new_incident(desk, draft, officer)
    report = _first_report(desk, draft, incident, officer)
    await desk.store.add(incident, report)
    await desk.store.change(draft, state="sent", incident_id=incident.id)
    await move_to_incident(desk, draft.attachment_ids, incident.id)
    similar = await _similar(desk, incident)
    missing = (*intake.missing(draft), *_unclear_time(desk, draft))
    if intake.is_at_unit(draft, await unit_names(desk)):
        missing = (*missing, "position")
    subject = f"incident:{incident.id}"
    desk.log(
        "incident_opened",
        subject,
        officer.id,
        number=incident.number,
        severity=incident.severity,
        basis=incident.basis,
        similar=list(similar),
        incomplete=list(missing),
    )
    desk.due("step", incident.id, desk.now, key=subject, name=f"step/{incident.id}/0/0")
    start_clocks(desk, incident)
    own = await watch_unit(desk, officer.unit_id)
    if own != incident.unit_id:  # Another unit's ground: the reporter's own hears of it too.
        incident = await call_in(desk, incident, own)
    return Taken(incident=incident, report=report, opened=True, similar=similar, missing=missing)


async def _fold(desk: Desk, draft: Draft, into: Incident, officer: Officer) -> Taken:
    """Kept whole as a follow-up of an incident that is paged already."""
    await desk.store.change(draft, state="sent", incident_id=into.id)
    report = await follow_up(
        desk,
        into,
        officer,
        text=draft.text,
        place=draft.place,
        attachment_ids=draft.attachment_ids,
        key=draft_key(draft.id),
    )
    await move_to_incident(desk, draft.attachment_ids, into.id)
    return Taken(incident=into, report=report)


async def _flooding(desk: Desk, officer: Officer) -> Incident | None:
    """Beyond the limit of incidents an hour, one person's reports join the last open one: kept, not paged each."""
    since = desk.now - timedelta(hours=1)
    limit = desk.policy.limits.pages_per_reporter_per_hour
    recent = await desk.store.find(
        Incident, reporter_id=officer.id, received_at_from=since, order=("-id",), limit=limit
    )
    if len(recent) < limit:
        return None
    return next((one for one in recent if one.state in OPEN_STATES), None)


async def _new_incident(desk: Desk, draft: Draft, officer: Officer) -> Incident:
    zone = ZoneInfo(desk.policy.timezone)
    local_day = desk.now.astimezone(zone).date()
    sequence = await desk.store.next_sequence(f"number/{local_day.isoformat()}")
    category, kind = read_kind(f"{draft.kind} {draft.text}")
    casualties = draft.casualties or read_casualties(draft.text)
    found = triage.assess(category, kind, casualties, draft.text, desk.now)
    incident = Incident(
        id=desk.new_id(),
        number=intake.number(desk.policy.number_prefix, local_day, sequence),
        state=State.received,
        received_at=desk.now,
        unit_id=await ground_of(desk, draft.place, await watch_unit(desk, officer.unit_id)),
        reporter_id=officer.id,
        title=title_of(draft.text),
        category=category,
        kind=kind,
        severity=found.severity,
        potential=found.potential,
        basis=found.basis,
        sensitive=found.sensitive,
        place=draft.place,
        casualties=casualties,
        occurred_at=read_occurred(draft.text, desk.now, zone).at,
        walk_started_at=desk.now,
        next_step_at=desk.now,
        reports_count=1,
    )
    unit = await desk.store.get(Unit, incident.unit_id)
    ladder = escalation.ladder_for(incident, desk.policy.ladders, unit.name if unit else "")
    incident = replace(incident, ladder=ladder)
    return deadlines.set_clocks(incident, desk.now, desk.minutes(1))


def _first_report(desk: Desk, draft: Draft, incident: Incident, officer: Officer) -> Report:
    return Report(
        id=desk.new_id(),
        incident_id=incident.id,
        sequence=1,
        kind=ReportKind.first,
        reporter_id=officer.id,
        received_at=desk.now,
        text=draft.text,
        place=draft.place,
        attachment_ids=draft.attachment_ids,
        channel=draft.channel,
        event_key=draft_key(draft.id),
    )


def title_of(text: str) -> str:
    """The first line of a text that says anything, short."""
    lines = [line.strip() for line in text.splitlines()]
    said = next((line for line in lines if intake.says_something(line)), "")
    return said[:TITLE_MAX]


def _unclear_time(desk: Desk, draft: Draft) -> tuple[str, ...]:
    """ "when", if the text names a time that cannot be, or that may mean two."""
    occurred = read_occurred(draft.text, desk.now, ZoneInfo(desk.policy.timezone))
    return ("when",) if occurred.at is None and occurred.fault in NOT_A_TIME else ()


async def _similar(desk: Desk, incident: Incident) -> tuple[str, ...]:
    """Numbers of open incidents that may be the same event; a person decides, nothing merges by itself."""
    window = timedelta(minutes=desk.policy.limits.duplicate_window_minutes)
    recent = await desk.store.find(
        Incident, state_in=list(OPEN_STATES), received_at_from=desk.now - window, order=("-id",), limit=50
    )
    others = [one for one in recent if one.id != incident.id]
    within = desk.policy.limits.duplicate_within_metres
    found = duplicates.likely(incident, others, window=window, within_metres=within)
    return tuple(other.number for other, _reason in found[:3])
