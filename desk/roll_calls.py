"""Calls the roll: freezes the audience, takes answers, nudges the silent, names them, keeps the ledger."""

import secrets
from datetime import datetime

from desk.letters import cancel_waiting, tell
from desk.model import Choice, Lane, Notice
from desk.permissions import Action, require
from desk.ports import Desk
from desk.recipients import duty_leaders, leaders_of, names, resolve, shifts_now
from roster.model import Answer, Officer, Proof, Result, RollCall, RollCallPlan, RollCallState, Unit
from roster.roll_call import Due, audience, make_up, reminders, tally

QUESTION = "roll_call_question"
REMINDER = "roll_call_reminder"


async def slot_fell_due(desk: Desk, plan: RollCallPlan, slot_at: datetime) -> RollCall | None:
    """A planned moment has come: call the roll, late as 补点 inside the catch-up window, else record 漏点.

    One roll call exists per plan and slot, however often this runs."""
    when = make_up(plan, slot_at, desk.now)
    slot = slot_at.isoformat()
    if when == "missed":
        return await _miss(desk, plan, slot, slot_at)
    return await call(desk, plan, slot, is_make_up=when == "make_up")


async def call(
    desk: Desk, plan: RollCallPlan, slot: str, *, called_by: str = "", is_make_up: bool = False
) -> RollCall | None:
    """Call the roll now; None when this slot was called before."""
    shifts = await shifts_now(desk)
    officers = await desk.store.find(Officer, active=True)
    units = await desk.store.find(Unit)
    due = audience(plan, shifts, officers, units, desk.now)
    roll_call = RollCall(
        id=desk.new_id(),
        plan=plan.name,
        slot=slot,
        called_at=desk.now,
        on_time_until=desk.now + desk.minutes(plan.on_time_minutes),
        closes_at=desk.now + desk.minutes(plan.answer_window_minutes),
        make_up=is_make_up,
        passcode=_passcode() if any(one.proof is Proof.passcode for one in due) else "",
        place_within_metres=plan.place_within_metres,
        called_by=called_by,
        reminders=reminders(plan, desk.now, desk.minutes(1)),
        due_count=len(due),
    )
    [is_new] = await desk.store.add_new(roll_call)
    if not is_new:
        return None
    subject = f"roll_call:{roll_call.id}"
    desk.log(
        "roll_called",
        subject,
        called_by or "system",
        plan=plan.name,
        slot=slot,
        due=len(due),
        make_up=is_make_up,
    )
    if not due:
        return await _nobody_to_call(desk, roll_call)
    for one in due:
        _ask(desk, roll_call, one)
    if roll_call.reminders:
        desk.due("roll_call_remind", roll_call.id, roll_call.reminders[0], key=subject)
    desk.due("roll_call_close", roll_call.id, roll_call.closes_at, key=subject)
    return roll_call


async def remind(desk: Desk, roll_call_id: str) -> None:
    """Nudge everybody who has not answered yet."""
    roll_call = await desk.store.get(RollCall, roll_call_id)
    if (
        roll_call is None
        or roll_call.state is not RollCallState.open
        or roll_call.reminded >= len(roll_call.reminders)
    ):
        return
    waiting = await desk.store.find(Answer, roll_call_id=roll_call_id, result=Result.waiting)
    for answer in waiting:
        tell(
            desk,
            answer.officer_id,
            _question(roll_call, answer, REMINDER),
            subject=f"roll_call:{roll_call.id}",
        )
    reminded = roll_call.reminded + 1
    await desk.store.change(roll_call, reminded=reminded)
    subject = f"roll_call:{roll_call.id}"
    desk.log("roll_call_reminded", subject, waiting=len(waiting), round=reminded)
    if reminded < len(roll_call.reminders):
        desk.due("roll_call_remind", roll_call.id, roll_call.reminders[reminded], key=subject)


async def close(desk: Desk, roll_call_id: str) -> None:
    """The answer window is over: the silent are 未应答, named to their leaders; standby is called; the sum is told."""
    roll_call = await desk.store.get(RollCall, roll_call_id)
    if roll_call is None or roll_call.state is not RollCallState.open:
        return
    if desk.now < roll_call.closes_at:  # The clock went back: look again at the true moment.
        desk.due("roll_call_close", roll_call.id, roll_call.closes_at, key=f"roll_call:{roll_call.id}")
        return
    subject = f"roll_call:{roll_call.id}"
    answers = await desk.store.find(Answer, roll_call_id=roll_call_id)
    silent: list[Answer] = []
    for answer in answers:
        if answer.result is Result.waiting:
            silent.append(await desk.store.change(answer, result=Result.no_answer))
    heard = {answer.id: answer for answer in silent}
    counts = tally([heard.get(answer.id, answer) for answer in answers])
    roll_call = await desk.store.change(roll_call, state=RollCallState.closed, counts=counts)
    await cancel_waiting(desk, subject, [QUESTION, REMINDER])
    silent_names = await names(desk, [answer.officer_id for answer in silent])
    desk.log("roll_call_closed", subject, plan=roll_call.plan, counts=counts, silent=silent_names)
    await _name_the_silent(desk, roll_call, silent)
    await _summarise(desk, roll_call, counts, silent_names)


