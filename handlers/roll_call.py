"""点名: answers (到, the button, the 口令码, a place, a photo), 免点 with its reason, and leaders' verdicts."""

from dataclasses import replace

from desk import answers, roll_calls
from desk.answers import Given
from desk.model import Choice, Inbound, Notice
from desk.permissions import Action, NotAllowed, may
from desk.ports import Desk
from handlers.flow import Flow, say
from roster.model import Answer, Officer, Proof, Result
from roster.roll_call import reads_as_answer

VERDICTS = {
    "verified": Result.verified_present,
    "fault": Result.line_fault,
    "absent": Result.absent_from_post,
}


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Route a button, an answer in words, a proof, or /rollcall."""
    if message.kind == "choice":
        await _pressed(desk, message, officer)
    elif message.text.strip() in ("/rollcall", "点名"):
        await _offer(desk, message, officer)
    else:
        await _said(desk, message, officer)


async def wants(desk: Desk, message: Inbound, officer: Officer) -> bool:
    """Words that read as an answer, a reason owed, or the place or photo an open answer still needs."""
    if message.edited or message.forwarded:
        return reads_as_answer(message.text).kind == "present"
    reading = reads_as_answer(message.text) if message.text else None
    if reading is not None and reading.kind in ("present", "excused", "passcode"):
        owed = await answers.owed_by(desk, officer.id)
        return (
            owed is not None
            or reading.kind == "present"
            or await answers.missed_by(desk, officer.id) is not None
        )
    owed = await answers.owed_by(desk, officer.id)
    if owed is None:
        return False
    if owed.note == "excuse?" and message.text:
        return True
    if message.place is not None and owed.proof is Proof.place:
        return True
    return bool(message.files) and owed.proof is Proof.photo and not message.text


async def _said(desk: Desk, message: Inbound, officer: Officer) -> None:
    if message.forwarded:
        say(desk, message, officer, Notice("answer_forwarded", {}))
        return
    if message.edited:
        desk.log("answer_edited", f"officer:{officer.id}", officer.id, text=message.text[:200])
        say(desk, message, officer, Notice("answer_edited", {}))
        return
    owed = await answers.owed_by(desk, officer.id) or await answers.missed_by(desk, officer.id)
    if owed is None:
        say(desk, message, officer, Notice("no_roll_call", {}))
        return
    reading = reads_as_answer(message.text)
    if reading.kind == "excused":
        await answers.excuse(desk, message, officer, owed, reading.reason)
    elif owed.note == "excuse?" and reading.kind is None and message.text:
        await answers.excuse(desk, message, officer, owed, message.text.strip()[:200])
    else:
        given = Given(passcode=reading.passcode, place=message.place, has_photo=bool(message.files))
        await answers.take(desk, message, officer, owed, given)


async def _pressed(desk: Desk, message: Inbound, officer: Officer) -> None:
    if message.verb == "call":
        await _call(desk, message, officer)
        return
    answer = await desk.store.get(Answer, message.ref)
    if answer is None:
        say(desk, message, officer, Notice("choice_stale", {}))
    elif message.verb in VERDICTS:
        await _verdict(desk, message, officer, answer)
    elif answer.officer_id != officer.id:
        desk.log("choice_refused", f"roll_call:{answer.roll_call_id}", officer.id, verb=message.verb)
        say(desk, message, officer, Notice("not_yours", {}))
    elif message.verb == "excused":
        await answers.excuse(desk, message, officer, answer, "")
    else:
        await answers.take(desk, message, officer, answer, Given())


async def _verdict(desk: Desk, message: Inbound, officer: Officer, answer: Answer) -> None:
    """Only a person concludes; 脱岗 needs its reason, so it is concluded on the desk's page."""
    try:
        result = VERDICTS[message.verb]
        if result is Result.absent_from_post:
            say(desk, message, officer, Notice("verdict_needs_reason", {"ref": answer.roll_call_id}))
            return
        await roll_calls.conclude(desk, answer.id, officer, result, "电话核实")
    except NotAllowed:
        desk.log("choice_refused", f"roll_call:{answer.roll_call_id}", officer.id, verb=message.verb)
        say(desk, message, officer, Notice("not_allowed", {}))
        return
    who = await desk.store.get(Officer, answer.officer_id)
    facts = {
        "name": who.name if who else "",
        "result": result.value,
        "by": officer.name,
        "at": desk.now.isoformat(),
    }
    say(desk, message, officer, Notice("verdict_recorded", facts), subject=f"roll_call:{answer.roll_call_id}")


async def _offer(desk: Desk, message: Inbound, officer: Officer) -> None:
    if not may(officer, Action.call_roll):
        say(desk, message, officer, Notice("not_allowed", {}))
        return
    plans = [plan.name for plan in desk.policy.roll_calls]
    choices = tuple(Choice("call", str(position)) for position, _plan in enumerate(plans))
    say(desk, message, officer, Notice("roll_call_offer", {"plans": plans}, choices))


async def _call(desk: Desk, message: Inbound, officer: Officer) -> None:
    if not may(officer, Action.call_roll) or message.stale:
        say(desk, message, officer, Notice("not_allowed", {}))
        return
    plans = desk.policy.roll_calls
    if not message.ref.isdigit() or int(message.ref) >= len(plans):
        say(desk, message, officer, Notice("choice_stale", {}))
        return
    plan = plans[int(message.ref)]
    if officer.role.value == "leader":
        plan = replace(plan, units=(officer.unit_id,))
    slot = f"manual-{message.channel}-{message.event_id}"
    called = await roll_calls.call(desk, plan, slot, called_by=officer.id)
    if called is not None:
        facts = {"plan": plan.name, "due": called.due_count, "closes_at": called.closes_at.isoformat()}
        say(desk, message, officer, Notice("roll_call_started", facts), subject=f"roll_call:{called.id}")


flow = Flow(
    "roll_call",
    hear,
    commands=("rollcall",),
    words=("点名",),
    verbs=("present", "excused", "verified", "fault", "absent", "call"),
    wants=wants,
    rank=100,
)
