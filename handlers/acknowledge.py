"""签收 · 转办 · 办结: by button, or in words ("签收 ZS-20261123-004", or alone when only one can be meant)."""

from dataclasses import replace

from desk import acknowledgements, asked
from desk.attachments import keep_files
from desk.escalations import page_facts
from desk.model import Choice, Inbound, Notice
from desk.permissions import Action, NotAllowed, require
from desk.ports import Desk
from desk.recipients import names, shifts_now, watch_unit
from handlers import reporting, wishes
from handlers.flow import Flow, say
from handlers.wishes import CHOICES_MAX, Asked
from incidents.lifecycle import AlreadySigned, NotOpen, NotSigned
from incidents.model import OPEN_STATES, Incident, State
from incidents.telling import outcome_fault, tells_of_event
from roster.model import Officer, Role

ENDS = ("close", "unfounded")


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Do what a button or words ask, or say politely why not; what else was said is never thrown away."""
    wish = await (wishes.pressed if message.kind == "choice" else wishes.worded)(desk, message, officer)
    if wish.several:
        await _ask_which(desk, message, officer, wish)
        await _keep_rest(desk, message, officer, wish)
        return
    if wish.incident is None:
        facts = {"number": wish.number, "kept": _has_more(message, wish)}
        say(desk, message, officer, Notice("incident_unknown", facts))
        await _keep_rest(desk, message, officer, wish)
        return
    fault = await _do_politely(desk, message, officer, wish, wish.incident)
    if fault is not None and not (fault.kind == "incident_ended" and _has_more(message, wish)):
        say(desk, message, officer, fault, subject=f"incident:{wish.incident.id}")
    await _keep_rest(desk, message, officer, wish, is_done=fault is None)


async def _do_politely(
    desk: Desk, message: Inbound, officer: Officer, wish: Asked, incident: Incident
) -> Notice | None:
    """Do it; returns what to say when it cannot be done."""
    try:
        await _do(desk, message, officer, wish, incident)
    except AlreadySigned as already:
        [name] = await names(desk, [already.by])
        return Notice("already_signed", {"number": incident.number, "by": name, "at": already.at.isoformat()})
    except NotOpen as ended:
        return Notice("incident_ended", {"number": incident.number, "state": ended.state.value})
    except NotSigned:
        return Notice("sign_first", {"number": incident.number}, (Choice("sign", incident.id),))
    except NotAllowed:
        desk.log("choice_refused", f"incident:{incident.id}", officer.id, verb=wish.verb)
        return Notice("not_allowed", {})
    return None


def _has_more(message: Inbound, wish: Asked, *, is_done: bool = False) -> bool:
    """Whether words or files are left that are more than the act's own argument."""
    is_spent = wish.is_certain or wish.verb in ("to", "incident") or (is_done and wish.verb in ENDS)
    if message.kind == "choice" or is_spent:
        return False
    return tells_of_event(wish.rest) or (not is_done and bool(message.files or message.place))


async def _keep_rest(
    desk: Desk, message: Inbound, officer: Officer, wish: Asked, *, is_done: bool = False
) -> None:
    """What was said or sent with the act joins the incident it named, else it is a report of its own."""
    more = replace(message, text=wish.rest)
    if _has_more(message, wish, is_done=is_done):
        incident = (
            await desk.store.get(Incident, wish.incident.id) if wish.incident and wish.is_named else None
        )
        if incident is not None:
            await reporting.add(desk, more, officer, incident)
        else:
            await reporting.tell_anew(desk, more, officer)
    elif is_done and wish.incident is not None and wish.verb not in ENDS:
        await keep_files(desk, message, officer, incident_id=wish.incident.id)


async def _do(desk: Desk, message: Inbound, officer: Officer, wish: Asked, incident: Incident) -> None:
    number, subject = incident.number, f"incident:{incident.id}"
    if wish.verb == "sign":
        await acknowledgements.sign(desk, incident.id, officer, wish.rest)
        facts = {"number": number, "at": desk.now.isoformat()}
        say(desk, message, officer, Notice("signed", facts, _after_sign(incident)), subject=subject)
    elif wish.verb == "hand":
        await _hand(desk, message, officer, incident, wish.rest)
    elif wish.verb == "to":
        await _hand_on(desk, message, officer, incident, wish.rest)
    elif wish.verb == "reopen":
        await acknowledgements.reopen(desk, incident.id, officer)
        say(desk, message, officer, acknowledgements.reopened(incident), subject=subject)
    elif wish.verb in ENDS:
        await _end(desk, message, officer, wish, incident)
    else:
        page = await page_facts(desk, incident)
        choices = _after_sign(incident) if incident.signed_by else (Choice("sign", incident.id),)
        shown = choices if incident.state in OPEN_STATES else ()
        notice = Notice("incident_shown", {**page, "state": incident.state.value}, shown)
        say(desk, message, officer, notice, subject=subject)


