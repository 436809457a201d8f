"""/report 报送: text, photos, place in any order become an incident; later words become its follow-ups."""

import re
from dataclasses import replace
from datetime import timedelta

from desk import answers, reports
from desk.answers import Given
from desk.attachments import keep_files
from desk.follow_ups import follow_up, incident_spoken_of, recent_of
from desk.letters import tell
from desk.model import Choice, Inbound, Notice
from desk.ports import Desk
from desk.said import draft_of, event_key, remember_album, report_of
from handlers.flow import Flow, say
from incidents import intake
from incidents.model import OPEN_STATES, Attachment, Draft, Incident, Report, ReportKind
from incidents.places import believed, distance_metres
from roster.model import Account, Officer, Proof

STARTS = ("/report", "报送", "上报")
# Said to be polite, never to report: an incident "好的" would wake a leader.
COURTESIES = frozenset(
    "好 好的 好滴 好嘞 谢谢 谢谢您 多谢 感谢 知道了 知道 明白 明白了 了解 嗯 嗯嗯 哦 噢 行 可以 辛苦了 辛苦 不客气 "
    "ok okay thanks thank you".split(" ")
)
COMMAND = re.compile(r"/[A-Za-z_]\w*(@\w+)?(\s|$)")
EDGES = " \t\r\n,，.。!！~～?？"
MOVED_METRES = 100.0  # A live location that moves less says nothing new.


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Take whatever came: a start, a piece of a report, a follow-up, a correction."""
    if message.kind == "choice":
        await _pressed(desk, message, officer)
        return
    started, message = _without_start(message)
    if message.place is not None:
        message = replace(message, place=believed(message.place))
    if started and not (message.text or message.files or message.place):
        await reports.start(desk, message, officer)
        say(desk, message, officer, Notice("report_started", {}, asks_place=True))
    elif message.edited:
        await _edited(desk, message, officer)
    elif not started and _says_nothing(message):
        await _nothing_said(desk, message, officer)
    else:
        await _take(desk, message, officer, started=started)


async def wants(desk: Desk, message: Inbound, officer: Officer) -> bool:
    """Everything nobody else wants is a report, and never refused; a command nobody knows is none."""
    return bool(message.files or message.place) or COMMAND.match(message.text) is None


async def draft_fell_due(desk: Desk, draft_id: str) -> None:
    """The report being told goes out as it is, and its teller gets the number where they were telling it."""
    taken = await reports.fell_due(desk, draft_id)
    draft = await desk.store.get(Draft, draft_id)
    if taken is None or taken.incident is None or draft is None:
        return
    # On a phone that was replaced meanwhile nobody should read it.
    theirs = await desk.store.count(
        Account, channel=draft.channel, address=draft.address, officer_id=draft.officer_id, reachable=True
    )
    where = (f"{draft.channel}:{draft.address}",) if theirs else ()
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
    return Notice("report_filed", facts, asks_place="position" in taken.missing)


async def _pressed(desk: Desk, message: Inbound, officer: Officer) -> None:
    if message.verb == "separate" and not message.stale:
        taken = await reports.separate(desk, message, officer, message.ref)
        if taken is not None:
            await _told(desk, message, officer, taken)
            return
    elif message.verb == "trouble":
        await _trouble(desk, message, officer)
        return
    say(desk, message, officer, Notice("choice_stale", {}))


async def _trouble(desk: Desk, message: Inbound, officer: Officer) -> None:
    """有情况 at a roll call: whoever says so is there, and tells it as a report; a proof owed stays owed."""
    answer = await answers.line_of(desk, officer.id, message.ref)
    is_here = False
    if answer is not None and answer.officer_id == officer.id and answer.proof is Proof.tap:
        is_here = await answers.take(desk, message, officer, answer, Given())
    await reports.start(desk, message, officer)
    facts = {} if is_here else {"from_roll_call": True}
    say(desk, message, officer, Notice("report_started", facts, asks_place=True))


async def _take(desk: Desk, message: Inbound, officer: Officer, *, started: bool = False) -> None:
    """A piece of the report being told, a follow-up of what is named or was reported just now, or a new report."""
    if message.album and not message.text and await reports.join_album(desk, message, officer) is not None:
        return
    incident = None if started else await _belongs_to(desk, message, officer)
    if incident is not None:
        await _add(desk, message, officer, incident)
    else:
        await _told(desk, message, officer, await reports.take(desk, message, officer))


async def _belongs_to(desk: Desk, message: Inbound, officer: Officer) -> Incident | None:
    """A number or a reply names the incident; else what comes right after one's own report joins it.

    A place far from that report's is the beginning of another."""
    named = await incident_spoken_of(desk, message, officer)
    if named is not None:
        return named
    if await reports.open_draft(desk, officer) is not None:
        return None
    recent = await recent_of(desk, officer)
    if recent is None or message.place is None:
        return recent
    metres = distance_metres(recent.place, message.place)
    return None if metres is not None and metres > desk.policy.limits.duplicate_within_metres else recent


