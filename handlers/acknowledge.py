"""签收 · 转办 · 办结: by button, or in words with the number ("签收 ZS-20261123-004")."""

from desk import acknowledgements
from desk.escalations import page_facts
from desk.follow_ups import incident_spoken_of
from desk.model import Choice, Inbound, Notice
from desk.permissions import NotAllowed, may_see
from desk.ports import Desk
from desk.recipients import names, shifts_now
from handlers.flow import Flow, say
from incidents.intake import find_number
from incidents.lifecycle import AlreadySigned, NotOpen, NotSigned
from incidents.model import OPEN_STATES, Incident, State
from roster.model import Officer, Role

WORDS = {"签收": "sign", "收到": "sign", "转办": "hand", "办结": "close", "不属实": "unfounded"}
CHOICES_MAX = 8


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Do what a button or words ask, or say politely why not."""
    verb, incident, rest = await _asked(desk, message, officer)
    if incident is None:
        say(desk, message, officer, Notice("incident_unknown", {}))
        return
    try:
        await _do(desk, message, officer, incident, verb, rest)
    except AlreadySigned as already:
        [name] = await names(desk, [already.by])
        facts = {"number": incident.number, "by": name, "at": already.at.isoformat()}
        say(desk, message, officer, Notice("already_signed", facts), subject=f"incident:{incident.id}")
    except NotOpen as ended:
        say(
            desk,
            message,
            officer,
            Notice("incident_ended", {"number": incident.number, "state": ended.state}),
        )
    except NotSigned:
        say(
            desk,
            message,
            officer,
            Notice("sign_first", {"number": incident.number}, (Choice("sign", incident.id),)),
        )
    except NotAllowed:
        desk.log("choice_refused", f"incident:{incident.id}", officer.id, verb=verb)
        say(desk, message, officer, Notice("not_allowed", {}))


async def wants(desk: Desk, message: Inbound, officer: Officer) -> bool:
    """Words that begin with 签收, 转办, 办结 or 不属实 and name a number, or reply to a page."""
    if message.edited or message.forwarded or not message.text.strip().startswith(tuple(WORDS)):
        return False
    if find_number(message.text, desk.policy.number_prefix):
        return True
    return bool(message.reply_to) and await incident_spoken_of(desk, message, officer) is not None


async def _asked(desk: Desk, message: Inbound, officer: Officer) -> tuple[str, Incident | None, str]:
    if message.kind == "choice":
        ref, _, rest = message.ref.partition(":")
        incident = await desk.store.get(Incident, ref)
        if incident is not None and not may_see(officer, incident):
            desk.log("choice_refused", f"incident:{incident.id}", officer.id, verb=message.verb)
            incident = None
        return ("" if message.stale else message.verb), incident, rest
    text = message.text.strip()
    word = next(one for one in WORDS if text.startswith(one))
    incident = await incident_spoken_of(desk, message, officer)
    number = incident.number if incident else ""
    rest = text[len(word) :].replace(number, "").strip(" ，,：:")
    return WORDS[word], incident, rest


async def _do(
    desk: Desk, message: Inbound, officer: Officer, incident: Incident, verb: str, rest: str
) -> None:
    subject = f"incident:{incident.id}"
    if verb == "sign":
        await acknowledgements.sign(desk, incident.id, officer)
        facts = {"number": incident.number, "at": desk.now.isoformat()}
        say(desk, message, officer, Notice("signed", facts, _after_sign(incident)), subject=subject)
    elif verb == "hand":
        await _offer_colleagues(desk, message, officer, incident)
    elif verb == "to":
        await acknowledgements.hand_on(desk, incident.id, officer, rest)
        [name] = await names(desk, [rest])
        say(
            desk,
            message,
            officer,
            Notice("handed_on", {"number": incident.number, "to": name}),
            subject=subject,
        )
    elif verb == "close" and not rest:
        say(desk, message, officer, Notice("outcome_asked", {"number": incident.number}), subject=subject)
    elif verb in ("close", "unfounded"):
        state = State.unfounded if verb == "unfounded" else State.closed
        await acknowledgements.close(desk, incident.id, officer, rest or "经核实，情况不属实", state)
        say(
            desk,
            message,
            officer,
            Notice("closed", {"number": incident.number, "state": state.value}),
            subject=subject,
        )
    else:
        page = await page_facts(desk, incident)
        choices = _after_sign(incident) if incident.signed_by else (Choice("sign", incident.id),)
        shown = choices if incident.state in OPEN_STATES else ()
        say(
            desk,
            message,
            officer,
            Notice("incident_shown", {**page, "state": incident.state.value}, shown),
            subject=subject,
        )


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
