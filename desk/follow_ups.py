"""Adds what comes after the first report: 续报, 更正 and moved places, to the incident they speak of."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from desk.clocks import schedule_clocks, start_clocks
from desk.escalations import call_in
from desk.letters import tell
from desk.model import Choice, Inbound, Letter, LetterState, Notice
from desk.permissions import may_reopen, may_see
from desk.ports import Desk
from desk.recipients import leaders_of
from desk.said import incident_of
from desk.territory import ground_of, unit_names
from incidents import deadlines, intake, triage
from incidents.casualties import merge_casualties, read_casualties
from incidents.kinds import read_kind
from incidents.model import OPEN_STATES, Incident, Place, Report, ReportKind
from incidents.occurred import read_occurred_at
from incidents.places import (
    believed,
    corrected,
    labelled_place,
    merge_places,
    place_words,
    stated_place,
    unit_named,
)
from incidents.telling import corrected_place
from roster.model import Officer

ARRIVED = "follow_up_arrived"
TOLD_AT_ONCE_MAX = (
    3  # Of one incident to one person within a minute; what comes beyond is gathered in one message.
)
TOLD_TEXT_MAX = 1_000
MERGES_MAX = 5


async def incident_spoken_of(desk: Desk, message: Inbound, officer: Officer) -> Incident | None:
    """The incident a message belongs to: by its number in the text, or by the message it replies to."""
    incident = await _named_or_answered(desk, message)
    for _ in range(MERGES_MAX):
        if incident is None or not incident.merged_into:
            break
        incident = await desk.store.get(Incident, incident.merged_into)
    return incident if incident is not None and may_see(officer, incident) else None


async def letter_answered(desk: Desk, message: Inbound) -> Letter | None:
    """Our own message that this one replies to."""
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
    return letters[0] if letters else None


async def recent_of(desk: Desk, officer: Officer) -> Incident | None:
    """The officer's own incident, still open, that they opened or added to within the last draft window."""
    since = desk.now - timedelta(minutes=desk.policy.limits.draft_minutes)
    last = await desk.store.find(
        Report, reporter_id=officer.id, received_at_from=since, order=("-received_at", "-id"), limit=10
    )
    for report in last:
        incident = await desk.store.get(Incident, report.incident_id)
        if incident is not None and incident.reporter_id == officer.id:
            return incident if incident.state in OPEN_STATES else None
    return None


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
        text=_fitting(text, desk.policy.limits.text_max),
        place=believed(place) if place else None,
        attachment_ids=attachment_ids,
        corrects=corrects,
        event_key=key or f"report/{desk.new_id()}",
    )
    await desk.store.add(report)
    changed = await _placed_by(desk, _taught_by(desk, incident, report), incident, report)
    stored = await desk.store.change(
        incident,
        reports_count=report.sequence,
        unit_id=changed.unit_id,
        place=changed.place,
        casualties=changed.casualties,
        severity=changed.severity,
        potential=changed.potential,
        basis=changed.basis,
        sensitive=changed.sensitive,
        occurred_at=changed.occurred_at,
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
        nth=report.sequence - 1 if kind is ReportKind.follow_up else None,
        sequence=report.sequence,
    )
    if stored.severity is not incident.severity:
        desk.log("level_suggested", subject, was=incident.severity, now=stored.severity, basis=stored.basis)
    is_new = _clock_facts(stored) != _clock_facts(incident)
    (start_clocks if is_new else schedule_clocks)(desk, stored)
    is_weighty = stored.severity is not incident.severity or stored.casualties != incident.casualties
    is_weighty = is_weighty or _words(stored) != _words(incident)
    await _note_place(desk, incident, stored, officer)
    await _tell_holders(desk, stored, report, officer, at_once=is_weighty)
    return report


async def _named_or_answered(desk: Desk, message: Inbound) -> Incident | None:
    number = intake.find_number(message.text, desk.policy.number_prefix)
    if number:
        found = await desk.store.find(Incident, number=number, limit=1)
        return found[0] if found else None
    if not message.reply_to:
        return None
    letter = await letter_answered(desk, message)
    if letter is not None and letter.subject.startswith("incident:"):
        return await desk.store.get(Incident, letter.subject.partition(":")[2])
    return await incident_of(desk, message, message.reply_to)


