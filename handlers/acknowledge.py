"""签收 · 转办 · 办结: by button, or in words ("签收 ZS-20261123-004", or alone when only one can be meant)."""

from dataclasses import dataclass

from desk import acknowledgements, asked
from desk.attachments import keep_files
from desk.escalations import PAGE, page_facts
from desk.follow_ups import incident_spoken_of, letter_answered
from desk.model import Choice, Inbound, Notice
from desk.permissions import Action, NotAllowed, may_see, require
from desk.ports import Desk
from desk.recipients import names, shifts_now
from handlers import mine
from handlers.flow import Flow, say
from incidents.intake import find_number, says_something
from incidents.lifecycle import AlreadySigned, NoOutcome, NotOpen, NotSigned
from incidents.model import OPEN_STATES, UNSIGNED_STATES, Incident, State
from roster.answers import reads_as_answer
from roster.model import Officer, Role

WORDS = {"签收": "sign", "收到": "sign", "转办": "hand", "办结": "close", "不属实": "unfounded"}
COURTESY = "收到"  # Signs only as the bare answer to a page: everybody says it to everything.
EDGES = " \t\r\n,，.。:：;；!！、"
CHOICES_MAX = 8
NUMBER_WITHIN = 60  # Characters; a number farther on stays in the words.
OUTCOME = "outcome"  # What `desk.asked` calls the question for the outcome.


