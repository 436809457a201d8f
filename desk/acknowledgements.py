"""Takes signatures: 签收, 转办, 办结; tells the reporter and the earlier rungs, and amends their cards."""

from collections.abc import Sequence
from dataclasses import fields

from desk.clocks import start_clocks
from desk.escalations import PAGE, page_facts
from desk.letters import amend, cards, tell, withdraw
from desk.model import Choice, Letter, Notice
from desk.permissions import Action, require
from desk.ports import Desk
from incidents import deadlines, lifecycle
from incidents.model import UNSIGNED_STATES, Incident, LogLine, Report, ReportKind, State
from roster.model import Officer


async def sign(desk: Desk, incident_id: str, officer: Officer, note: str = "") -> Incident:
    """This officer has it from now on; what they said with it is kept. Raises AlreadySigned, NotOpen or NotAllowed."""
    incident = await _read(desk, incident_id)
    require(officer, Action.sign, incident)
    signed = await _write(desk, incident, lifecycle.sign(incident, officer.id, desk.now))
    subject = f"incident:{incident.id}"
    said = {"note": note} if note else {}
    desk.log(
        "signed", subject, officer.id, number=incident.number, by=officer.name, step=incident.step, **said
    )
    facts = await _signed_facts(desk, signed, officer)
    for card in await withdraw(desk, subject, [PAGE]):
        amend(desk, card, _page_signed(signed, facts, card.officer_id))
    if incident.reporter_id and incident.reporter_id != officer.id:
        tell(desk, incident.reporter_id, Notice("reporter_signed", facts), subject=subject)
    return signed


async def hand_on(desk: Desk, incident_id: str, officer: Officer, to_officer_id: str) -> Incident:
    """转办: the incident waits for the signature of somebody named; until then the ladder keeps climbing.

    Raises LookupError for nobody, oneself or one who has left, and NotOpen or NotAllowed."""
    incident = await _read(desk, incident_id)
    require(officer, Action.hand_on, incident)
    target = await desk.store.get(Officer, to_officer_id)
    if target is None or not target.active or target.id == officer.id:
        raise LookupError(to_officer_id)
    handed = await _write(
        desk, incident, lifecycle.hand_on(incident, officer.id, target.id, desk.now, desk.minutes(1))
    )
    subject = f"incident:{incident.id}"
    desk.log("handed_on", subject, officer.id, number=incident.number, by=officer.name, to=target.name)
    facts = {
        **await page_facts(desk, handed),
        "by": officer.name,
        "to": target.name,
        "walk": handed.walk,
        "step": handed.step,
    }
    for card in await cards(desk, subject, [PAGE]):
        if card.officer_id != target.id:
            amend(desk, card, Notice("page_handed_on", facts))
    tell(
        desk,
        target.id,
        Notice(PAGE, facts, (Choice("sign", incident.id), Choice("hand", incident.id))),
        subject=subject,
    )
    if incident.reporter_id not in ("", officer.id, target.id):
        tell(desk, incident.reporter_id, Notice("reporter_handed_on", facts), subject=subject)
    if handed.next_step_at is not None:
        name = f"step/{handed.id}/{handed.walk}/{handed.step}/{handed.version}"
        desk.due("step", handed.id, handed.next_step_at, key=subject, name=name)
    return handed


async def close(
    desk: Desk, incident_id: str, officer: Officer, outcome: str, state: State = State.closed
) -> Report:
    """办结 (or 不属实, 重复): the outcome is the 终报, which is returned, and the reporter is told it."""
    incident = await _read(desk, incident_id)
    require(officer, Action.close, incident)
    closed = await _write(desk, incident, _ended(incident, officer, outcome, desk, state))
    subject = f"incident:{incident.id}"
    report = Report(
        id=desk.new_id(),
        incident_id=incident.id,
        sequence=incident.reports_count + 1,
        kind=ReportKind.final,
        reporter_id=officer.id,
        received_at=desk.now,
        text=outcome,
        event_key=f"final/{incident.id}/{incident.version}",
    )
    await desk.store.add(report)
    closed = await desk.store.change(closed, reports_count=report.sequence)
    desk.log(
        "closed", subject, officer.id, number=incident.number, by=officer.name, outcome=outcome, state=state
    )
    facts = {
        **await page_facts(desk, closed),
        "by": officer.name,
        "outcome": outcome,
        "state": state.value,
        "at": desk.now.isoformat(),
    }
    for card in await withdraw(desk, subject, [PAGE]):
        amend(desk, card, Notice("page_closed", facts))
    if incident.reporter_id and incident.reporter_id != officer.id:
        tell(desk, incident.reporter_id, Notice("reporter_closed", facts), subject=subject)
    return report


