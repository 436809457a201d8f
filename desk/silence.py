"""Names who stayed silent in a roll call: tasks for their leaders, standby called, the sum to who leads the watch."""

from collections.abc import Mapping

from desk.letters import tell
from desk.model import Choice, Lane, Notice
from desk.ports import Desk
from desk.recipients import duty_leaders, leaders_of, names, resolve
from roster.model import Answer, Officer, RollCall, Unit

TASK = "silent_named"
SUMMARY = "roll_call_summary"
TASKS_MAX = (
    10  # 电话核实 one by one; of more, a leader hears the others' names in one message, whatever their units.
)


async def name_the_silent(desk: Desk, roll_call: RollCall, silent: list[Answer]) -> None:
    """Each unit's leader hears of the unit's silent with a task 电话核实; the unit's standby is called."""
    subject = f"roll_call:{roll_call.id}"
    above = await _above(desk, silent)
    owed: dict[str, list[Answer]] = {}
    for unit_id in sorted({answer.unit_id for answer in silent}):
        mine = [answer for answer in silent if answer.unit_id == unit_id]
        silent_ids = {answer.officer_id for answer in mine}
        leaders = [one for one in await leaders_of(desk, unit_id) if one.id not in silent_ids] or above
        for leader in leaders:
            owed.setdefault(leader.id, []).extend(mine)
        told = [one.name for one in leaders]
        desk.log(TASK, subject, unit=unit_id, silent=[one.officer_id for one in mine], told=told)
        for standby in await resolve(desk, "post:standby", unit_id):
            if standby.id in silent_ids:
                continue
            facts = {"plan": roll_call.plan, "names": await names(desk, sorted(silent_ids))}
            tell(desk, standby.id, Notice("standby_called", facts), subject=subject)
            desk.log("standby_called", subject, officer=standby.id, unit=unit_id)
    for leader_id, answers in owed.items():
        for notice in await tasks(desk, roll_call, answers):  # Behind whatever is urgent for this leader.
            tell(desk, leader_id, notice, subject=subject, lane=Lane.bulk)


async def tasks(
    desk: Desk, roll_call: RollCall, silent: list[Answer], cards_max: int = TASKS_MAX
) -> list[Notice]:
    """One card each up to the limit, one message for all others; `refs` says whose lines each speaks of."""
    people = {one.id: one for one in await desk.store.find(Officer, id_in=[one.officer_id for one in silent])}
    units = {one.id: one.name for one in await desk.store.find(Unit, id_in=[one.unit_id for one in silent])}
    facts = {"plan": roll_call.plan, "called_at": roll_call.called_at.isoformat()}
    notices = []
    for answer in silent[:cards_max]:
        who = people.get(answer.officer_id)
        told = {
            "unit": units.get(answer.unit_id, answer.unit_id),
            "name": who.name if who else answer.officer_id,
            "phone": who.phone if who else "",
            "post": answer.post,
            "refs": [answer.id],
        }
        choices = (Choice("verified", answer.id), Choice("fault", answer.id), Choice("absent", answer.id))
        notices.append(Notice(TASK, {**facts, **told}, choices))
    if rest := silent[cards_max:]:
        by_unit: dict[str, list[str]] = {}
        for answer, name in zip(rest, await names(desk, [one.officer_id for one in rest]), strict=True):
            by_unit.setdefault(units.get(answer.unit_id, answer.unit_id), []).append(name)
        [unit, *others] = by_unit
        listed = "；".join(" ".join((one, *by_unit[one]) if others else by_unit[one]) for one in by_unit)
        refs = [one.id for one in rest]
        told = {"unit": "" if others else unit, "name": listed, "phone": "", "post": "", "refs": refs}
        notices.append(Notice(TASK, {**facts, **told}))
    return notices


async def summarise(desk: Desk, roll_call: RollCall, counts: dict[str, int], silent: list[Answer]) -> None:
    """Whoever leads the watch hears the counts, which sum to 应到, and the names of the silent."""
    notice = await summary(desk, roll_call, counts, silent)
    for leader in await _above(desk, silent):
        tell(desk, leader.id, notice, subject=f"roll_call:{roll_call.id}")


async def summary(desk: Desk, roll_call: RollCall, counts: Mapping[str, int], silent: list[Answer]) -> Notice:
    """The counts and the names of the silent, to tell."""
    facts = {
        "plan": roll_call.plan,
        "called_at": roll_call.called_at.isoformat(),
        "make_up": roll_call.make_up,
        "due": roll_call.due_count,
        "counts": dict(counts),
        "silent": await names(desk, [answer.officer_id for answer in silent]),
    }
    return Notice(SUMMARY, facts)


async def _above(desk: Desk, silent: list[Answer]) -> list[Officer]:
    """Who leads the watch, and when one of them is silent also the office's people."""
    silent_ids = {answer.officer_id for answer in silent}
    leading = await duty_leaders(desk)
    if any(one.id in silent_ids for one in leading):
        leading += await resolve(desk, "role:office", "")
    people = {one.id: one for one in leading}
    return [one for one in people.values() if one.id not in silent_ids] or list(people.values())
