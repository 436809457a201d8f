"""Names who stayed silent in a roll call: tasks for their leaders, standby called, the sum to who leads the watch."""

from desk.letters import tell
from desk.model import Choice, Notice
from desk.ports import Desk
from desk.recipients import duty_leaders, leaders_of, names, resolve
from roster.model import Answer, Officer, RollCall, Unit

TASK = "silent_named"
TASKS_MAX = 10  # 电话核实 one by one; of more, a leader hears the others' names in one message.


async def name_the_silent(desk: Desk, roll_call: RollCall, silent: list[Answer]) -> None:
    """Each unit's leader hears of the unit's silent with a task 电话核实; the unit's standby is called."""
    subject = f"roll_call:{roll_call.id}"
    above = await _above(desk, silent)
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
    people = {one.id: one for one in await desk.store.find(Officer, id_in=[one.officer_id for one in mine])}
    facts = {
        "plan": roll_call.plan,
        "called_at": roll_call.called_at.isoformat(),
        "unit": unit.name if unit else unit_id,
    }
    notices = []
    for answer in mine[:TASKS_MAX]:
        who = people.get(answer.officer_id)
        told = {
            "name": who.name if who else answer.officer_id,
            "phone": who.phone if who else "",
            "post": answer.post,
        }
        choices = (Choice("verified", answer.id), Choice("fault", answer.id), Choice("absent", answer.id))
        notices.append(Notice(TASK, {**facts, **told}, choices))
    if rest := await names(desk, [answer.officer_id for answer in mine[TASKS_MAX:]]):
        notices.append(Notice(TASK, {**facts, "name": " ".join(rest), "phone": "", "post": ""}))
    for leader in leaders:
        for notice in notices:
            tell(desk, leader.id, notice, subject=subject)
    silent_ids = [one.officer_id for one in mine]
    desk.log(TASK, subject, unit=unit_id, silent=silent_ids, told=[one.name for one in leaders])


async def summarise(desk: Desk, roll_call: RollCall, counts: dict[str, int], silent: list[Answer]) -> None:
    """Whoever leads the watch hears the counts, which sum to 应到, and the names of the silent."""
    silent_names = await names(desk, [answer.officer_id for answer in silent])
    facts = {
        "plan": roll_call.plan,
        "called_at": roll_call.called_at.isoformat(),
        "make_up": roll_call.make_up,
        "due": roll_call.due_count,
        "counts": counts,
        "silent": silent_names,
    }
    for leader in await _above(desk, silent):
        tell(desk, leader.id, Notice("roll_call_summary", facts), subject=f"roll_call:{roll_call.id}")


async def _above(desk: Desk, silent: list[Answer]) -> list[Officer]:
    """Who leads the watch, and when one of them is silent also the office's people."""
    silent_ids = {answer.officer_id for answer in silent}
    leading = await duty_leaders(desk)
    if any(one.id in silent_ids for one in leading):
        leading += await resolve(desk, "role:office", "")
    people = {one.id: one for one in leading}
    return [one for one in people.values() if one.id not in silent_ids] or list(people.values())
