"""/report 报送: text, photos, place in any order become an incident; later words become its follow-ups."""

from dataclasses import replace

from desk import reports
from desk.attachments import keep_files
from desk.follow_ups import event_key, follow_up, incident_spoken_of, recent_of
from desk.letters import tell
from desk.model import Choice, Inbound, Notice
from desk.ports import Desk
from handlers.flow import Flow, say
from incidents.model import OPEN_STATES, Draft, Incident, Report, ReportKind
from roster.model import Officer

STARTS = ("/report", "报送", "上报")


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Take whatever came: a start, a piece of a report, a follow-up, a correction."""
    if message.kind == "choice":
        await _pressed(desk, message, officer)
        return
    started, message = _without_start(message)
    if started and not (message.text or message.files or message.place):
        await reports.start(desk, message, officer)
        say(desk, message, officer, Notice("report_started", {}, asks_place=True))
        return
    if message.edited:
        await _edited(desk, message, officer)
        return
    incident = None if started else await _belongs_to(desk, message, officer)
    if incident is not None:
        await _add(desk, message, officer, incident)
        return
    await _told(desk, message, officer, await reports.take(desk, message, officer))


async def _pressed(desk: Desk, message: Inbound, officer: Officer) -> None:
    if message.verb == "separate":
        taken = await reports.separate(desk, message, officer, message.ref)
        if taken is not None:
            await _told(desk, message, officer, taken)
            return
    elif message.verb == "trouble":
        await reports.start(desk, message, officer)
        say(desk, message, officer, Notice("report_started", {"from_roll_call": True}, asks_place=True))
        return
    say(desk, message, officer, Notice("choice_stale", {}))


async def _belongs_to(desk: Desk, message: Inbound, officer: Officer) -> Incident | None:
    """A number or a reply names the incident; else words or pictures right after one's own report join it."""
    named = await incident_spoken_of(desk, message, officer)
    if named is not None:
        return named if named.state in OPEN_STATES else None
    if message.place is not None or await reports.open_draft(desk, officer) is not None or message.album:
        return None
    return await recent_of(desk, officer)


async def _add(
    desk: Desk,
    message: Inbound,
    officer: Officer,
    incident: Incident,
    kind: ReportKind = ReportKind.follow_up,
) -> None:
    rows = await keep_files(desk, message, officer, incident_id=incident.id)
    report = await follow_up(
        desk,
        incident,
        officer,
        text=message.text,
        place=message.place,
        attachment_ids=tuple(row.id for row in rows),
        key=event_key(message.channel, message.address, message.message_id or message.event_id),
        kind=kind,
    )
    say(desk, message, officer, _added(incident, report), subject=f"incident:{incident.id}")


def _added(incident: Incident, report: Report) -> Notice:
    facts = {
        "number": incident.number,
        "nth": report.sequence - 1,
        "report": report.kind.value,
        "photos": len(report.attachment_ids),
    }
    choices = (Choice("separate", report.id),) if report.kind is ReportKind.follow_up else ()
    return Notice("report_added", facts, choices)


async def _edited(desk: Desk, message: Inbound, officer: Officer) -> None:
    """An edited message corrects what it said, and never overwrites it; a moving live location moves the draft."""
    draft = await reports.open_draft(desk, officer)
    if draft is not None:
        await _told(desk, message, officer, await reports.take(desk, message, officer))
        return
    key = event_key(message.channel, message.address, message.message_id)
    said = await desk.store.find(Report, event_key=key, limit=1)
    incident = await desk.store.get(Incident, said[0].incident_id) if said else await recent_of(desk, officer)
    if incident is None or incident.state not in OPEN_STATES:
        await _told(desk, message, officer, await reports.take(desk, message, officer))
        return
    if message.place is not None and not message.text:
        place = {"lat": message.place.lat, "lon": message.place.lon}
        desk.log("place_moved", f"incident:{incident.id}", officer.id, number=incident.number, **place)
        return
    again = replace(message, message_id=f"{message.message_id}/edit/{message.event_id}")
    await _add(desk, again, officer, incident, ReportKind.correction)


async def _told(desk: Desk, message: Inbound, officer: Officer, taken: reports.Taken) -> None:
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


async def draft_fell_due(desk: Desk, draft_id: str) -> None:
    """The report being told goes out as it is, and its teller gets the number where they were telling it."""
    taken = await reports.fell_due(desk, draft_id)
    draft = await desk.store.get(Draft, draft_id)
    if taken is None or taken.incident is None or draft is None:
        return
    where = (f"{draft.channel}:{draft.address}",)
    subject = f"incident:{taken.incident.id}"
    tell(desk, draft.officer_id, filed_notice(taken), subject=subject, channels=where)


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
    return Notice("report_filed", facts)


def _without_start(message: Inbound) -> tuple[bool, Inbound]:
    for word in STARTS:
        text = message.text.strip()
        if text == word or text.startswith((f"{word} ", f"{word}\n", f"{word}：", f"{word}:")):
            return True, replace(message, text=text[len(word) :].lstrip(" ：:\n"))
    return False, message


async def wants(desk: Desk, message: Inbound, officer: Officer) -> bool:
    """Everything nobody else wants is a report: it is never refused."""
    return True


flow = Flow(
    "report",
    hear,
    commands=("report",),
    leads=("报送", "上报"),
    verbs=("separate", "trouble"),
    wants=wants,
    rank=900,
)
