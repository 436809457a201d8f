"""Takes incident reports: any order, nothing refused, nothing lost; a complete or overdue draft is filed."""

import re
from dataclasses import replace
from typing import Any

from desk.acknowledgements import reopen, reopened
from desk.attachments import keep_files
from desk.clocks import schedule_clocks, start_clocks
from desk.filing import Taken, draft_key, draft_subject, file
from desk.follow_ups import follow_up
from desk.letters import tell
from desk.model import Inbound, Setting
from desk.permissions import Action, may_reopen, require
from desk.ports import Desk
from desk.said import remember, report_of_album
from desk.territory import unit_names
from incidents import deadlines, intake, lifecycle, triage
from incidents.model import OPEN_STATES, Category, Draft, Incident, Report, ReportKind, Severity
from roster.model import Officer

SEPARABLE = (ReportKind.follow_up, ReportKind.final)

__all__ = [
    "Taken",
    "cancel",
    "correct_kind",
    "correct_level",
    "correct_place",
    "fell_due",
    "file",
    "join_album",
    "open_draft",
    "schedule_clocks",
    "separate",
    "start",
    "take",
]


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
    is_more_of_album = draft is not None and bool(message.album) and draft.group == message.album
    if draft is None:
        draft = await _new_draft(desk, message, officer)
    await remember(desk, message, draft)
    attachments = await keep_files(
        desk, message, officer, draft_id=draft.id, already=len(draft.attachment_ids)
    )
    added = intake.add(
        draft,
        text=message.text,
        place=message.place,
        attachment_ids=tuple(one.id for one in attachments),
        units=await unit_names(desk) if message.text and not draft.place else (),
        text_max=desk.policy.limits.text_max,
    )
    missing = intake.missing(added)
    # A photo or a place sent right after the same question needs no second copy of it.
    asked_before = not message.text and bool(missing) and missing[0] in draft.asked
    asked = tuple(dict.fromkeys((*draft.asked, *missing[:1])))
    grown = replace(added, group=message.album or draft.group, asked=asked)
    _note_earlier_point(desk, message, draft, grown)
    draft = await desk.store.change(draft, **_difference(draft, grown))
    if missing:
        return Taken(draft=draft, missing=missing, silent=is_more_of_album or asked_before)
    return await file(desk, draft, officer)


async def join_album(desk: Desk, message: Inbound, officer: Officer) -> Taken | None:
    """A later photo of an album whose report is out already goes to the same report, without a word."""
    report = await report_of_album(desk, message) or await _album_report(desk, message, officer)
    incident = await desk.store.get(Incident, report.incident_id) if report else None
    if report is None or incident is None:
        return None
    already = len(report.attachment_ids)
    kept = await keep_files(desk, message, officer, incident_id=incident.id, already=already)
    ids = (*report.attachment_ids, *(one.id for one in kept))
    report = await desk.store.change(report, attachment_ids=ids)
    return Taken(incident=incident, report=report, silent=True)


async def fell_due(desk: Desk, draft_id: str) -> Taken | None:
    """The draft waited long enough: it goes out as it is (先报事，后报情), or is dropped when nothing was ever said."""
    draft = await desk.store.get(Draft, draft_id)
    if draft is None or draft.state != "open":
        return None
    if desk.now < draft.due_at:  # The clock went back: look again at the true moment.
        _draft_due(desk, draft)
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
        "draft_cancelled",
        draft_subject(draft.id),
        officer.id,
        text=draft.text,
        photos=len(draft.attachment_ids),
    )
    return await desk.store.change(draft, state="cancelled")


