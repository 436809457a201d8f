"""点名: answers (到, the button, the 口令码, a place, a photo), 免点 with its reason, and leaders' verdicts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from desk import answers, asked, calling, roll_calls
from desk.answers import EXCUSE, Given
from desk.calling import offers, own_share
from desk.letters import amend_tapped
from desk.model import Choice, Inbound, Notice, Setting
from desk.permissions import Action, NotAllowed, may
from desk.ports import Desk
from desk.verdicts import may_conclude
from handlers import report
from handlers.flow import Flow, say
from handlers.wishes import COURTESY
from incidents.telling import tells_of_event
from roster.model import Answer, Officer, Proof, Result, RollCall
from roster.roll_call import Reading, reads_as_answer

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
    reading = reads_as_answer(message.text)
    if message.edited or message.forwarded:
        return reading.kind == "present" and not message.files
    if reading.kind in ("present", "passcode"):
        return True
    owed = await answers.all_owed_by(desk, officer.id, message)
    if reading.kind == "excused":
        return bool(owed) or not tells_of_event(message.text)
    if reading.kind == "incident":
        return bool(owed)
    if tells_of_event(message.text):  # A report, whatever was asked before.
        return False
    proofs = {one.proof for one in owed}
    shows = {Proof.place: message.place is not None, Proof.photo: bool(message.files)}
    if any(shows.get(proof) for proof in proofs):
        return True
    return not any(shows.values()) and bool(await asked.asked(desk, officer.id, EXCUSE))


def is_alike(message: Inbound) -> bool:
    """A plain 到, or its button."""
    if message.kind == "choice":
        return message.verb == "present" and not message.stale
    if message.kind != "text" or message.edited or message.forwarded or message.text.startswith(COURTESY):
        return False
    reading = reads_as_answer(message.text)
    return reading.kind == "present" and not reading.passcode


async def hear_alike(desk: Desk, said: Sequence[tuple[Inbound, Officer]]) -> None:
    """Plain answers of many people, who owe one together; whoever does not is heard alone, in turn."""
    owed = await answers.owed_by_each(desk, said)
    together: list[answers.Said] = []
    for place, (message, officer) in enumerate(said, 1):
        lines = owed.get(officer.id, [])
        if message.kind == "choice":
            lines = [line for line in lines if line.roll_call_id == message.ref]
        if not lines:
            await answers.take_all(desk, together)
            await hear(desk, message, officer)
            if said[place:]:  # What was heard alone may have changed what the others owe.
                await hear_alike(desk, said[place:])
            return
        together += [answers.Said(message, officer, line) for line in lines]
    await answers.take_all(desk, together)


async def _said(desk: Desk, message: Inbound, officer: Officer) -> None:
    if message.forwarded:
        say(desk, message, officer, Notice("answer_forwarded", {}))
        return
    if message.edited:
        desk.log("answer_edited", f"officer:{officer.id}", officer.id, text=message.text[:200])
        say(desk, message, officer, Notice("answer_edited", {}))
        return
    reading = reads_as_answer(message.text)
    is_reason = reading.kind is None and not (message.files or message.place)
    question = await asked.asked(desk, officer.id, EXCUSE) if is_reason else ""
    if question:
        await asked.answered(desk, officer.id)
        answer = await desk.store.get(Answer, question)
        if answer is not None:
            await answers.excuse(desk, message, officer, answer, message.text.strip()[:200])
        return
    owed = await answers.all_owed_by(desk, officer.id, message)
    if not owed:
        await _nothing_owed(desk, message, officer, reading)
    elif reading.kind == "incident":
        await _trouble(desk, message, officer, owed, reading.reason)
    elif reading.kind == "excused":
        await answers.excuse(desk, message, officer, owed[0], reading.reason)
        if tells_of_event(reading.reason):  # An excuse, and a report as well.
            await report.hear(desk, replace(message, text=reading.reason), officer)
    else:
        await _present(desk, message, officer, owed, reading.passcode)


async def _present(desk: Desk, message: Inbound, officer: Officer, owed: list[Answer], passcode: str) -> None:
    """One 到 answers every call that runs; a place, a photo or a code those that want it."""
    given = Given(passcode=passcode, place=message.place, has_photo=bool(message.files))
    wanted = {Proof.place: bool(message.place), Proof.photo: bool(message.files)}
    says_here = reads_as_answer(message.text).kind == "present"
    for answer in owed:
        is_meant = passcode and answer.proof is Proof.passcode
        if says_here or is_meant or wanted.get(answer.proof):
            await answers.take(desk, message, officer, answer, given)


async def _nothing_owed(desk: Desk, message: Inbound, officer: Officer, reading: Reading) -> None:
    """A second answer, one after the window, one for a colleague, or one that nobody asked for."""
    missed = await answers.given_by(desk, officer.id) or await answers.missed_by(desk, officer.id)
    if missed is not None and reading.kind == "excused":
        await answers.excuse(desk, message, officer, missed, reading.reason)
    elif missed is not None:
        given = Given(passcode=reading.passcode, place=message.place, has_photo=bool(message.files))
        await answers.take(desk, message, officer, missed, given)
    elif reading.kind == "excused" or not await answers.cover(desk, message, officer, reading.passcode):
        say(desk, message, officer, Notice("no_roll_call", {}))


async def _trouble(desk: Desk, message: Inbound, officer: Officer, owed: list[Answer], what: str) -> None:
    """有情况 in words: whoever says so is there, and the rest of the line is a report."""
    for answer in owed:
        if answer.proof is Proof.tap:
            await answers.take(desk, message, officer, answer, Given())
    await report.hear(desk, replace(message, text=what or "/report"), officer)


async def _pressed(desk: Desk, message: Inbound, officer: Officer) -> None:
    if message.stale:
        desk.log("choice_refused", f"officer:{officer.id}", officer.id, verb=message.verb)
        say(desk, message, officer, Notice("choice_stale", {}))
        return
    if message.verb in ("call", "call_again"):
        await _call(desk, message, officer)
        return
    if message.verb in VERDICTS:
        answer = await desk.store.get(Answer, message.ref)
    else:
        answer = await answers.line_of(desk, officer.id, message.ref)
    if answer is None:
        desk.log("choice_refused", f"officer:{officer.id}", officer.id, verb=message.verb)
        is_called = await desk.store.get(RollCall, message.ref) is not None  # But not this officer.
        say(desk, message, officer, Notice("not_yours" if is_called else "choice_stale", {}))
    elif message.verb in VERDICTS:
        await _verdict(desk, message, officer, answer)
    elif answer.officer_id != officer.id:
        desk.log("choice_refused", f"roll_call:{answer.roll_call_id}", officer.id, verb=message.verb)
        say(desk, message, officer, Notice("not_yours", {}))
    elif message.verb == "danger":
        await _danger(desk, message, officer, answer)
    elif message.verb == "excused":
        await answers.excuse(desk, message, officer, answer, "")
    else:
        await answers.take(desk, message, officer, answer, Given())


async def _danger(desk: Desk, message: Inbound, officer: Officer, answer: Answer) -> None:
    """这是险情: what was taken as the reason of a 免点 is a report, once."""
    [is_new] = await desk.store.add_new(Setting(f"danger/{answer.id}", desk.now.isoformat()))
    if not answer.note or not is_new:
        say(desk, message, officer, Notice("choice_stale", {}))
        return
    await report.hear(desk, replace(message, kind="text", text=answer.note, verb="", ref=""), officer)


async def _verdict(desk: Desk, message: Inbound, officer: Officer, answer: Answer) -> None:
    """Only a person concludes; 脱岗 needs its reason, so it is concluded on the desk's page."""
    try:
        result = VERDICTS[message.verb]
        if not await may_conclude(desk, officer, answer):
            raise NotAllowed(officer.id, Action.conclude)
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
    found = await offers(desk.store, desk.policy, officer, desk.now)
    facts = {"plans": [one.plan.name for one in found], "due": [one.due for one in found]}
    choices = tuple(Choice("call", str(position)) for position, _offer in enumerate(found))
    say(desk, message, officer, Notice("roll_call_offer", facts, choices))


