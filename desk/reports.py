"""Takes incident reports: any order, nothing refused, nothing lost; a complete or overdue draft becomes an incident."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from desk.attachments import keep_files, move_to_incident
from desk.follow_ups import follow_up
from desk.model import Inbound
from desk.permissions import Action, require
from desk.ports import Desk
from incidents import deadlines, duplicates, escalation, intake, lifecycle, triage
from incidents.casualties import read_casualties
from incidents.kinds import read_kind
from incidents.model import (
    OPEN_STATES,
    Draft,
    Incident,
    Report,
    ReportKind,
    Severity,
    State,
)
from incidents.occurred import read_occurred_at
from roster.model import Officer, Unit


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


async def open_draft(desk: Desk, officer: Officer) -> Draft | None:
    """The report this officer is telling now."""
    drafts = await desk.store.find(Draft, officer_id=officer.id, state="open", order=("-id",), limit=1)
    return drafts[0] if drafts else None


async def start(desk: Desk, message: Inbound, officer: Officer) -> Draft:
    """An empty report, opened on purpose; a draft already open is continued."""
    draft = await open_draft(desk, officer)
    return draft or await _new_draft(desk, message, officer)


async def take(desk: Desk, message: Inbound, officer: Officer) -> Taken:
    """Add a message to the officer's draft (opening one if needed); file it once place and event are known."""
    draft = await open_draft(desk, officer)
    if message.album and (draft is None or draft.group != message.album):
        joined = await _join_album(desk, message, officer)
        if joined is not None:
            return joined
    is_more_of_album = draft is not None and bool(message.album) and draft.group == message.album
    if draft is None:
        draft = await _new_draft(desk, message, officer)
    attachments = await keep_files(
        desk, message, officer, draft_id=draft.id, already=len(draft.attachment_ids)
    )
    added = intake.add(
        draft,
        text=message.text,
        place=message.place,
        attachment_ids=tuple(one.id for one in attachments),
        text_max=desk.policy.limits.text_max,
    )
    missing = intake.missing(added)
    # A photo or a place sent right after the same question needs no second copy of it.
    asked_before = not message.text and bool(missing) and missing[0] in draft.asked
    asked = tuple(dict.fromkeys((*draft.asked, *missing[:1])))
    grown = replace(added, group=message.album or draft.group, asked=asked)
    draft = await desk.store.change(draft, **_difference(draft, grown))
    if missing:
        return Taken(draft=draft, missing=missing, silent=is_more_of_album or asked_before)
    return await file(desk, draft, officer)


async def fell_due(desk: Desk, draft_id: str) -> Taken | None:
    """The draft waited long enough: it goes out as it is (先报事，后报情), or is dropped when nothing was ever said."""
    draft = await desk.store.get(Draft, draft_id)
    if draft is None or draft.state != "open" or desk.now < draft.due_at:
        return None
    officer = await desk.store.get(Officer, draft.officer_id)
    if officer is None:
        return None
    if not (draft.text or draft.place or draft.attachment_ids):
        return Taken(draft=await desk.store.change(draft, state="cancelled"))
    return await file(desk, draft, officer)


async def cancel(desk: Desk, officer: Officer) -> Draft | None:
    """Put the open draft away at the sender's wish; what was said stays in the log."""
    draft = await open_draft(desk, officer)
    if draft is None:
        return None
    desk.log(
        "draft_cancelled", f"draft:{draft.id}", officer.id, text=draft.text, photos=len(draft.attachment_ids)
    )
    return await desk.store.change(draft, state="cancelled")


async def file(desk: Desk, draft: Draft, officer: Officer) -> Taken:
    """Make the draft an incident: number, suggested level, frozen ladder, clocks, first step due now."""
    flooding = await _flooding(desk, officer)
    if flooding is not None:
        await desk.store.change(draft, state="sent", incident_id=flooding.id)
        report = await follow_up(
            desk, flooding, officer, text=draft.text, place=draft.place, attachment_ids=draft.attachment_ids
        )
        await move_to_incident(desk, draft.attachment_ids, flooding.id)
        return Taken(incident=flooding, report=report)
    incident = await _new_incident(desk, draft, officer)
    report = _first_report(desk, draft, incident, officer)
    await desk.store.add(incident, report)
    await desk.store.change(draft, state="sent", incident_id=incident.id)
    await move_to_incident(desk, draft.attachment_ids, incident.id)
    similar = await _similar(desk, incident)
    subject = f"incident:{incident.id}"
    desk.log(
        "incident_opened",
        subject,
        officer.id,
        number=incident.number,
        severity=incident.severity,
        basis=incident.basis,
        similar=list(similar),
        incomplete=list(intake.missing(draft)),
    )
    desk.due("step", incident.id, desk.now, key=subject, name=f"step/{incident.id}/0/0")
    schedule_clocks(desk, incident)
    return Taken(
        incident=incident, report=report, opened=True, similar=similar, missing=intake.missing(draft)
    )


