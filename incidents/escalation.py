"""The ladder (上报链): who must hear next and when, for as long as nobody signs."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from incidents.model import UNSIGNED_STATES, Incident, Ladder, Step
from incidents.tables.ladders import DEFAULT_LADDER, REPEAT_PACE, REST_MINUTES, SLOW_REST_MINUTES


def ladder_for(incident: Incident, ladders: Iterable[Ladder], unit_name: str = "") -> Ladder:
    """The first ladder whose conditions all match (an empty one matches everything), else the built-in one.

    A ladder without steps would tell nobody, and matches nothing. Units match by id or by `unit_name`."""
    fits = (one for one in ladders if one.steps and _matches(one, incident, unit_name))
    return next(fits, DEFAULT_LADDER)


def due_step(incident: Incident, now: datetime) -> Step | None:
    """The step to take now, or None: not due yet, signed for, or ended."""
    if incident.state not in UNSIGNED_STATES or incident.next_step_at is None:
        return None
    return next_step(incident) if incident.next_step_at <= now else None


def next_step(incident: Incident) -> Step:
    """The step that comes next, due or not."""
    steps = _ladder(incident).steps
    return steps[incident.step % len(steps)]


def first_rung(incident: Incident) -> tuple[str, ...]:
    """Whom the first step means."""
    return _ladder(incident).steps[0].to


def after_step(incident: Incident, now: datetime, minute: timedelta) -> Incident:
    """The incident once its due step is taken: the next step and its moment, never before `now`.

    After the last step the walk begins again at a shorter pace, up to the ladder's `repeat`; then it goes on
    at a slow fixed pace for ever. Once signed or ended, nothing comes next."""
    if incident.state not in UNSIGNED_STATES:
        return replace(incident, next_step_at=None)
    ladder = _ladder(incident)
    number = incident.step + 1
    if number < len(ladder.steps):
        started_at = incident.walk_started_at or now
        offset = ladder.steps[number].after_minutes * _pace(incident.walk) * minute
        return replace(
            incident, step=number, walk_started_at=started_at, next_step_at=max(now, started_at + offset)
        )
    walk = incident.walk + 1
    rest = REST_MINUTES if walk <= ladder.repeat else SLOW_REST_MINUTES
    started_at = now + rest * minute
    offset = ladder.steps[0].after_minutes * _pace(walk) * minute
    return replace(incident, walk=walk, step=0, walk_started_at=started_at, next_step_at=started_at + offset)


def skip_unheld(incident: Incident, now: datetime, minute: timedelta) -> Incident:
    """The incident once a step that means nobody is passed over: the next is due at once.

    Past the last step it waits for the next walk, so an empty roster never spins."""
    after = after_step(incident, now, minute)
    return replace(after, next_step_at=now) if after.step and after.next_step_at is not None else after


def is_repeating(incident: Incident) -> bool:
    """Whether a whole walk found no signature: the board shows it red."""
    return incident.state in UNSIGNED_STATES and incident.walk > 0


def _ladder(incident: Incident) -> Ladder:
    return incident.ladder if incident.ladder is not None and incident.ladder.steps else DEFAULT_LADDER


def _pace(walk: int) -> float:
    return REPEAT_PACE if walk else 1.0


def _matches(ladder: Ladder, incident: Incident, unit_name: str) -> bool:
    return (
        (not ladder.severities or incident.severity in ladder.severities)
        and (not ladder.categories or incident.category in ladder.categories)
        and (not ladder.units or incident.unit_id in ladder.units or unit_name in ladder.units)
    )
