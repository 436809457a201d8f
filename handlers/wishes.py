"""Reads what somebody wants done with which incident, from a button or from words."""

from dataclasses import dataclass

from desk import asked
from desk.escalations import PAGE
from desk.follow_ups import incident_spoken_of, letter_answered
from desk.model import Inbound
from desk.permissions import Action, may, may_see
from desk.ports import Desk
from handlers.chatter import says_nothing
from incidents.intake import find_number, says_something
from incidents.model import UNSIGNED_STATES, Incident, Report, State
from roster.answers import reads_as_answer
from roster.model import Officer

WORDS = {"签收": "sign", "收到": "sign", "转办": "hand", "办结": "close", "不属实": "unfounded"}
LOOKS_UP = ("查看", "查询", "编号")
COURTESY = "收到"  # Signs only as the bare answer to a page: everybody says it to everything.
EDGES = " \t\r\n,，.。:：;；!！、"
CHOICES_MAX = 8
NUMBER_WITHIN = 60  # Characters; a number farther on stays in the words.
OUTCOME = "outcome"  # What `desk.asked` calls the question for the outcome …
WHICH = "which"  # … and the question which incident is meant; it keeps the verb and the words.
REST_MAX = 1000


@dataclass(frozen=True)
class Asked:
    """What somebody wants done, with which incident, and what else they said."""

    verb: str
    incident: Incident | None
    rest: str = ""
    several: tuple[Incident, ...] = ()  # Which of these is not said.
    number: str = ""  # A number in the words that is no incident they may see.
    is_named: bool = False  # By its number, by a reply or by a button.
    is_answer: bool = False  # Plain words after the question for the outcome.
    is_certain: bool = False  # The sender was asked whether the words are the outcome.


async def wants(desk: Desk, message: Inbound, officer: Officer) -> bool:
    """Words that begin with 签收, 转办, 办结 or 不属实, a bare number, or the outcome the desk asked for."""
    if message.edited or message.forwarded or message.kind == "choice":
        return False
    text = message.text.strip()
    if _is_number_alone(text, desk.policy.number_prefix) and not (message.files or message.place):
        return True
    word = _word_of(text)
    if not word:
        return await _is_outcome(desk, message, officer)
    rest = text[len(word) :]
    if word == COURTESY:
        is_bare = not rest.strip(EDGES) and message.private
        letter = await letter_answered(desk, message) if is_bare else None
        return letter is not None and letter.kind == PAGE
    if find_number(text, desk.policy.number_prefix) or not rest or rest[0] in EDGES:
        return True
    return bool(message.reply_to) and await incident_spoken_of(desk, message, officer) is not None


async def pressed(desk: Desk, message: Inbound, officer: Officer) -> Asked:
    """What a button asks for; one that carries the id of nothing this person may see asks for nothing."""
    ref, _, rest = message.ref.partition(":")
    if message.verb == "outcome":
        return await _chosen_outcome(desk, officer, ref, rest)
    incident = await desk.store.get(Incident, ref)
    if incident is None or not may_see(officer, incident):
        subject = f"incident:{incident.id}" if incident else f"officer:{officer.id}"
        desk.log("choice_refused", subject, officer.id, verb=message.verb)
        return Asked(message.verb, None)
    if message.stale:
        return Asked("incident", incident, is_named=True)
    if message.verb in ("close", "unfounded") and not rest:
        rest = await _said_before(desk, officer, message.verb)
    return Asked(message.verb, incident, rest, is_named=True)


