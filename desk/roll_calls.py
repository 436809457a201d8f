"""Calls the roll: freezes the audience, takes answers, nudges the silent, names them, keeps the ledger."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from desk.hearing import away_for, look_again_at
from desk.letters import amend, tell, tell_all, withdraw
from desk.model import Choice, Lane, Notice
from desk.ports import Desk, Store
from desk.recipients import duty_leaders, names, shifts_now
from desk.silence import name_the_silent, summarise
from desk.verdicts import conclude
from desk.watch import REQUIRED_POSTS
from roster.model import Answer, Officer, Proof, Result, RollCall, RollCallPlan, RollCallState, Shift, Unit
from roster.roll_call import Due, audience, make_up, reminders, tally
from roster.rota import gaps

__all__ = ["QUESTION", "REMINDER", "call", "close", "conclude", "remind", "slot_fell_due"]

QUESTION = "roll_call_question"
REMINDER = "roll_call_reminder"
LATE_CLOSE = timedelta(minutes=1)  # Closed later than this, the desk itself was away or its clock jumped …
GRACE_MINUTES = 2.0  # … and what people said meanwhile must be heard before anybody is named silent.


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
    _log_gaps(desk, roll_call, plan, shifts, units)
    if not due:
        return await _nobody_to_call(desk, roll_call)
    _ask(desk, roll_call, due)
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
    subject = f"roll_call:{roll_call.id}"
    past = [at for at in roll_call.reminders if at <= desk.now]
    if len(past) <= roll_call.reminded:  # The clock went back: look again at the true moment.
        desk.due("roll_call_remind", roll_call.id, roll_call.reminders[roll_call.reminded], key=subject)
        return
    waiting = await desk.store.find(Answer, roll_call_id=roll_call_id, result=Result.waiting)
    for proof in Proof:
        silent = [answer.officer_id for answer in waiting if answer.proof is proof]
        tell_all(desk, silent, _question(roll_call, proof, REMINDER), subject=subject)
    reminded = len(past)  # Those that fell due while the desk was away are one.
    await desk.store.change(roll_call, reminded=reminded)
    desk.log("roll_call_reminded", subject, waiting=len(waiting), round=reminded)
    if reminded < len(roll_call.reminders):
        desk.due("roll_call_remind", roll_call.id, roll_call.reminders[reminded], key=subject)


async def close(desk: Desk, roll_call_id: str) -> None:
    """The answer window is over: the silent are 未应答, named to their leaders; standby is called; the sum is told.

    Not before everything that was said in the window is heard, as far as that can be waited for."""
    roll_call = await desk.store.get(RollCall, roll_call_id)
    if roll_call is None or roll_call.state is not RollCallState.open:
        return
    subject = f"roll_call:{roll_call.id}"
    if desk.doubts_clock:  # Until a second clock agrees. After a jump far ahead `overdue` is sooner.
        desk.due("roll_call_close", roll_call.id, desk.now + LATE_CLOSE / 2, key=subject)
        return
    away = await away_for(desk, roll_call)
    if away > LATE_CLOSE:
        desk.log("roll_call_extended", subject, plan=roll_call.plan, late_seconds=int(away.total_seconds()))
        closes_at = desk.now + desk.minutes(GRACE_MINUTES)
        roll_call = await desk.store.change(roll_call, closes_at=closes_at)
    if desk.now < roll_call.closes_at:  # Also when the clock went back: look again at the true moment.
        desk.due("roll_call_close", roll_call.id, roll_call.closes_at, key=subject)
        return
    if (again_at := await look_again_at(desk, roll_call)) is not None:
        desk.due("roll_call_close", roll_call.id, again_at, key=subject)
        return
    answers = await desk.store.find(Answer, roll_call_id=roll_call_id)
    results = []
    for answer in answers:
        if answer.result is Result.waiting:
            # What a colleague said for them is kept as 替班未报备, and like 未应答 a person judges it.
            result = Result.unregistered_cover if answer.note else Result.no_answer
            results.append((answer, {"result": result}))
    silent = await desk.store.change_each(results)
    heard = {answer.id: answer for answer in silent}
    counts = tally([heard.get(answer.id, answer) for answer in answers])
    roll_call = await desk.store.change(roll_call, state=RollCallState.closed, counts=counts)
    over = Notice("roll_call_over", {"plan": roll_call.plan, "closes_at": roll_call.closes_at.isoformat()})
    silent_ids = {answer.officer_id for answer in silent}
    for card in await withdraw(desk, subject, [QUESTION, REMINDER]):
        if card.officer_id in silent_ids:  # Its buttons go; what is written late is still kept.
            amend(desk, card, over, lane=Lane.bulk)
    unanswered = [answer for answer in silent if answer.result is Result.no_answer]
    silent_names = await names(desk, [answer.officer_id for answer in unanswered])
    desk.log("roll_call_closed", subject, plan=roll_call.plan, counts=counts, silent=silent_names)
    await name_the_silent(desk, roll_call, silent)
    await summarise(desk, roll_call, counts, unanswered)


async def overdue(store: Store, now: datetime) -> list[RollCall]:
    """The open roll calls whose end is past, so that their closing was put off, or put at a moment that was wrong."""
    running = await store.find(RollCall, state=RollCallState.open)
    return [one for one in running if now - one.closes_at > LATE_CLOSE / 2]


def _ask(desk: Desk, roll_call: RollCall, due: Sequence[Due]) -> None:
    """A line for everybody, and one question to all of whom the same is asked."""
    alike: dict[tuple[Proof, str], list[str]] = {}
    for one in due:
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
        alike.setdefault((one.proof, one.post), []).append(one.officer_id)
    for (proof, post), officer_ids in alike.items():
        notice = _question(roll_call, proof, QUESTION, post)
        tell_all(desk, officer_ids, notice, subject=f"roll_call:{roll_call.id}")


def _question(roll_call: RollCall, proof: Proof, kind: str, post: str = "") -> Notice:
    facts = {
        "plan": roll_call.plan,
        "called_at": roll_call.called_at.isoformat(),
        "on_time_until": roll_call.on_time_until.isoformat(),
        "closes_at": roll_call.closes_at.isoformat(),
        "make_up": roll_call.make_up,
        "proof": proof.value,
        "post": post,
        "reference": roll_call.id[-4:],
    }
    # The call's own id, the same for all: equal words go to a thousand people in one sending.
    ref = roll_call.id
    choices = (Choice("present", ref), Choice("excused", ref), Choice("trouble", ref))
    return Notice(kind, facts, choices, asks_place=proof is Proof.place)


def _log_gaps(
    desk: Desk, roll_call: RollCall, plan: RollCallPlan, shifts: list[Shift], units: list[Unit]
) -> None:
    """空岗 at the moment of the call, which no answer can show: a roster fault, not a person's."""
    meant = [unit for unit in units if not plan.units or unit.name in plan.units or unit.id in plan.units]
    posts = [post for post in REQUIRED_POSTS if post in plan.posts]
    span = (desk.now, desk.now + timedelta(minutes=1))
    found = {(gap.unit_id, gap.post) for gap in gaps(shifts, meant, posts, span) if gap.starts_at == desk.now}
    if found:
        listed = [f"{unit.name}/{post}" for unit in meant for post in posts if (unit.id, post) in found]
        desk.log("posts_unheld", f"roll_call:{roll_call.id}", plan=plan.name, posts=listed)


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


def _passcode() -> str:
    return f"{secrets.randbelow(10_000):04d}"
