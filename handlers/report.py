"""/report 报送: text, photos, place in any order become an incident; later words become its follow-ups."""

import re
from dataclasses import replace

from desk import answers, reports
from desk.answers import Given
from desk.letters import tell
from desk.model import Choice, Inbound, Notice, Setting
from desk.ports import Desk
from desk.said import draft_of, report_of
from handlers import chatter, reporting
from handlers.flow import Flow, say
from incidents.model import OPEN_STATES, Attachment, Draft, Incident, Report, ReportKind
from incidents.places import believed, distance_metres
from incidents.telling import tells_of_event
from roster.model import Account, Officer, Proof

STARTS = ("/report", "报送", "上报")
COMMAND = re.compile(r"/[A-Za-z_]\w*(@\w+)?(\s|$)")
ASIDE, ASIDE_SHOWN_MAX = "aside", 200
MOVED_METRES = 100.0  # A live location that moves less says nothing new.


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Take whatever came: a start, a piece of a report, a follow-up, a correction."""
    if message.kind == "choice":
        await _pressed(desk, message, officer)
        return
    if message.kind == "aside":
        await _ask_if_event(desk, message, officer)
        return
    started, message = _without_start(message)
    if message.place is not None:
        message = replace(message, place=believed(message.place))
    if started and not (message.text or message.files or message.place):
        await reports.start(desk, message, officer)
        say(desk, message, officer, Notice("report_started", {}, asks_place=True))
    elif message.edited:
        await _edited(desk, message, officer)
    elif not started and chatter.says_nothing(message):
        await chatter.hear(desk, message, officer)
    else:
        await reporting.take(desk, message, officer, started=started)


async def wants(desk: Desk, message: Inbound, officer: Officer) -> bool:
    """Everything nobody else wants is a report, and never refused; a command nobody knows alone is none."""
    has_more = message.files or message.place or tells_of_event(message.text)
    return bool(has_more) or COMMAND.match(message.text) is None


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
    tell(desk, draft.officer_id, reporting.filed_notice(taken), subject=subject, channels=where)


async def _pressed(desk: Desk, message: Inbound, officer: Officer) -> None:
    if message.verb == "separate" and not message.stale:
        taken = await reports.separate(desk, message, officer, message.ref)
        if taken is not None:
            await reporting.told(desk, message, officer, taken)
            return
    elif message.verb == "trouble":
        await _trouble(desk, message, officer)
        return
    elif message.verb == "event":
        words = await _aside_of(desk, message, officer)
        if words:
            await reporting.take(desk, replace(message, kind="text", text=words, verb="", ref=""), officer)
            return
    say(desk, message, officer, Notice("choice_stale", {}))


async def _ask_if_event(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Words after a command that may tell of danger in a way nobody foresaw: kept, and reported at one press."""
    if chatter.says_nothing(message):
        return
    words = message.text[: desk.policy.limits.text_max]
    aside = Setting(f"{ASIDE}/{desk.new_id()}", f"{desk.now.isoformat()} {officer.id} {words}")
    await desk.store.add(aside)
    desk.log("aside_kept", f"officer:{officer.id}", officer.id, text=words[:500])
    choices = (Choice("event", aside.id.removeprefix(f"{ASIDE}/")),)
    say(desk, message, officer, Notice("aside_kept", {"text": words[:ASIDE_SHOWN_MAX]}, choices))


async def _aside_of(desk: Desk, message: Inbound, officer: Officer) -> str:
    """The words of an aside, once, for whoever wrote them."""
    kept = None if message.stale else await desk.store.get(Setting, f"{ASIDE}/{message.ref}")
    _at, by, words = kept.value.split(" ", 2) if kept else ("", "", "")
    if kept is None or by != officer.id:
        return ""
    await desk.store.remove(Setting, [kept.id])
    return words


async def _trouble(desk: Desk, message: Inbound, officer: Officer) -> None:
    """有情况 at a roll call: whoever says so is there, and tells it as a report; a proof owed stays owed."""
    answer = await answers.line_of(desk, officer.id, message.ref)
    is_here = False
    if answer is not None and answer.officer_id == officer.id and answer.proof is Proof.tap:
        is_here = await answers.take(desk, message, officer, answer, Given())
    await reports.start(desk, message, officer)
    facts = {} if is_here else {"from_roll_call": True}
    say(desk, message, officer, Notice("report_started", facts, asks_place=True))


async def _edited(desk: Desk, message: Inbound, officer: Officer) -> None:
    """An edited message corrects what it said, and never overwrites it; a moving live location moves the draft."""
    is_moving = message.place is not None and not message.text
    said = await report_of(desk, message, message.message_id)
    draft = await draft_of(desk, message, message.message_id)
    message = await _without_known_files(desk, message, said, draft)
    if draft is not None and draft.state == "open":
        taken = await reports.take(desk, message, officer)
        if not is_moving or taken.incident is not None:
            await reporting.told(desk, message, officer, taken)
        return
    incident_id = said.incident_id if said else draft.incident_id if draft else ""
    incident = await desk.store.get(Incident, incident_id) if incident_id else None
    if is_moving:
        await _moved(desk, message, officer, incident)
    elif incident is None:
        await reporting.take(desk, message, officer)
    else:
        corrects = said or await _first_report(desk, incident)
        again = replace(message, message_id=f"{message.message_id}/edit/{message.event_id}")
        kind = ReportKind.correction
        await reporting.add(desk, again, officer, incident, kind, corrects.id if corrects else "")


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
        await reporting.add(desk, again, officer, incident)
        return
    metres = distance_metres(incident.place, message.place)
    if metres is not None and metres >= MOVED_METRES:
        place = {"lat": message.place.lat, "lon": message.place.lon, "metres": round(metres)}
        desk.log("place_moved", f"incident:{incident.id}", officer.id, number=incident.number, **place)


async def _first_report(desk: Desk, incident: Incident) -> Report | None:
    found = await desk.store.find(Report, incident_id=incident.id, order=("sequence",), limit=1)
    return found[0] if found else None


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
    verbs=("separate", "trouble", "event"),
    wants=wants,
    rank=900,
)