async def _call(desk: Desk, message: Inbound, officer: Officer) -> None:
    if not may(officer, Action.call_roll) or message.stale:
        say(desk, message, officer, Notice("not_allowed", {}))
        return
    plans = desk.policy.roll_calls
    ref, _, seen = message.ref.partition(":")  # The plan, and what ran when its presser was asked.
    chosen = [plan for position, plan in enumerate(plans) if str(position) == ref]
    if not chosen:
        say(desk, message, officer, Notice("choice_stale", {}))
        return
    plan = await own_share(desk.store, chosen[0], officer)
    card = f"{message.address}-{message.message_id}" if message.message_id else message.event_id
    slot = f"manual-{message.channel}-{card}"  # However often the button of one card is pressed, it is one roll call.
    is_again = message.verb == "call_again"
    slot = f"{slot}-again" if is_again else slot
    runs = await calling.running_in_turn(desk, plan)
    running = runs.newest
    is_known = slot in [one.slot for one in runs.calls] or (is_again and seen in ("", runs.mark))
    if running is not None and not is_known:
        again = Choice("call_again", f"{ref}:{runs.mark}")
        _say_on_card(desk, message, officer, Notice("roll_call_running", _facts(running), (again,)))
        return
    called = await roll_calls.call(desk, plan, slot, called_by=officer.id) or running
    if called is None:
        say(desk, message, officer, Notice("choice_stale", {}))
    elif called.due_count:
        subject = f"roll_call:{called.id}"
        _say_on_card(desk, message, officer, Notice("roll_call_started", _facts(called)), subject)
    else:
        say(desk, message, officer, Notice("roll_call_empty", {"plan": plan.name}))


def _facts(roll_call: RollCall) -> dict[str, Any]:
    return {
        "plan": roll_call.plan,
        "due": roll_call.due_count,
        "called_at": roll_call.called_at.isoformat(),
        "closes_at": roll_call.closes_at.isoformat(),
    }


def _say_on_card(desk: Desk, message: Inbound, officer: Officer, notice: Notice, subject: str = "") -> None:
    """The card whose button was pressed says what came of it, and its buttons go."""
    if message.message_id and message.private:
        amend_tapped(desk, message, notice, officer_id=officer.id, subject=subject)
    else:
        say(desk, message, officer, notice, subject=subject)


flow = Flow(
    "roll_call",
    hear,
    commands=("rollcall",),
    words=("点名",),
    verbs=("present", "excused", "verified", "fault", "absent", "call", "call_again", "danger"),
    wants=wants,
    rank=100,
    is_alike=is_alike,
    hear_alike=hear_alike,
)
