"""The states of an incident: signed for, handed on, closed; each change by a named person at a moment."""

from dataclasses import replace
from datetime import datetime, timedelta

from incidents.kinds import kinds_of
from incidents.model import OPEN_STATES, Category, Incident, Severity, State
from incidents.tables.ladders import HAND_ON_MINUTES


class AlreadySigned(Exception):
    """Somebody has it: the second taker hears who, and since when."""

    def __init__(self, by: str, at: datetime) -> None:
        super().__init__(f"signed by {by} at {at.isoformat()}")
        self.by = by
        self.at = at


class NotOpen(Exception):
    """The incident has ended."""

    def __init__(self, state: State) -> None:
        super().__init__(f"the incident is {state.value}")
        self.state = state


class NotSigned(Exception):
    """Nobody has signed, so nobody can close it."""


class NoOutcome(Exception):
    """The final report (终报) has no words."""


class NoSuchKind(Exception):
    """The class has no kind of this name."""

    def __init__(self, category: Category, kind: str) -> None:
        super().__init__(f"{category.value} has no kind {kind}")
        self.category = category
        self.kind = kind


class CannotMerge(Exception):
    """An incident joins another open one, never itself or one that has ended."""

    def __init__(self, into: str, state: State) -> None:
        super().__init__(f"cannot merge into {into}, which is {state.value}")
        self.into = into
        self.state = state


def sign(incident: Incident, officer_id: str, now: datetime) -> Incident:
    """签收: this officer has it from now on, and nobody is paged any more. Raises AlreadySigned, NotOpen."""
    _must_be_open(incident)
    if incident.signed_by:
        raise AlreadySigned(incident.signed_by, incident.signed_at or now)
    return replace(
        incident,
        state=State.verifying,
        signed_by=officer_id,
        signed_at=now,
        assigned_to="",
        next_step_at=None,
    )


def hand_on(incident: Incident, by: str, to: str, now: datetime, minute: timedelta) -> Incident:
    """转办: it waits for the signature of the one named. Raises NotOpen.

    Unsigned, its ladder climbs on as before. Signed, the ladder starts again unless the new holder signs in
    HAND_ON_MINUTES; it is a walk of its own, so that no step of an earlier walk is taken for done."""
    _must_be_open(incident)
    handed = replace(
        incident,
        state=State.handed_on,
        assigned_to=to,
        signed_by="",
        signed_at=None,
        heard_by=tuple(dict.fromkeys((*incident.heard_by, *(one for one in (by, to) if one)))),
    )
    if not incident.signed_by and incident.next_step_at is not None:
        return handed
    starts_at = now + HAND_ON_MINUTES * minute
    return replace(handed, walk=incident.walk + 1, step=0, walk_started_at=starts_at, next_step_at=starts_at)


def close(incident: Incident, by: str, outcome: str, now: datetime) -> Incident:
    """办结: the outcome is the 终报, without which nothing closes.

    Raises NotOpen, NotSigned, NoOutcome."""
    return _end(incident, State.closed, outcome, now)


def unfounded(incident: Incident, by: str, outcome: str, now: datetime) -> Incident:
    """不属实, as whoever verified it says. Raises NotOpen, NotSigned, NoOutcome."""
    return _end(incident, State.unfounded, outcome, now)


def merge(incident: Incident, by: str, into: Incident, now: datetime) -> Incident:
    """并案: a second report of the same event ends here and goes on there. Raises NotOpen, CannotMerge."""
    _must_be_open(incident)
    if into.id == incident.id or into.state not in OPEN_STATES:
        raise CannotMerge(into.number, into.state)
    return replace(
        incident, state=State.merged, merged_into=into.id, closed_at=now, next_step_at=None, follow_up_by=None
    )


def reopen(incident: Incident, by: str, now: datetime) -> Incident:
    """It was not over: whoever reopens it has it. Raises NotOpen for one that is open or was merged."""
    if incident.state not in (State.closed, State.unfounded):
        raise NotOpen(incident.state)
    return replace(
        incident, state=State.verifying, signed_by=by, signed_at=now, closed_at=None, next_step_at=None
    )


def set_severity(incident: Incident, by: str, severity: Severity, now: datetime) -> Incident:
    """A person sets the level, which no suggestion changes afterwards. Raises NotOpen."""
    _must_be_open(incident)
    return replace(incident, severity=severity, severity_set_by=by)


def set_kind(incident: Incident, category: Category, kind: str) -> Incident:
    """A person says what it is, which no later words change. Raises NotOpen, NoSuchKind."""
    _must_be_open(incident)
    if kind not in kinds_of(category):
        raise NoSuchKind(category, kind)
    return replace(incident, category=category, kind=kind)


def _end(incident: Incident, state: State, outcome: str, now: datetime) -> Incident:
    _must_be_open(incident)
    if not incident.signed_by:
        raise NotSigned(incident.number)
    if not outcome.strip():
        raise NoOutcome(incident.number)
    return replace(
        incident, state=state, outcome=outcome.strip(), closed_at=now, next_step_at=None, follow_up_by=None
    )


def _must_be_open(incident: Incident) -> None:
    if incident.state not in OPEN_STATES:
        raise NotOpen(incident.state)
