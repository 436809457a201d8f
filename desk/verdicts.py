"""Takes what a person concludes about one line of a roll call: the system never does."""

from desk.letters import amend, cards
from desk.model import Notice
from desk.permissions import Action, NotAllowed, may
from desk.ports import Desk
from desk.recipients import duty_leaders, leaders_of, watch_unit
from desk.silence import TASK
from roster.model import Answer, Officer, Result, RollCall
from roster.roll_call import tally

VERDICTS = (
    Result.verified_present,
    Result.unregistered_cover,
    Result.line_fault,
    Result.excused,
    Result.absent_from_post,
)


async def conclude(desk: Desk, answer_id: str, by: Officer, result: Result, reason: str) -> Answer:
    """A person's verdict on one line of the ledger (核实在岗, 脱岗, 设备故障, 免点 …), with the reason kept.

    Raises NotAllowed, LookupError, and ValueError for what is no verdict or a 脱岗 without its reason."""
    answer = await desk.store.get(Answer, answer_id)
    if answer is None:
        raise LookupError(answer_id)
    if not await may_conclude(desk, by, answer):
        raise NotAllowed(by.id, Action.conclude)
    if result not in VERDICTS or (result is Result.absent_from_post and not reason.strip()):
        raise ValueError(f"{result} is no verdict, or has no reason")
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
    await _settle_tasks(desk, changed, by)
    return changed


async def may_conclude(desk: Desk, by: Officer, answer: Answer) -> bool:
    """Whether this person may judge this line: nobody their own; leaders their unit's; who leads the watch, all."""
    if by.id == answer.officer_id:
        return False
    if may(by, Action.conclude, unit_id=await watch_unit(desk, answer.unit_id)):
        return True
    if not by.active:
        return False
    leading = [*await leaders_of(desk, answer.unit_id), *await duty_leaders(desk)]
    return by.id in [one.id for one in leading]


async def _settle_tasks(desk: Desk, answer: Answer, by: Officer) -> None:
    """The cards that asked for this verdict say what it is, on every leader's phone."""
    who = await desk.store.get(Officer, answer.officer_id)
    facts = {
        "name": who.name if who else "",
        "result": answer.result.value,
        "by": by.name,
        "at": desk.now.isoformat(),
    }
    for card in await cards(desk, f"roll_call:{answer.roll_call_id}", [TASK]):
        if any(choice.ref == answer.id for choice in card.choices):
            amend(desk, card, Notice("verdict_recorded", facts))
