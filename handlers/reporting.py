"""How what somebody tells is taken: a piece of the report being told, a follow-up, or a report of its own."""

from datetime import timedelta

from desk import reports
from desk.attachments import keep_files
from desk.follow_ups import follow_up, incident_spoken_of, recent_of
from desk.model import Choice, Inbound, Notice
from desk.permissions import may_reopen
from desk.ports import Desk
from desk.said import event_key, remember_album, report_of
from handlers.flow import say
from incidents.intake import find_number
from incidents.model import OPEN_STATES, Attachment, Incident, Report, ReportKind
from incidents.places import distance_metres
from incidents.telling import read_telling, tells_of_event
from roster.model import Officer


def filed_notice(taken: reports.Taken) -> Notice:
    """The receipt of a report: its number and what is still unknown."""
    incident = taken.incident
    if incident is None:
        raise ValueError("nothing was filed")
    facts = {
        "number": incident.number,
        "severity": incident.severity.value,
        "missing": list(taken.missing),
        "similar": list(taken.similar),
        "opened": taken.opened,
    }
    return Notice("report_filed", facts, asks_place="position" in taken.missing)


async def take(desk: Desk, message: Inbound, officer: Officer, *, started: bool = False) -> None:
    """A piece of the report being told, a follow-up of what is named or was reported just now, or a new report."""
    if message.album and not message.text and await reports.join_album(desk, message, officer) is not None:
        return
    incident = None if started else await incident_spoken_of(desk, message, officer)
    number = "" if started or incident else find_number(message.text, desk.policy.number_prefix)
    if number and not await _goes_on_without(desk, message, officer, number):
        return
    if incident is None and not started and not number:
        incident = await _belongs_to(desk, message, officer)
    if incident is not None:
        await add(desk, message, officer, incident)
    else:
        await tell_anew(desk, message, officer)


async def tell_anew(desk: Desk, message: Inbound, officer: Officer) -> None:
    """A report of its own, or one more piece of the one being told."""
    await told(desk, message, officer, await reports.take(desk, message, officer))


async def _goes_on_without(desk: Desk, message: Inbound, officer: Officer, number: str) -> bool:
    """A number that is no incident of theirs is said so; words that tell of an event, and files, are reported."""
    is_kept = tells_of_event(message.text) or bool(message.files or message.place)
    say(desk, message, officer, Notice("incident_unknown", {"number": number, "kept": is_kept}))
    if not is_kept:
        desk.log(
            "number_unknown", f"officer:{officer.id}", officer.id, number=number, text=message.text[:500]
        )
    return is_kept


async def _belongs_to(desk: Desk, message: Inbound, officer: Officer) -> Incident | None:
    """What comes right after one's own report joins it; a place far from that report's begins another.

    So does danger told by whoever signed for the own report: of a follow-up nobody else would hear."""
    if await reports.open_draft(desk, officer) is not None:
        return None
    recent = await recent_of(desk, officer)
    if recent is None or (recent.signed_by == officer.id and read_telling(message.text).goes_on):
        return None
    if message.place is None:
        return recent
    metres = distance_metres(recent.place, message.place)
    return None if metres is not None and metres > desk.policy.limits.duplicate_within_metres else recent


async def add(
    desk: Desk,
    message: Inbound,
    officer: Officer,
    incident: Incident,
    kind: ReportKind = ReportKind.follow_up,
    corrects: str = "",
) -> None:
    """Add a message to an incident, and say so to its sender."""
    report = await keep(desk, message, officer, incident, kind, corrects)
    if report is not None:
        notice = _added(incident, report, may_reopen=may_reopen(officer, incident))
        say(desk, message, officer, notice, subject=f"incident:{incident.id}")


async def keep(
    desk: Desk,
    message: Inbound,
    officer: Officer,
    incident: Incident,
    kind: ReportKind = ReportKind.follow_up,
    corrects: str = "",
) -> Report | None:
    """Add a message to an incident; None when it is there already."""
    message_id = message.message_id or message.event_id
    if await report_of(desk, message, message_id) is not None:
        return None  # The same message again.
    lately = await desk.store.count(
        Attachment,
        incident_id=incident.id,
        officer_id=officer.id,
        received_at_from=desk.now - timedelta(hours=1),
    )
    rows = await keep_files(desk, message, officer, incident_id=incident.id, already=lately)
    report = await follow_up(
        desk,
        incident,
        officer,
        text=message.text,
        place=message.place,
        attachment_ids=tuple(row.id for row in rows),
        key=event_key(message.channel, message.address, message_id),
        kind=kind,
        corrects=corrects,
    )
    await remember_album(desk, message, report)
    return report


def _added(incident: Incident, report: Report, *, may_reopen: bool) -> Notice:
    facts = {
        "number": incident.number,
        "nth": report.sequence - 1,
        "report": report.kind.value,
        "photos": len(report.attachment_ids),
        "state": "" if incident.state in OPEN_STATES else incident.state.value,
    }
    choices = (Choice("separate", report.id),) if report.kind is ReportKind.follow_up else ()
    if may_reopen:
        choices = (*choices, Choice("reopen", incident.id))
    return Notice("report_added", facts, choices)


async def told(desk: Desk, message: Inbound, officer: Officer, taken: reports.Taken) -> None:
    if taken.silent:
        return
    if taken.incident is not None:
        say(desk, message, officer, filed_notice(taken), subject=f"incident:{taken.incident.id}")
    elif taken.draft is not None:
        minutes = desk.policy.limits.draft_minutes
        facts = {
            "missing": list(taken.missing),
            "photos": len(taken.draft.attachment_ids),
            "has_place": taken.draft.place is not None,
            "has_text": bool(taken.draft.text),
            "minutes": minutes,
        }
        say(desk, message, officer, Notice("report_asks", facts, asks_place="place" in taken.missing))