async def answers_that_came_first(desk: Desk, pages: Sequence[Letter]) -> dict[str, Notice]:
    """What those of these pages must say instead that were still on their way when somebody signed or ended it.

    The incidents stay as they are until this transaction ends, so that nobody signs between this look and the
    pages being written down as sent: whoever signs afterwards finds and changes them."""
    asked = {page.id: choice.ref for page in pages for choice in page.choices if choice.verb == "sign"}
    if not asked:
        return {}
    incidents = {one.id: one for one in await desk.store.hold(Incident, list(asked.values()))}
    notices: dict[str, Notice] = {}
    for page in pages:
        incident = incidents.get(asked.get(page.id, ""))
        if incident is None or incident.state in UNSIGNED_STATES:
            continue
        if incident.state is State.verifying:
            signer = await desk.store.get(Officer, incident.signed_by)
            facts = await _signed_facts(desk, incident, signer)
            notices[page.id] = _page_signed(incident, facts, page.officer_id)
        else:
            notices[page.id] = Notice("page_closed", await _ended_facts(desk, incident))
    return notices


async def check_close(desk: Desk, incident_id: str, officer: Officer) -> None:
    """Raise what `close` would raise, before anybody is asked for an outcome."""
    incident = await _read(desk, incident_id)
    require(officer, Action.close, incident)
    lifecycle.close(incident, officer.id, "-", desk.now)


def reopened(incident: Incident) -> Notice:
    """What whoever has it again is told."""
    choices = (Choice("close", incident.id), Choice("hand", incident.id))
    return Notice("reopened", {"number": incident.number}, choices)


async def reopen(desk: Desk, incident_id: str, officer: Officer) -> Incident:
    """重新办理: it was not over, and whoever says so has it; the reporter is told. Raises NotOpen or NotAllowed."""
    incident = await _read(desk, incident_id)
    require(officer, Action.close, incident)
    again = deadlines.set_clocks(lifecycle.reopen(incident, officer.id, desk.now), desk.now, desk.minutes(1))
    opened = await _write(desk, incident, again)
    subject = f"incident:{incident.id}"
    desk.log(
        "reopened", subject, officer.id, number=incident.number, by=officer.name, was=incident.state.value
    )
    start_clocks(desk, opened)
    if incident.reporter_id and incident.reporter_id != officer.id:
        facts = {"number": incident.number, "by": officer.name, "by_phone": officer.phone}
        tell(desk, incident.reporter_id, Notice("reporter_reopened", facts), subject=subject)
    return opened


async def _signed_facts(desk: Desk, incident: Incident, signer: Officer | None) -> dict[str, object]:
    return {
        **await page_facts(desk, incident),
        "by": signer.name if signer else "",
        "by_phone": signer.phone if signer else "",
        "at": (incident.signed_at or desk.now).isoformat(),
    }


def _page_signed(incident: Incident, facts: dict[str, object], reader_id: str) -> Notice:
    mine = reader_id == incident.signed_by
    choices = (Choice("close", incident.id), Choice("hand", incident.id)) if mine else ()
    return Notice("page_signed", {**facts, "mine": mine}, choices)


async def _ended_facts(desk: Desk, incident: Incident) -> dict[str, object]:
    """As the log's last word on it has them."""
    subject = f"incident:{incident.id}"
    lines = await desk.store.find(LogLine, subject=subject, kind="closed", order=("-sequence",), limit=1)
    return {
        **await page_facts(desk, incident),
        "by": lines[0].facts.get("by", "") if lines else "",
        "outcome": incident.outcome,
        "state": incident.state.value,
        "at": (incident.closed_at or desk.now).isoformat(),
    }


def _ended(incident: Incident, officer: Officer, outcome: str, desk: Desk, state: State) -> Incident:
    if state is State.unfounded:
        return lifecycle.unfounded(incident, officer.id, outcome, desk.now)
    return lifecycle.close(incident, officer.id, outcome, desk.now)


async def mark_told(desk: Desk, incident_id: str, officer: Officer, clock: str) -> Incident:
    """The phone report or the written report went up: that clock stops, and the first such moment stands."""
    incident = await _read(desk, incident_id)
    require(officer, Action.close, incident)
    done = deadlines.DONE_FIELDS[clock]
    if getattr(incident, done) is not None:
        return incident
    changed = await desk.store.change(incident, **{done: desk.now})
    desk.log("clock_done", f"incident:{incident.id}", officer.id, number=incident.number, clock=clock)
    return changed


async def _read(desk: Desk, incident_id: str) -> Incident:
    incident = await desk.store.get(Incident, incident_id)
    if incident is None:
        raise LookupError(incident_id)
    return incident


async def _write(desk: Desk, old: Incident, new: Incident) -> Incident:
    changes = {
        one.name: getattr(new, one.name)
        for one in fields(Incident)
        if one.name != "version" and getattr(new, one.name) != getattr(old, one.name)
    }
    return await desk.store.change(old, **changes)