async def separate(desk: Desk, message: Inbound, officer: Officer, report_id: str) -> Taken | None:
    """另报一件: what was taken as a follow-up or an outcome is an event of its own; it stays, and is separated once.

    An incident ended by words that were no outcome goes on."""
    report = await desk.store.get(Report, report_id)
    if report is None or report.reporter_id != officer.id or report.kind not in SEPARABLE:
        return None
    [is_first] = await desk.store.add_new(Setting(f"separated/{report.id}", desk.now.isoformat()))
    if not is_first:
        return None
    facts = {"nth": report.sequence - 1, "sequence": report.sequence}
    desk.log("report_separated", f"incident:{report.incident_id}", officer.id, **facts)
    incident = await desk.store.get(Incident, report.incident_id)
    is_outcome = incident is not None and report.kind is ReportKind.final and incident.outcome == report.text
    if incident is not None and is_outcome and may_reopen(officer, incident):
        await reopen(desk, incident.id, officer)
        tell(desk, officer.id, reopened(incident), subject=f"incident:{incident.id}")
    draft = await _new_draft(desk, message, officer)
    added = intake.add(
        draft,
        text=report.text,
        place=report.place,
        attachment_ids=report.attachment_ids,
        units=await unit_names(desk),
        text_max=desk.policy.limits.text_max,
    )
    missing = intake.missing(added)
    draft = await desk.store.change(draft, **_difference(draft, replace(added, asked=missing[:1])))
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
    start_clocks(desk, stored)
    return stored


async def correct_kind(
    desk: Desk, incident_id: str, officer: Officer, category: Category, kind: str
) -> Incident:
    """A person says what class and kind it is; the level the tables suggest for it counts when it is higher.

    The ladder stays as it was frozen. Raises NotAllowed, NotOpen, NoSuchKind."""
    incident = await desk.store.get(Incident, incident_id)
    if incident is None:
        raise LookupError(incident_id)
    require(officer, Action.correct_level, incident)
    changed = lifecycle.set_kind(incident, category, kind)
    if changed == incident:
        return incident
    found = triage.assess(category, kind, incident.casualties, incident.title, desk.now)
    if (
        not incident.severity_set_by
        and triage.worse(found.severity, incident.severity) is not incident.severity
    ):
        changed = replace(changed, severity=found.severity, basis=found.basis)
        changed = deadlines.set_clocks(changed, desk.now, desk.minutes(1))
    stored = await desk.store.change(incident, **_difference(incident, changed))
    subject = f"incident:{incident.id}"
    facts = {"was": incident.category, "was_kind": incident.kind, "now": category, "now_kind": kind}
    desk.log("kind_set", subject, officer.id, number=incident.number, **facts)
    if stored.severity is not incident.severity:
        desk.log("level_suggested", subject, was=incident.severity, now=stored.severity, basis=stored.basis)
        start_clocks(desk, stored)
    return stored


async def correct_place(desk: Desk, incident_id: str, officer: Officer, words: str) -> Report:
    """A person says where it really is: a 更正 like any other, so that whoever has it hears, and the log tells."""
    incident = await desk.store.get(Incident, incident_id)
    if incident is None:
        raise LookupError(incident_id)
    require(officer, Action.correct_level, incident)
    if incident.state not in OPEN_STATES:
        raise lifecycle.NotOpen(incident.state)
    plain = re.sub(r"[\s,，。；;]+", " ", words).strip()
    return await follow_up(desk, incident, officer, text=f"地点：{plain}", kind=ReportKind.correction)


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
    _draft_due(desk, draft)
    return draft


def _note_earlier_point(desk: Desk, message: Inbound, before: Draft, after: Draft) -> None:
    """The newest point is the place; the one it replaced stays in the log, which the incident's page shows.

    A live location that moves is an edited message: its way is not written down."""
    old, new = before.place, after.place
    if message.edited or old is None or new is None or old.lat is None:
        return
    if (old.lat, old.lon) != (new.lat, new.lon):
        facts = {"lat": old.lat, "lon": old.lon, "text": old.text}
        desk.log("point_replaced", draft_subject(before.id), before.officer_id, **facts)


def _draft_due(desk: Desk, draft: Draft) -> None:
    desk.due("draft", draft.id, draft.due_at, key=f"draft:{draft.officer_id}", name=f"draft/{draft.id}")


async def _album_report(desk: Desk, message: Inbound, officer: Officer) -> Report | None:
    """The first report made of a draft that began with this album."""
    sent = await desk.store.find(
        Draft, officer_id=officer.id, state="sent", group=message.album, order=("-id",), limit=1
    )
    if not sent:
        return None
    found = await desk.store.find(Report, event_key=draft_key(sent[0].id), limit=1)
    return found[0] if found else None