def _taught_by(desk: Desk, incident: Incident, report: Report) -> Incident:
    """What the incident is once the report is known: only gaps are filled, only a higher level is suggested."""
    text = report.text
    category, kind = read_kind(text)
    unknown = not incident.kind
    casualties = merge_casualties(incident.casualties, read_casualties(text))
    words = "" if incident.place else labelled_place(text) or place_words(text)
    told = report.place if report.place and (report.place.lat is not None or not incident.place) else None
    zone = ZoneInfo(desk.policy.timezone)
    changed = replace(
        incident,
        place=merge_places(merge_places(incident.place, Place(text=words) if words else None), told),
        casualties=casualties,
        category=category if unknown else incident.category,
        kind=kind if unknown else incident.kind,
        title=incident.title or text.strip().partition("\n")[0][:40],
        occurred_at=incident.occurred_at or read_occurred_at(text, desk.now, zone),
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


async def _placed_by(desk: Desk, changed: Incident, before: Incident, report: Report) -> Incident:
    """The same where the words say where it really is: 地点：… counts, and an edited message that names a unit.

    The township whose ground it is has it from then on, unless it is over."""
    words = corrected_place(report.text)
    if not words and report.kind is ReportKind.correction:
        words = stated_place(report.text) or unit_named(report.text, await unit_names(desk))
    place = changed.place
    told = report.place is not None and report.place.lat is not None
    if words and before.place is not None and words != before.place.text and not told:
        ground = await ground_of(desk, Place(text=words), before.unit_id)
        place = corrected(before.place, words, is_elsewhere=ground != before.unit_id)
    if place == before.place or before.state not in OPEN_STATES:
        return replace(changed, place=place)
    return replace(changed, place=place, unit_id=await ground_of(desk, place, before.unit_id))


async def _note_place(desk: Desk, before: Incident, after: Incident, officer: Officer) -> None:
    """A corrected place is a line of the log, and a township that has it now is called."""
    if before.place is not None and _words(before) and _words(after) != _words(before):
        facts: dict[str, object] = {
            "number": after.number,
            "was": _words(before),
            "now": _words(after),
            "by": officer.name,
        }
        if after.place is not None and after.place.lat is None and before.place.lat is not None:
            facts |= {"lat": before.place.lat, "lon": before.place.lon}
        desk.log("place_corrected", f"incident:{after.id}", officer.id, **facts)
    if after.unit_id != before.unit_id:
        await call_in(desk, after, after.unit_id)


def _words(incident: Incident) -> str:
    return incident.place.text if incident.place else ""


def _clock_facts(incident: Incident) -> tuple[object, ...]:
    return incident.phone_by, incident.written_by, incident.occurred_at


def _fitting(text: str, text_max: int) -> str:
    said = text.replace("\x00", "")
    return said if len(said) <= text_max else said[: text_max - 1] + intake.CUT


async def _tell_holders(
    desk: Desk, incident: Incident, report: Report, officer: Officer, *, at_once: bool
) -> None:
    facts = {
        "number": incident.number,
        "title": incident.title,
        "text": _fitting(report.text, TOLD_TEXT_MAX),
        "photos": len(report.attachment_ids),
        "reporter": officer.name,
        "report": report.kind.value,
        "nth": report.sequence - 1,
        "severity": incident.severity.value,
        "severity_set": bool(incident.severity_set_by),
    }
    for reader in await _holders(desk, incident):
        if reader.id != officer.id:
            choices = (Choice("reopen", incident.id),) if may_reopen(reader, incident) else ()
            notice = Notice(ARRIVED, facts, choices)
            await _tell_or_gather(desk, reader.id, notice, incident, at_once=at_once)


async def _holders(desk: Desk, incident: Incident) -> list[Officer]:
    """Who has it, else everybody who was asked to; after its end also whoever leads the watch now."""
    holder = incident.signed_by or incident.assigned_to
    people = [holder] if holder else list(incident.heard_by)
    if incident.state not in OPEN_STATES:
        people += [leader.id for leader in await leaders_of(desk, incident.unit_id)]
    found = {one.id: one for one in await desk.store.find(Officer, id_in=list(dict.fromkeys(people)))}
    return [found[one] for one in dict.fromkeys(people) if one in found]


async def _tell_or_gather(
    desk: Desk, officer_id: str, notice: Notice, incident: Incident, *, at_once: bool
) -> None:
    """Tell now; of a flood only the first, and what follows within a minute together at its end."""
    subject = f"incident:{incident.id}"
    await desk.write_records()
    lately = await desk.store.find(
        Letter, subject=subject, kind=ARRIVED, officer_id=officer_id, made_at_from=desk.now - desk.minutes(1)
    )
    if at_once or len(lately) < TOLD_AT_ONCE_MAX:
        tell(desk, officer_id, notice, subject=subject)
        return
    waiting = [
        one
        for one in lately
        if one.state is LetterState.queued and not one.attempts and one.facts.get("gathers")
    ]
    if not waiting:
        gathering = replace(notice, facts={**notice.facts, "gathers": True})
        tell(desk, officer_id, gathering, subject=subject, at=desk.now + desk.minutes(1))
        return
    before = waiting[-1].facts
    text = _fitting(f"{before['text']}\n{notice.facts['text']}".strip(), TOLD_TEXT_MAX)
    photos = before["photos"] + notice.facts["photos"]
    await desk.store.change(waiting[-1], facts={**before, **notice.facts, "text": text, "photos": photos})