async def _add(
    desk: Desk,
    message: Inbound,
    officer: Officer,
    incident: Incident,
    kind: ReportKind = ReportKind.follow_up,
    corrects: str = "",
) -> None:
    message_id = message.message_id or message.event_id
    if await report_of(desk, message, message_id) is not None:
        return  # The same message again.
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
    is_moving = message.place is not None and not message.text
    said = await report_of(desk, message, message.message_id)
    draft = await draft_of(desk, message, message.message_id)
    message = await _without_known_files(desk, message, said, draft)
    if draft is not None and draft.state == "open":
        taken = await reports.take(desk, message, officer)
        if not is_moving or taken.incident is not None:
            await _told(desk, message, officer, taken)
        return
    incident_id = said.incident_id if said else draft.incident_id if draft else ""
    incident = await desk.store.get(Incident, incident_id) if incident_id else None
    if is_moving:
        await _moved(desk, message, officer, incident)
    elif incident is None:
        await _take(desk, message, officer)
    else:
        corrects = said or await _first_report(desk, incident)
        again = replace(message, message_id=f"{message.message_id}/edit/{message.event_id}")
        kind = ReportKind.correction
        await _add(desk, again, officer, incident, kind, corrects.id if corrects else "")


async def _without_known_files(
    desk: Desk, message: Inbound, said: Report | None, draft: Draft | None
) -> Inbound:
    """A new caption comes with the old picture again."""
    ids = list(said.attachment_ids if said else draft.attachment_ids if draft else ())
    if not message.files or not ids:
        return message
    known = {one.remote_id for one in await desk.store.find(Attachment, id_in=ids)}
    return replace(message, files=tuple(file for file in message.files if file.remote_id not in known))


async def _moved(desk: Desk, message: Inbound, officer: Officer, incident: Incident | None) -> None:
    """A live location runs on for hours: it fills a place nobody told, else only the log follows it."""
    if incident is None or incident.state not in OPEN_STATES or message.place is None:
        return
    if incident.place is None or incident.place.lat is None:
        again = replace(message, message_id=f"{message.message_id}/edit/{message.event_id}")
        await _add(desk, again, officer, incident)
        return
    metres = distance_metres(incident.place, message.place)
    if metres is not None and metres >= MOVED_METRES:
        place = {"lat": message.place.lat, "lon": message.place.lon, "metres": round(metres)}
        desk.log("place_moved", f"incident:{incident.id}", officer.id, number=incident.number, **place)


async def _first_report(desk: Desk, incident: Incident) -> Report | None:
    found = await desk.store.find(Report, incident_id=incident.id, order=("sequence",), limit=1)
    return found[0] if found else None


async def _nothing_said(desk: Desk, message: Inbound, officer: Officer) -> None:
    """A courtesy or a sticker: what is still missing is asked again, else a short word that nothing is owed."""
    draft = await reports.open_draft(desk, officer)
    if draft is not None:
        taken = reports.Taken(draft=draft, missing=intake.missing(draft))
        await _told(desk, message, officer, taken)
    elif message.kind == "other":
        say(desk, message, officer, Notice("help", {"role": officer.role.value, "name": officer.name}))
    else:
        say(desk, message, officer, Notice("no_roll_call", {}))


def _says_nothing(message: Inbound) -> bool:
    if message.files or message.place is not None:
        return False
    return message.kind == "other" or message.text.strip(EDGES).lower() in COURTESIES


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


def _without_start(message: Inbound) -> tuple[bool, Inbound]:
    text = message.text.strip()
    for word in STARTS:
        if text == word or text.startswith((f"{word} ", f"{word}\n", f"{word}：", f"{word}:")):
            return True, replace(message, text=text[len(word) :].lstrip(" ：:\n"))
    return False, message


flow = Flow(
    "report",
    hear,
    commands=("report",),
    leads=("报送", "上报"),
    verbs=("separate", "trouble"),
    wants=wants,
    rank=900,
)