@dataclass(frozen=True)
class Asked:
    """What somebody wants done, with which incident, and what else they said."""

    verb: str
    incident: Incident | None
    rest: str = ""
    is_unclear: bool = False  # Several incidents may be meant.


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Do what a button or words ask, or say politely why not."""
    wish = await (_pressed if message.kind == "choice" else _worded)(desk, message, officer)
    incident = wish.incident
    if wish.is_unclear:
        await mine.hear(desk, message, officer)
        return
    if incident is None:
        say(desk, message, officer, Notice("incident_unknown", {}))
        return
    subject = f"incident:{incident.id}"
    try:
        await _do(desk, message, officer, wish, incident)
        await keep_files(desk, message, officer, incident_id=incident.id)
    except AlreadySigned as already:
        [name] = await names(desk, [already.by])
        facts = {"number": incident.number, "by": name, "at": already.at.isoformat()}
        say(desk, message, officer, Notice("already_signed", facts), subject=subject)
    except NotOpen as ended:
        facts = {"number": incident.number, "state": ended.state.value}
        say(desk, message, officer, Notice("incident_ended", facts), subject=subject)
    except NotSigned:
        notice = Notice("sign_first", {"number": incident.number}, (Choice("sign", incident.id),))
        say(desk, message, officer, notice, subject=subject)
    except NoOutcome:
        await _ask_outcome(desk, message, officer, incident)
    except NotAllowed:
        desk.log("choice_refused", subject, officer.id, verb=wish.verb)
        say(desk, message, officer, Notice("not_allowed", {}))


async def wants(desk: Desk, message: Inbound, officer: Officer) -> bool:
    """Words that begin with 签收, 转办, 办结 or 不属实, or the outcome the desk asked for."""
    if message.edited or message.forwarded or message.kind == "choice":
        return False
    text = message.text.strip()
    word = _word_of(text)
    if not word:
        return await _is_outcome(desk, message, officer)
    rest = text[len(word) :]
    if word == COURTESY:
        letter = await letter_answered(desk, message) if not rest.strip(EDGES) else None
        return letter is not None and letter.kind == PAGE
    if find_number(text, desk.policy.number_prefix) or not rest or rest[0] in EDGES:
        return True
    return bool(message.reply_to) and await incident_spoken_of(desk, message, officer) is not None


async def _is_outcome(desk: Desk, message: Inbound, officer: Officer) -> bool:
    text = message.text
    if message.kind != "text" or message.place or not says_something(text) or reads_as_answer(text).kind:
        return False
    incident_id = await asked.asked(desk, officer.id, OUTCOME)
    if not incident_id:
        return False
    named = await incident_spoken_of(desk, message, officer)
    return named is None or named.id == incident_id


async def _pressed(desk: Desk, message: Inbound, officer: Officer) -> Asked:
    ref, _, rest = message.ref.partition(":")
    incident = await desk.store.get(Incident, ref)
    if incident is None or not may_see(officer, incident):
        subject = f"incident:{incident.id}" if incident else f"officer:{officer.id}"
        desk.log("choice_refused", subject, officer.id, verb=message.verb)
        return Asked(message.verb, None)
    return Asked("incident" if message.stale else message.verb, incident, rest)


async def _worded(desk: Desk, message: Inbound, officer: Officer) -> Asked:
    text = message.text.strip()
    word = _word_of(text)
    if not word:
        incident_id = await asked.asked(desk, officer.id, OUTCOME)
        return Asked("close", await desk.store.get(Incident, incident_id), text)
    verb, said = WORDS[word], text[len(word) :]
    incident = await incident_spoken_of(desk, message, officer)
    if incident is not None:
        prefix = desk.policy.number_prefix
        found = find_number(said, prefix)
        rest = _without_number(said, found, prefix) if found else said
        return Asked(verb, incident, rest.strip(EDGES))
    if find_number(text, desk.policy.number_prefix):
        return Asked(verb, None)
    meant = await _may_be_meant(desk, officer, verb)
    return Asked(verb, meant[0] if len(meant) == 1 else None, said.strip(EDGES), len(meant) > 1)


def _word_of(text: str) -> str:
    return next((one for one in WORDS if text.startswith(one)), "")


def _without_number(text: str, number: str, prefix: str) -> str:
    """The words around a number that stands near the beginning, however it is spelled."""
    head = text[:NUMBER_WITHIN]
    ends = (end for end in range(1, len(head) + 1) if find_number(head[:end], prefix) == number)
    end = next(ends, 0)
    starts = [start for start in range(end) if find_number(head[start:end], prefix) == number]
    return text[: starts[-1]] + text[end:] if starts else text


async def _may_be_meant(desk: Desk, officer: Officer, verb: str) -> list[Incident]:
    """Without a number: what waits for this person's signature, or what they signed for."""
    if verb == "sign":
        unsigned = await desk.store.find(Incident, state_in=list(UNSIGNED_STATES), order=("-id",), limit=200)
        return [one for one in unsigned if officer.id in one.heard_by or officer.id == one.assigned_to]
    return await desk.store.find(
        Incident, state=State.verifying, signed_by=officer.id, order=("-id",), limit=CHOICES_MAX
    )


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
    elif wish.verb == "close" and not wish.rest:
        await _ask_outcome(desk, message, officer, incident)
    elif wish.verb in ("close", "unfounded"):
        state = State.unfounded if wish.verb == "unfounded" else State.closed
        await acknowledgements.close(desk, incident.id, officer, wish.rest or "经核实，情况不属实", state)
        await asked.answered(desk, officer.id)
        facts = {"number": number, "state": state.value}
        say(desk, message, officer, Notice("closed", facts), subject=subject)
    else:
        page = await page_facts(desk, incident)
        choices = _after_sign(incident) if incident.signed_by else (Choice("sign", incident.id),)
        shown = choices if incident.state in OPEN_STATES else ()
        notice = Notice("incident_shown", {**page, "state": incident.state.value}, shown)
        say(desk, message, officer, notice, subject=subject)


async def _ask_outcome(desk: Desk, message: Inbound, officer: Officer, incident: Incident) -> None:
    """办结 needs its outcome: the next plain words are it, and so are words with the number at any time."""
    if incident.state in OPEN_STATES:
        await asked.ask(desk, officer.id, OUTCOME, incident.id)
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
    verbs=("sign", "hand", "to", "close", "unfounded", "incident"),
    wants=wants,
    rank=50,
)
