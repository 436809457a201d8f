"""Takes answers to a roll call: idempotent, late is marked, a missing proof is asked for, nothing is thrown away."""

from dataclasses import dataclass
from datetime import timedelta

from desk.letters import amend, amend_tapped, cards, reply
from desk.model import Inbound, Notice
from desk.ports import Desk, Stale
from desk.roll_calls import QUESTION, REMINDER
from incidents.model import Place
from roster.model import Answer, Officer, Result, RollCall, Unit
from roster.roll_call import judge

LATE_ANSWERS_KEPT_FOR = timedelta(hours=12)


@dataclass(frozen=True)
class Given:
    """What came with an answer."""

    passcode: str = ""
    place: Place | None = None
    has_photo: bool = False


async def owed_by(desk: Desk, officer_id: str) -> Answer | None:
    """The newest answer this officer still owes."""
    waiting = await desk.store.find(
        Answer, officer_id=officer_id, result=Result.waiting, order=("-id",), limit=1
    )
    return waiting[0] if waiting else None


async def missed_by(desk: Desk, officer_id: str) -> Answer | None:
    """The newest 未应答 of the last twelve hours that this officer has said nothing about since."""
    lines = await desk.store.find(
        Answer, officer_id=officer_id, result=Result.no_answer, order=("-id",), limit=1
    )
    if not lines or lines[0].answered_at is not None:
        return None
    roll_call = await desk.store.get(RollCall, lines[0].roll_call_id)
    if roll_call is None or desk.now - roll_call.closes_at > LATE_ANSWERS_KEPT_FOR:
        return None
    return lines[0]


async def take(desk: Desk, message: Inbound, officer: Officer, answer: Answer, given: Given) -> None:
    """Judge a 到岗 and say what was recorded, or which proof is still owed."""
    roll_call = await desk.store.get(RollCall, answer.roll_call_id)
    if roll_call is None:
        return
    if answer.result is not Result.waiting:
        await _answered_before(desk, message, officer, roll_call, answer)
        return
    unit = await desk.store.get(Unit, answer.unit_id) if given.place else None
    verdict = judge(
        roll_call,
        answer,
        at=desk.now,
        passcode=given.passcode,
        place=given.place,
        has_photo=given.has_photo,
        unit=unit,
    )
    if verdict.result is None:
        facts = {
            "plan": roll_call.plan,
            "proof": verdict.missing,
            "distance": verdict.distance,
            "tried": given.passcode,
        }
        subject = f"roll_call:{roll_call.id}"
        notice = Notice("proof_owed", facts, asks_place=verdict.missing == "place")
        reply(desk, message, notice, officer_id=officer.id, subject=subject)
        return
    await _record(desk, message, officer, roll_call, answer, verdict.result)


async def excuse(desk: Desk, message: Inbound, officer: Officer, answer: Answer, reason: str) -> None:
    """免点: taken with its reason; without one the reason is asked for first."""
    roll_call = await desk.store.get(RollCall, answer.roll_call_id)
    if roll_call is None:
        return
    if answer.result is not Result.waiting:
        await _answered_before(desk, message, officer, roll_call, answer)
    elif not reason:
        await desk.store.change(answer, note="excuse?")
        reply(desk, message, Notice("excuse_reason", {"plan": roll_call.plan}), officer_id=officer.id)
    else:
        await _record(desk, message, officer, roll_call, answer, Result.excused, reason)


async def _record(
    desk: Desk,
    message: Inbound,
    officer: Officer,
    roll_call: RollCall,
    answer: Answer,
    result: Result,
    note: str = "",
) -> None:
    subject = f"roll_call:{roll_call.id}"
    try:
        await desk.store.change(
            answer,
            result=result,
            answered_at=desk.now,
            channel=message.channel,
            text=message.text[:200],
            note=note,
        )
    except Stale:
        return
    desk.log("roll_call_answered", subject, officer.id, plan=roll_call.plan, result=result.value, note=note)
    facts = {"plan": roll_call.plan, "result": result.value, "at": desk.now.isoformat(), "note": note}
    notice = Notice("answer_recorded", facts)
    if message.kind == "choice" and message.message_id:
        amend_tapped(desk, message, notice, officer_id=officer.id, subject=subject)
        if roll_call.reminded == 0:
            return
    else:
        reply(desk, message, notice, officer_id=officer.id, subject=subject)
    for card in await cards(desk, subject, [QUESTION, REMINDER], officer_id=officer.id):
        if card.remote_id != message.message_id:
            amend(desk, card, notice)


async def _answered_before(
    desk: Desk, message: Inbound, officer: Officer, roll_call: RollCall, answer: Answer
) -> None:
    """The first answer stands; one after the window is kept beside 未应答 for the leader to judge."""
    facts = {
        "plan": roll_call.plan,
        "result": answer.result.value,
        "at": (answer.answered_at or desk.now).isoformat(),
        "closes_at": roll_call.closes_at.isoformat(),
    }
    kind = "answer_stands"
    if answer.result is Result.no_answer and answer.answered_at is None:
        kind = "answer_after_close"
        facts["at"] = desk.now.isoformat()
        await desk.store.change(
            answer, answered_at=desk.now, channel=message.channel, text=message.text[:200]
        )
        subject = f"roll_call:{roll_call.id}"
        desk.log("answered_after_close", subject, officer.id, plan=roll_call.plan, text=message.text[:200])
    reply(desk, message, Notice(kind, facts), officer_id=officer.id)