async def conclude(desk: Desk, answer_id: str, by: Officer, result: Result, reason: str) -> Answer:
    """A person's verdict on one line of the ledger (核实在岗, 脱岗, 设备故障, 免点 …), with the reason kept."""
    answer = await desk.store.get(Answer, answer_id)
    if answer is None:
        raise LookupError(answer_id)
    require(by, Action.conclude, unit_id=answer.unit_id)
    changed = await desk.store.change(answer, result=result, concluded_by=by.id, note=reason or answer.note)
    subject = f"roll_call:{answer.roll_call_id}"
    desk.log(
        "answer_concluded",
        subject,
        by.id,
        officer=answer.officer_id,
        was=answer.result,
        result=result,
        reason=reason,
    )
    roll_call = await desk.store.get(RollCall, answer.roll_call_id)
    if roll_call is not None and roll_call.counts is not None:
        every = await desk.store.find(Answer, roll_call_id=roll_call.id)
        await desk.store.change(roll_call, counts=tally(every))
    return changed


def _ask(desk: Desk, roll_call: RollCall, one: Due) -> None:
    answer = Answer(
        id=desk.new_id(),
        roll_call_id=roll_call.id,
        officer_id=one.officer_id,
        unit_id=one.unit_id,
        post=one.post,
        presence=one.presence,
        proof=one.proof,
    )
    desk.later(answer)
    notice = _question(roll_call, answer, QUESTION)
    tell(desk, one.officer_id, notice, subject=f"roll_call:{roll_call.id}", lane=Lane.bulk)


def _question(roll_call: RollCall, answer: Answer, kind: str) -> Notice:
    facts = {
        "plan": roll_call.plan,
        "called_at": roll_call.called_at.isoformat(),
        "on_time_until": roll_call.on_time_until.isoformat(),
        "closes_at": roll_call.closes_at.isoformat(),
        "make_up": roll_call.make_up,
        "proof": answer.proof.value,
        "presence": answer.presence.value,
        "post": answer.post,
        "reference": roll_call.id[-4:],
    }
    choices = (Choice("present", answer.id), Choice("excused", answer.id), Choice("trouble", answer.id))
    return Notice(kind, facts, choices, asks_place=answer.proof is Proof.place)


async def _nobody_to_call(desk: Desk, roll_call: RollCall) -> RollCall:
    """空岗 is a roster fault, not a person's: the roll call is closed at once and the leader told."""
    closed = await desk.store.change(roll_call, state=RollCallState.closed, counts={})
    for leader in await duty_leaders(desk):
        tell(
            desk,
            leader.id,
            Notice("roll_call_empty", {"plan": roll_call.plan}),
            subject=f"roll_call:{roll_call.id}",
        )
    return closed


async def _miss(desk: Desk, plan: RollCallPlan, slot: str, slot_at: datetime) -> RollCall | None:
    missed = RollCall(
        id=desk.new_id(),
        plan=plan.name,
        slot=slot,
        called_at=slot_at,
        on_time_until=slot_at,
        closes_at=slot_at,
        state=RollCallState.missed,
        counts={},
    )
    [is_new] = await desk.store.add_new(missed)
    if not is_new:
        return None
    subject = f"roll_call:{missed.id}"
    desk.log("roll_call_missed", subject, plan=plan.name, slot=slot)
    facts = {"plan": plan.name, "slot_at": slot_at.isoformat(), "now": desk.now.isoformat()}
    for leader in await duty_leaders(desk):
        tell(desk, leader.id, Notice("roll_call_missed", facts), subject=subject)
    return missed


async def _name_the_silent(desk: Desk, roll_call: RollCall, silent: list[Answer]) -> None:
    """Each unit's leader hears of the unit's silent with a task 电话核实; the unit's standby is called."""
    subject = f"roll_call:{roll_call.id}"
    above = await duty_leaders(desk)
    for unit_id in sorted({answer.unit_id for answer in silent}):
        mine = [answer for answer in silent if answer.unit_id == unit_id]
        silent_ids = {answer.officer_id for answer in mine}
        leaders = [one for one in await leaders_of(desk, unit_id) if one.id not in silent_ids] or above
        await _give_task(desk, roll_call, unit_id, mine, leaders)
        for standby in await resolve(desk, "post:standby", unit_id):
            if standby.id in silent_ids:
                continue
            facts = {"plan": roll_call.plan, "names": await names(desk, sorted(silent_ids))}
            tell(desk, standby.id, Notice("standby_called", facts), subject=subject)
            desk.log("standby_called", subject, officer=standby.id, unit=unit_id)


async def _give_task(
    desk: Desk, roll_call: RollCall, unit_id: str, mine: list[Answer], leaders: list[Officer]
) -> None:
    subject = f"roll_call:{roll_call.id}"
    unit = await desk.store.get(Unit, unit_id)
    for answer in mine:
        officer = await desk.store.get(Officer, answer.officer_id)
        facts = {
            "plan": roll_call.plan,
            "called_at": roll_call.called_at.isoformat(),
            "unit": unit.name if unit else unit_id,
            "name": officer.name if officer else answer.officer_id,
            "phone": officer.phone if officer else "",
            "post": answer.post,
        }
        choices = (Choice("verified", answer.id), Choice("fault", answer.id), Choice("absent", answer.id))
        for leader in leaders:
            tell(desk, leader.id, Notice("silent_named", facts, choices), subject=subject)
    told = [leader.name for leader in leaders]
    desk.log("silent_named", subject, unit=unit_id, silent=[one.officer_id for one in mine], told=told)


async def _summarise(
    desk: Desk, roll_call: RollCall, counts: dict[str, int], silent_names: list[str]
) -> None:
    facts = {
        "plan": roll_call.plan,
        "called_at": roll_call.called_at.isoformat(),
        "make_up": roll_call.make_up,
        "due": roll_call.due_count,
        "counts": counts,
        "silent": silent_names,
    }
    for leader in await duty_leaders(desk):
        tell(desk, leader.id, Notice("roll_call_summary", facts), subject=f"roll_call:{roll_call.id}")


def _passcode() -> str:
    return f"{secrets.randbelow(10_000):04d}"