async def _end(desk: Desk, message: Inbound, officer: Officer, wish: Asked, incident: Incident) -> None:
    """办结 or 不属实, unless the words tell of danger: then they are a report, or the sender says what they are."""
    await acknowledgements.check_close(desk, incident.id, officer)
    is_unfounded = wish.verb == "unfounded"
    if not wish.rest and not is_unfounded:
        await keep_files(desk, message, officer, incident_id=incident.id)
        await _ask_outcome(desk, message, officer, incident)
        return
    fault = (
        ""
        if wish.is_certain
        else outcome_fault(
            wish.rest, is_named=wish.is_named, is_answer=wish.is_answer, is_unfounded=is_unfounded
        )
    )
    await asked.answered(desk, officer.id)
    subject = f"incident:{incident.id}"
    if fault == "another":
        say(desk, message, officer, Notice("not_closed", {"number": incident.number}), subject=subject)
        await reporting.tell_anew(desk, replace(message, text=wish.rest), officer)
    elif fault == "doubt":
        await _ask_if_outcome(desk, message, officer, wish, incident)
    else:
        state = State.unfounded if is_unfounded else State.closed
        outcome = wish.rest or "经核实，情况不属实"
        final = await acknowledgements.close(desk, incident.id, officer, outcome, state)
        await keep_files(desk, message, officer, incident_id=incident.id)
        facts = {"number": incident.number, "state": state.value}
        choices = (Choice("separate", final.id),)
        say(desk, message, officer, Notice("closed", facts, choices), subject=subject)


async def _ask_if_outcome(
    desk: Desk, message: Inbound, officer: Officer, wish: Asked, incident: Incident
) -> None:
    """The words are kept as a follow-up at once, and their sender says whether they end the incident."""
    report = await reporting.keep(desk, replace(message, text=wish.rest), officer, incident)
    if report is None:
        return
    facts = {"number": incident.number, "nth": report.sequence - 1}
    ref = f"{report.id}:unfounded" if wish.verb == "unfounded" else report.id
    choices = (Choice("outcome", ref), Choice("separate", report.id))
    notice = Notice("outcome_doubtful", facts, choices)
    say(desk, message, officer, notice, subject=f"incident:{incident.id}")


async def _ask_which(desk: Desk, message: Inbound, officer: Officer, wish: Asked) -> None:
    """Several may be meant: one button each; the words that came with the verb wait for the press."""
    if wish.rest and wish.verb in ENDS and not tells_of_event(wish.rest):
        await asked.ask(desk, officer.id, wishes.WHICH, f"{wish.verb} {wish.rest[: wishes.REST_MAX]}")
    which = [{"number": one.number, "title": one.title} for one in wish.several]
    choices = tuple(_again(wish.verb, one.id) for one in wish.several)
    say(desk, message, officer, Notice("which_incident", {"which": which}, choices))


def _again(verb: str, incident_id: str) -> Choice:
    if verb == "sign":
        return Choice("sign", incident_id)
    if verb == "hand":
        return Choice("hand", incident_id)
    return Choice("unfounded" if verb == "unfounded" else "close", incident_id)


async def _ask_outcome(desk: Desk, message: Inbound, officer: Officer, incident: Incident) -> None:
    """办结 needs its outcome: the next plain words are it, and so are words with the number at any time."""
    await asked.ask(desk, officer.id, wishes.OUTCOME, incident.id)
    notice = Notice("outcome_asked", {"number": incident.number})
    say(desk, message, officer, notice, subject=f"incident:{incident.id}")


async def _hand(desk: Desk, message: Inbound, officer: Officer, incident: Incident, name: str) -> None:
    """转办 with a name that only one person has is done; otherwise those who may be meant are offered."""
    require(officer, Action.hand_on, incident)
    found = await desk.store.find(Officer, name=name, active=True, limit=2) if name else []
    if len(found) == 1:
        await _hand_on(desk, message, officer, incident, found[0].id)
    else:
        await _offer_colleagues(desk, message, officer, incident)


async def _hand_on(desk: Desk, message: Inbound, officer: Officer, incident: Incident, to: str) -> None:
    subject = f"incident:{incident.id}"
    try:
        await acknowledgements.hand_on(desk, incident.id, officer, to)
    except LookupError:
        desk.log("choice_refused", subject, officer.id, verb="to")
        say(desk, message, officer, Notice("choice_stale", {}), subject=subject)
        return
    [name] = await names(desk, [to])
    facts = {"number": incident.number, "to": name}
    say(desk, message, officer, Notice("handed_on", facts), subject=subject)


def _after_sign(incident: Incident) -> tuple[Choice, ...]:
    return Choice("close", incident.id), Choice("hand", incident.id)


async def _offer_colleagues(desk: Desk, message: Inbound, officer: Officer, incident: Incident) -> None:
    """Who may be handed the incident: those on watch in its unit first, then the unit's and the office's people."""
    on_watch = [shift.officer_id for shift in await shifts_now(desk, incident.unit_id)]
    reporter = await desk.store.get(Officer, incident.reporter_id)
    if reporter is not None:  # Told by people of another township: theirs may be meant as well.
        own = await watch_unit(desk, reporter.unit_id)
        on_watch += [shift.officer_id for shift in await shifts_now(desk, own)]
    unit = await desk.store.find(
        Officer,
        unit_id=incident.unit_id,
        active=True,
        role_in=[Role.duty, Role.leader],
        order=("name",),
        limit=20,
    )
    office = await desk.store.find(Officer, active=True, role=Role.office, order=("name",), limit=10)
    order = list(dict.fromkeys([*on_watch, *(one.id for one in unit), *(one.id for one in office)]))
    shown = [one for one in order if one != officer.id][:CHOICES_MAX]
    facts = {"number": incident.number, "names": await names(desk, shown)}
    choices = tuple(Choice("to", f"{incident.id}:{one}") for one in shown)
    say(desk, message, officer, Notice("hand_on_offer", facts, choices), subject=f"incident:{incident.id}")


flow = Flow(
    "acknowledge",
    hear,
    verbs=("sign", "hand", "to", "close", "unfounded", "incident", "outcome", "reopen"),
    wants=wishes.wants,
    rank=50,
)
