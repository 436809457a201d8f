"""Adds what comes after the first report: 续报, 更正 and moved places, to the incident they speak of."""

from dataclasses import replace
from datetime import timedelta

from desk.letters import tell
from desk.model import Inbound, Letter, Notice
from desk.permissions import may_see
from desk.ports import Desk
from incidents import deadlines, intake, triage
from incidents.casualties import merge_casualties, read_casualties
from incidents.kinds import read_kind
from incidents.model import OPEN_STATES, Incident, Place, Report, ReportKind
from incidents.places import merge_places
from roster.model import Officer


async def incident_spoken_of(desk: Desk, message: Inbound, officer: Officer) -> Incident | None:
    """The incident a message belongs to: by its number in the text, or by the message it replies to."""
    number = intake.find_number(message.text, desk.policy.number_prefix)
    if number:
        found = await desk.store.find(Incident, number=number, limit=1)
        return found[0] if found and may_see(officer, found[0]) else None
    if not message.reply_to:
        return None
    letters = await desk.store.find(
        Letter,
        remote_id=message.reply_to,
        channel=message.channel,
        address=message.address,
        order=("-id",),
        limit=1,
    )
    if letters and letters[0].subject.startswith("incident:"):
        incident = await desk.store.get(Incident, letters[0].subject.partition(":")[2])
        return incident if incident is not None and may_see(officer, incident) else None
    key = event_key(message.channel, message.address, message.reply_to)
    reports = await desk.store.find(Report, event_key=key, limit=1)
    return await desk.store.get(Incident, reports[0].incident_id) if reports else None


async def recent_of(desk: Desk, officer: Officer) -> Incident | None:
    """The officer's own incident opened or added to within the last draft window, still open."""
    since = desk.now - timedelta(minutes=desk.policy.limits.draft_minutes)
    found = await desk.store.find(
        Incident, reporter_id=officer.id, received_at_from=since, order=("-id",), limit=1
    )
    return found[0] if found and found[0].state in OPEN_STATES else None


async def follow_up(
    desk: Desk,
    incident: Incident,
    officer: Officer,
    *,
    text: str = "",
    place: Place | None = None,
    attachment_ids: tuple[str, ...] = (),
    key: str = "",
    kind: ReportKind = ReportKind.follow_up,
    corrects: str = "",
) -> Report:
    """Append a report to an incident; new casualties raise the suggested level and whoever signed is told."""
    report = Report(
        id=desk.new_id(),
        incident_id=incident.id,
        sequence=incident.reports_count + 1,
        kind=kind,
        reporter_id=officer.id,
        received_at=desk.now,
        text=text,
        place=place,
        attachment_ids=attachment_ids,
        corrects=corrects,
        event_key=key or f"report/{desk.new_id()}",
    )
    await desk.store.add(report)
    changed = _taught_by(desk, incident, report)
    stored = await desk.store.change(
        incident,
        reports_count=report.sequence,
        place=changed.place,
        casualties=changed.casualties,
        severity=changed.severity,
        potential=changed.potential,
        basis=changed.basis,
        sensitive=changed.sensitive,
        phone_by=changed.phone_by,
        written_by=changed.written_by,
        follow_up_by=changed.follow_up_by,
        category=changed.category,
        kind=changed.kind,
        title=changed.title,
    )
    subject = f"incident:{incident.id}"
    desk.log(
        "report_added",
        subject,
        officer.id,
        number=incident.number,
        report=kind.value,
        sequence=report.sequence,
    )
    if stored.severity is not incident.severity:
        desk.log("level_suggested", subject, was=incident.severity, now=stored.severity, basis=stored.basis)
    await _tell_holders(desk, stored, report, officer)
    return report


def _taught_by(desk: Desk, incident: Incident, report: Report) -> Incident:
    """What the incident is once the report is known: only gaps are filled, only a higher level is suggested."""
    text = report.text
    category, kind = read_kind(text)
    unknown = not incident.kind
    casualties = merge_casualties(incident.casualties, read_casualties(text))
    changed = replace(
        incident,
        place=merge_places(incident.place, report.place),
        casualties=casualties,
        category=category if unknown else incident.category,
        kind=kind if unknown else incident.kind,
        title=incident.title or text.strip()[:40],
    )
    found = triage.assess(changed.category, changed.kind, casualties, f"{incident.title} {text}", desk.now)
    if not incident.severity_set_by:
        worst = triage.worse(found.severity, incident.severity)
        basis = found.basis if worst is not incident.severity else incident.basis
        changed = replace(
            changed, severity=worst, basis=basis, potential=found.potential or incident.potential
        )
    changed = replace(changed, sensitive=incident.sensitive or found.sensitive)
    return deadlines.after_follow_up(changed, desk.now, desk.minutes(1))


async def _tell_holders(desk: Desk, incident: Incident, report: Report, officer: Officer) -> None:
    facts = {
        "number": incident.number,
        "title": incident.title,
        "text": report.text,
        "photos": len(report.attachment_ids),
        "reporter": officer.name,
        "report": report.kind.value,
        "nth": report.sequence - 1,
        "severity": incident.severity.value,
        "severity_set": bool(incident.severity_set_by),
    }
    told = [incident.signed_by or incident.assigned_to] if incident.signed_by or incident.assigned_to else []
    for officer_id in told or incident.heard_by:
        if officer_id != officer.id:
            tell(desk, officer_id, Notice("follow_up_arrived", facts), subject=f"incident:{incident.id}")


def event_key(channel: str, address: str, message_id: str) -> str:
    """Names one message of one chat."""
    return f"{channel}/{address}/{message_id}"
