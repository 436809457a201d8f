"""Takes answers to a roll call: idempotent, late is marked, a missing proof is asked for, nothing is thrown away."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from desk import asked
from desk.attachments import keep_files
from desk.letters import amend, amend_tapped, reply, withdraw
from desk.model import Choice, Inbound, Letter, Notice, Setting
from desk.owed import (
    MISSED,
    all_owed_by,
    given_by,
    is_open,
    line_of,
    missed_by,
    owed_by,
    owed_by_each,
    said_at,
    unit_owes,
)
from desk.ports import Desk
from desk.put_right import note_heard
from desk.roll_calls import QUESTION, REMINDER
from incidents.model import Place
from incidents.places import believed
from incidents.telling import tells_of_event
from roster.model import Answer, Officer, Proof, Result, RollCall, Unit
from roster.roll_call import Verdict, judge

__all__ = [
    "EXCUSE",
    "Given",
    "Said",
    "all_owed_by",
    "cover",
    "excuse",
    "given_by",
    "line_of",
    "missed_by",
    "owed_by",
    "owed_by_each",
    "take",
    "take_all",
]

TEXT_MAX = 200
PASSCODES_WRONG_MAX = 5  # Of ten thousand codes; beyond these the answer is not judged by a code any more.
EXCUSE = "excuse"  # What `desk.asked` calls the question for the reason of a 免点.


@dataclass(frozen=True)
class Given:
    """What came with an answer."""

    passcode: str = ""
    place: Place | None = None
    has_photo: bool = False


@dataclass(frozen=True)
class Said:
    """One person's word about one line of a roll call."""

    message: Inbound
    officer: Officer
    answer: Answer
    given: Given = Given()


@dataclass(frozen=True)
class _Heard:
    """The same beside its roll call."""

    message: Inbound
    officer: Officer
    roll_call: RollCall
    answer: Answer

    @property
    def subject(self) -> str:
        return f"roll_call:{self.roll_call.id}"


@dataclass(frozen=True)
class _Taken:
    """What is to be recorded of it."""

    heard: _Heard
    result: Result
    note: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


async def take(desk: Desk, message: Inbound, officer: Officer, answer: Answer, given: Given) -> bool:
    """Judge a 到岗 and say what was recorded, or which proof is still owed; says whether it was recorded."""
    return await take_all(desk, [Said(message, officer, answer, given)]) == 1


async def take_all(desk: Desk, said: Sequence[Said]) -> int:
    """The same for many, who together need few looks at the store; says how many. Each line at most once."""
    taken = []
    for one in said:
        roll_call = await desk.store.get(RollCall, one.answer.roll_call_id)
        if roll_call is None:
            continue
        heard = _Heard(one.message, one.officer, roll_call, one.answer)
        if not is_open(desk, one.message, roll_call, one.answer):
            await _answered_before(desk, heard)
        elif (found := await _judged(desk, heard, one.given)) is not None:
            taken.append(found)
    await _record(desk, taken)
    return len(taken)


async def _judged(desk: Desk, heard: _Heard, given: Given) -> _Taken | None:
    """What an answer is worth; None when its proof is still owed, and asked for now."""
    message, answer, roll_call = heard.message, heard.answer, heard.roll_call
    place = believed(given.place) if given.place else None
    verdict = judge(
        roll_call,
        answer if answer.result is Result.waiting else replace(answer, result=Result.waiting),
        at=said_at(desk, message, roll_call),
        passcode=given.passcode if await _may_try_code(desk, heard, given.passcode) else "",
        place=place,
        has_photo=given.has_photo,
        unit=await desk.store.get(Unit, answer.unit_id) if place else None,
    )
    if verdict.result is None:
        _ask_proof(desk, heard, verdict, given.passcode)
        return None
    details: dict[str, Any] = {}
    if place is not None:
        metres = None if verdict.distance is None else round(verdict.distance)
        details = {"metres": metres, "unchecked": verdict.unchecked}
    if answer.proof is Proof.photo and message.files:
        kept = await keep_files(desk, message, heard.officer, draft_id=answer.id)
        details["attachments"] = [one.id for one in kept]
    return _Taken(heard, verdict.result, details=details)


async def excuse(desk: Desk, message: Inbound, officer: Officer, answer: Answer, reason: str) -> None:
    """免点: taken with its reason; without one the reason is asked for first."""
    roll_call = await desk.store.get(RollCall, answer.roll_call_id)
    if roll_call is None:
        return
    heard = _Heard(message, officer, roll_call, answer)
    if not is_open(desk, message, roll_call, answer):
        await _answered_before(desk, heard)
    elif not reason:
        await asked.ask(desk, officer.id, EXCUSE, answer.id)
        reply(desk, message, Notice("excuse_reason", {"plan": roll_call.plan}), officer_id=officer.id)
    else:
        await _record(desk, [_Taken(heard, Result.excused, reason[:TEXT_MAX])])


async def cover(desk: Desk, message: Inbound, officer: Officer, passcode: str = "") -> bool:
    """替班未报备: somebody who was not called answers for the one colleague of the unit whose answer is owed.

    It is kept beside the holder's line, who is still asked; a person judges it afterwards. When several are owed
    nobody can tell for whom it was, and it is only logged."""
    owed = await unit_owes(desk, officer)
    if not owed:
        return False
    [first, *others] = owed
    subject = f"roll_call:{first.roll_call_id}"
    if others:
        desk.log("cover_unclear", subject, officer.id, text=message.text[:TEXT_MAX], owed=len(owed))
        return False
    roll_call = await desk.store.get(RollCall, first.roll_call_id)
    if roll_call is None:
        return False
    text, has_code = message.text[:TEXT_MAX], bool(passcode) and passcode == roll_call.passcode
    await desk.store.change(first, note=officer.name, text=text, channel=message.channel)
    desk.log("answered_for", subject, officer.id, by=officer.name, holder=first.officer_id, passcode=has_code)
    facts = {
        "plan": roll_call.plan,
        "result": Result.unregistered_cover.value,
        "at": said_at(desk, message, roll_call).isoformat(),
        "note": "",
    }
    reply(desk, message, Notice("answer_recorded", facts), officer_id=officer.id, subject=subject)
    return True