async def worded(desk: Desk, message: Inbound, officer: Officer) -> Asked:
    """What words ask for."""
    text = message.text.strip()
    prefix = desk.policy.number_prefix
    word = _word_of(text)
    incident = await incident_spoken_of(desk, message, officer)
    if not word and _is_number_alone(text, prefix):
        return Asked("incident", incident, number=find_number(text, prefix), is_named=True)
    if not word:
        incident_id = await asked.asked(desk, officer.id, OUTCOME)
        meant = await desk.store.get(Incident, incident_id)
        return Asked("close", meant, text, is_named=incident is not None, is_answer=True)
    verb, said = WORDS[word], text[len(word) :]
    if incident is not None:
        found = find_number(said, prefix)
        rest = _without_number(said, found, prefix) if found else said
        return Asked(verb, incident, rest.strip(EDGES), is_named=True)
    number = find_number(text, prefix)
    if number:
        return Asked(verb, None, _without_number(said, number, prefix).strip(EDGES), number=number)
    if message.reply_to and not message.private:  # A reply in a group answers something nobody here knows.
        return Asked(verb, None, said.strip(EDGES))
    several = tuple(await _may_be_meant(desk, officer, verb))
    only = several[0] if len(several) == 1 else None
    return Asked(verb, only, said.strip(EDGES), several=() if only else several)


async def _chosen_outcome(desk: Desk, officer: Officer, report_id: str, verb: str) -> Asked:
    """作为办结结果: what was kept as a follow-up is the outcome after all."""
    report = await desk.store.get(Report, report_id)
    if report is None or report.reporter_id != officer.id:
        desk.log("choice_refused", f"officer:{officer.id}", officer.id, verb="outcome")
        return Asked("close", None)
    incident = await desk.store.get(Incident, report.incident_id)
    return Asked(verb or "close", incident, report.text, is_named=True, is_certain=True)


async def _is_outcome(desk: Desk, message: Inbound, officer: Officer) -> bool:
    text = message.text
    if message.kind != "text" or message.place or not says_something(text) or reads_as_answer(text).kind:
        return False
    if text.lstrip().startswith("/") or says_nothing(message):
        return False
    incident_id = await asked.asked(desk, officer.id, OUTCOME)
    if not incident_id:
        return False
    if find_number(text, desk.policy.number_prefix) or message.reply_to:
        named = await incident_spoken_of(desk, message, officer)
        return named is not None and named.id == incident_id
    return True


async def _said_before(desk: Desk, officer: Officer, verb: str) -> str:
    """The words that came with the verb before it was asked which incident was meant."""
    kept_verb, _, words = (await asked.asked(desk, officer.id, WHICH)).partition(" ")
    return words if kept_verb == verb else ""


async def _may_be_meant(desk: Desk, officer: Officer, verb: str) -> list[Incident]:
    """Without a number: what waits for this person's signature, or what they signed for."""
    if verb != "sign":
        return await desk.store.find(
            Incident, state=State.verifying, signed_by=officer.id, order=("-id",), limit=CHOICES_MAX
        )
    unsigned = await desk.store.find(Incident, state_in=list(UNSIGNED_STATES), order=("-id",), limit=200)
    meant = [
        one
        for one in unsigned
        if officer.id in one.heard_by
        or officer.id == one.assigned_to
        or (officer.id == one.reporter_id and may(officer, Action.sign, one))
    ]
    if meant:
        return meant[:CHOICES_MAX]
    # Somebody was quicker: whoever was asked hears who has it.
    signed = await desk.store.find(Incident, state=State.verifying, order=("-signed_at",), limit=200)
    return [one for one in signed if officer.id in one.heard_by][:1]


def _is_number_alone(text: str, prefix: str) -> bool:
    """Whether a text is an incident's number and nothing else, perhaps after 查看."""
    number = find_number(text, prefix)
    if not number or len(text) > NUMBER_WITHIN:
        return False
    bare = _without_number(text, number, prefix).strip(EDGES)
    return not bare or bare in LOOKS_UP


def _word_of(text: str) -> str:
    return next((one for one in WORDS if text.startswith(one)), "")


def _without_number(text: str, number: str, prefix: str) -> str:
    """The words around a number that stands near the beginning, however it is spelled."""
    head = text[:NUMBER_WITHIN]
    ends = (end for end in range(1, len(head) + 1) if find_number(head[:end], prefix) == number)
    end = next(ends, 0)
    starts = [start for start in range(end) if find_number(head[start:end], prefix) == number]
    return text[: starts[-1]] + text[end:] if starts else text