def schedule_clocks(desk: Desk, incident: Incident) -> None:
    """The reporting clocks speak at half time and at the end."""
    subject = f"incident:{incident.id}"
    for reading in deadlines.clocks(incident, desk.now):
        half = reading.started_at + (reading.due_at - reading.started_at) / 2
        for at in (half, reading.due_at):
            if at > desk.now:
                desk.due("clock", incident.id, at, key=subject, name=f"clock/{incident.id}/{at.isoformat()}")


async def separate(desk: Desk, message: Inbound, officer: Officer, report_id: str) -> Taken | None:
    """另报一件: what was taken as a follow-up is an event of its own; the report stays and says so."""
    report = await desk.store.get(Report, report_id)
    if report is None or report.reporter_id != officer.id or report.kind is not ReportKind.follow_up:
        return None
    desk.log("report_separated", f"incident:{report.incident_id}", officer.id, sequence=report.sequence)
    draft = await _new_draft(desk, message, officer)
    added = replace(draft, text=report.text, place=report.place, attachment_ids=report.attachment_ids)
    draft = await desk.store.change(draft, **_difference(draft, added))
    missing = intake.missing(draft)
    return Taken(draft=draft, missing=missing) if missing else await file(desk, draft, officer)


async def correct_level(desk: Desk, incident_id: str, officer: Officer, severity: Severity) -> Incident:
    """A person sets the level; the suggestion and the change stay in the log, the clocks follow the new level."""
    incident = await desk.store.get(Incident, incident_id)
    if incident is None:
        raise LookupError(incident_id)
    require(officer, Action.correct_level, incident)
    changed = lifecycle.set_severity(incident, officer.id, severity, desk.now)
    changed = deadlines.set_clocks(changed, desk.now, desk.minutes(1))
    stored = await desk.store.change(incident, **_difference(incident, changed))
    desk.log(
        "level_set",
        f"incident:{incident.id}",
        officer.id,
        was=incident.severity,
        now=severity,
        basis=incident.basis,
    )
    schedule_clocks(desk, stored)
    return stored


def _difference(old: object, new: object) -> dict[str, Any]:
    fields = old.__dataclass_fields__  # type: ignore[attr-defined]  # Every record is a dataclass.
    return {
        name: getattr(new, name)
        for name in fields
        if name != "version" and getattr(new, name) != getattr(old, name)
    }


async def _new_draft(desk: Desk, message: Inbound, officer: Officer) -> Draft:
    draft = Draft(
        id=desk.new_id(),
        officer_id=officer.id,
        channel=message.channel,
        address=message.address,
        opened_at=desk.now,
        due_at=desk.now + desk.minutes(desk.policy.limits.draft_minutes),
        group=message.album,
    )
    await desk.store.add(draft)
    desk.due("draft", draft.id, draft.due_at, key=f"draft:{officer.id}")
    return draft


async def _join_album(desk: Desk, message: Inbound, officer: Officer) -> Taken | None:
    """A later photo of an album whose report was sent already goes to the same incident, without a word."""
    sent = await desk.store.find(
        Draft, officer_id=officer.id, state="sent", group=message.album, order=("-id",), limit=1
    )
    if not sent:
        return None
    incident = await desk.store.get(Incident, sent[0].incident_id)
    if incident is None:
        return None
    count = incident.reports_count
    attachments = await keep_files(desk, message, officer, incident_id=incident.id, already=count)
    firsts = await desk.store.find(
        Report, incident_id=incident.id, reporter_id=officer.id, order=("-sequence",), limit=1
    )
    if firsts:
        ids = (*firsts[0].attachment_ids, *(one.id for one in attachments))
        await desk.store.change(firsts[0], attachment_ids=ids)
    return Taken(incident=incident, silent=True)


async def _flooding(desk: Desk, officer: Officer) -> Incident | None:
    """Beyond the limit of incidents an hour, one person's reports join the last one: kept, not paged each."""
    since = desk.now - timedelta(hours=1)
    limit = desk.policy.limits.pages_per_reporter_per_hour
    recent = await desk.store.find(
        Incident, reporter_id=officer.id, received_at_from=since, order=("-id",), limit=limit
    )
    if len(recent) < limit or recent[0].state not in OPEN_STATES:
        return None
    return recent[0]


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
        unit_id=officer.unit_id,
        reporter_id=officer.id,
        title=_title(draft),
        category=category,
        kind=kind,
        severity=found.severity,
        potential=found.potential,
        basis=found.basis,
        sensitive=found.sensitive,
        place=draft.place,
        casualties=casualties,
        occurred_at=read_occurred_at(draft.text, desk.now, zone),
        walk_started_at=desk.now,
        next_step_at=desk.now,
        reports_count=1,
    )
    unit = await desk.store.get(Unit, officer.unit_id)
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
        event_key=f"draft/{draft.id}",
    )


def _title(draft: Draft) -> str:
    line = draft.text.strip().splitlines()[0] if draft.text.strip() else ""
    return line[:40]


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