async def _may_try_code(desk: Desk, heard: _Heard, passcode: str) -> bool:
    """Counts wrong codes of one line, so that the four digits cannot be found by trying."""
    if heard.answer.proof is not Proof.passcode or not passcode:
        return True
    name = f"passcode/{heard.answer.id}"
    kept = await desk.store.get(Setting, name)
    wrong = int(kept.value) if kept else 0
    if wrong >= PASSCODES_WRONG_MAX:
        return False
    if passcode != heard.roll_call.passcode:
        if kept is None:
            await desk.store.add(Setting(name, "1"))
        else:
            await desk.store.change(kept, value=str(wrong + 1))
        if wrong + 1 == PASSCODES_WRONG_MAX:
            desk.log("passcode_locked", heard.subject, heard.officer.id, tries=wrong + 1)
    return True


def _ask_proof(desk: Desk, heard: _Heard, verdict: Verdict, tried: str) -> None:
    facts = {
        "plan": heard.roll_call.plan,
        "proof": verdict.missing,
        "distance": verdict.distance,
        "tried": tried,
    }
    if verdict.distance is not None:
        desk.log("answered_from_afar", heard.subject, heard.officer.id, metres=round(verdict.distance))
    notice = Notice("proof_owed", facts, asks_place=verdict.missing == "place")
    reply(desk, heard.message, notice, officer_id=heard.officer.id, subject=heard.subject)


async def _record(desk: Desk, taken: Sequence[_Taken]) -> None:
    """Into the ledger and the log; each person is told, and the question's own buttons go."""
    changes: list[tuple[Answer, dict[str, Any]]] = []
    officers: dict[str, list[str]] = defaultdict(list)
    for one in taken:
        heard, message = one.heard, one.heard.message
        plan = heard.roll_call.plan
        await note_heard(desk, heard.roll_call, heard.answer, one.result)
        changes.append(
            (
                heard.answer,
                {
                    "result": one.result,
                    "answered_at": said_at(desk, message, heard.roll_call),
                    "channel": message.channel,
                    "text": message.text[:TEXT_MAX],
                    "note": one.note,
                },
            )
        )
        facts = {"plan": plan, "result": one.result.value, "note": one.note, **one.details}
        desk.log("roll_call_answered", heard.subject, heard.officer.id, **facts)
        officers[heard.subject].append(heard.officer.id)
    await desk.store.change_each(changes)
    standing: dict[tuple[str, str], list[Letter]] = defaultdict(list)
    for subject, ids in officers.items():
        for card in await withdraw(desk, subject, [QUESTION, REMINDER], officer_ids=ids):
            standing[subject, card.officer_id].append(card)
    for one in taken:
        _tell(desk, one, standing[one.heard.subject, one.heard.officer.id])


def _tell(desk: Desk, taken: _Taken, standing: Sequence[Letter]) -> None:
    """Say what was recorded: on the card that was pressed, else in a message, and on the question's other cards."""
    heard, message, officer_id = taken.heard, taken.heard.message, taken.heard.officer.id
    at = said_at(desk, message, heard.roll_call)
    facts = {
        "plan": heard.roll_call.plan,
        "result": taken.result.value,
        "at": at.isoformat(),
        "note": taken.note,
    }
    # Whatever was taken as a reason may have been a cry for help; one that surely is has been reported.
    is_doubtful = taken.result is Result.excused and bool(taken.note) and not tells_of_event(taken.note)
    choices = (Choice("danger", heard.answer.id),) if is_doubtful else ()
    notice = Notice("answer_recorded", facts, choices)
    if message.kind == "choice" and message.message_id and message.private:
        amend_tapped(desk, message, notice, officer_id=officer_id, subject=heard.subject)
    else:
        reply(desk, message, notice, officer_id=officer_id, subject=heard.subject)
    for card in standing:
        if card.remote_id != message.message_id:
            amend(desk, card, notice)


async def _answered_before(desk: Desk, heard: _Heard) -> None:
    """The first answer stands; one after the window is kept beside 未应答 for the leader to judge."""
    message, officer, answer = heard.message, heard.officer, heard.answer
    plan, at = heard.roll_call.plan, said_at(desk, message, heard.roll_call)
    text = message.text[:TEXT_MAX]
    facts = {
        "plan": plan,
        "result": answer.result.value,
        "at": (answer.answered_at or at).isoformat(),
        "closes_at": heard.roll_call.closes_at.isoformat(),
    }
    kind = "answer_stands"
    if answer.result in MISSED and answer.answered_at is None:
        kind = "answer_after_close"
        facts["at"] = at.isoformat()
        said = {"text": text, "channel": message.channel} if answer.result is Result.no_answer else {}
        await desk.store.change(answer, answered_at=at, **said)
        desk.log("answered_after_close", heard.subject, officer.id, plan=plan, text=text)
    elif answer.concluded_by and text:
        desk.log("answered_again", heard.subject, officer.id, plan=plan, text=text)
    reply(desk, message, Notice(kind, facts), officer_id=officer.id)
