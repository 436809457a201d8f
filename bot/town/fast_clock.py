"""快钟: what is under way goes on at the new pace, so that the switch may be turned at any moment."""

from datetime import datetime

from desk.ports import Desk
from incidents.model import UNSIGNED_STATES, Incident
from roster.model import RollCall, RollCallState


async def retime(desk: Desk, times_faster: float) -> None:
    """Bring what open roll calls and climbing ladders wait for nearer, or put it off, by a factor."""

    def sooner(moment: datetime) -> datetime:
        return desk.now + (moment - desk.now) / times_faster if moment > desk.now else moment

    for call in await desk.store.find(RollCall, state=RollCallState.open):
        changed = await desk.store.change(
            call,
            on_time_until=sooner(call.on_time_until),
            closes_at=sooner(call.closes_at),
            reminders=tuple(sooner(moment) for moment in call.reminders),
        )
        key = f"roll_call:{call.id}"
        # The jobs of before find nothing to do, or look again at the true moment.
        for moment in changed.reminders[changed.reminded :][:1]:
            desk.due("roll_call_remind", call.id, moment, key=key)
        desk.due("roll_call_close", call.id, changed.closes_at, key=key)
    for incident in await desk.store.find(Incident, state_in=list(UNSIGNED_STATES)):
        if incident.next_step_at is None:
            continue
        name = f"step/{incident.id}/{incident.walk}/{incident.step}"
        started_at = incident.walk_started_at or desk.now
        walked = desk.now + (started_at - desk.now) / times_faster
        next_step_at = sooner(incident.next_step_at)
        await desk.store.change(incident, walk_started_at=walked, next_step_at=next_step_at)
        await desk.queue.cancel(desk.store, [name])
        desk.due("step", incident.id, next_step_at, key=f"incident:{incident.id}", name=name)
