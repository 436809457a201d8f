"""Puts the moments at which an incident's reporting clocks speak: at half time and at the end."""

from desk.ports import Desk
from incidents import deadlines
from incidents.model import OPEN_STATES, Incident
from incidents.tables.limits import WARN_AT

FIRST_WORD_AFTER_MINUTES = (
    1.0  # A clock over before anybody heard speaks after the first page, not before it.
)


def schedule_clocks(desk: Desk, incident: Incident) -> None:
    """Put the clocks' coming moments; one put before is left as it is."""
    for reading in deadlines.clocks(incident, desk.now):
        half = reading.started_at + (reading.due_at - reading.started_at) * WARN_AT
        for at in (half, reading.due_at):
            if at > desk.now and reading.state != "done":
                name = f"clock/{incident.id}/{at.isoformat()}"
                desk.due("clock", incident.id, at, key=f"incident:{incident.id}", name=name)


async def schedule_all(desk: Desk) -> None:
    """Put every open incident's coming moments: those that a clock set ahead used up are coming once more."""
    for incident in await desk.store.find(Incident, state_in=list(OPEN_STATES)):
        schedule_clocks(desk, incident)


def start_clocks(desk: Desk, incident: Incident) -> None:
    """The clocks are new or were set anew: put their moments, and let those that are past speak soon."""
    schedule_clocks(desk, incident)
    if any(reading.state in ("warn", "overdue") for reading in deadlines.clocks(incident, desk.now)):
        at = desk.now + desk.minutes(FIRST_WORD_AFTER_MINUTES)
        name = f"clock/{incident.id}/{at.isoformat()}/soon"
        desk.due("clock", incident.id, at, key=f"incident:{incident.id}", name=name)
