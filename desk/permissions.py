"""Who may do what: one table for chat, desk and API."""

from enum import StrEnum

from incidents.model import Incident, State
from roster.model import Officer, Role


class Action(StrEnum):
    """What a person may ask the desk to do."""

    report = "report"
    sign = "sign"
    hand_on = "hand_on"
    close = "close"
    correct_level = "correct_level"
    call_roll = "call_roll"
    conclude = "conclude"
    manage_people = "manage_people"
    see_unit = "see_unit"
    see_all = "see_all"


_ROLES: dict[Action, frozenset[Role]] = {
    Action.report: frozenset(Role),
    Action.sign: frozenset({Role.duty, Role.leader, Role.office, Role.admin}),
    Action.hand_on: frozenset({Role.duty, Role.leader, Role.office, Role.admin}),
    Action.close: frozenset({Role.duty, Role.leader, Role.office, Role.admin}),
    Action.correct_level: frozenset({Role.duty, Role.leader, Role.office, Role.admin}),
    Action.call_roll: frozenset({Role.leader, Role.office, Role.admin}),
    Action.conclude: frozenset({Role.leader, Role.office, Role.admin}),
    Action.manage_people: frozenset({Role.office, Role.admin}),
    Action.see_unit: frozenset(Role),
    Action.see_all: frozenset({Role.office, Role.admin}),
}


class NotAllowed(Exception):
    """This person may not do this; carries who and what."""

    def __init__(self, officer_id: str, action: Action) -> None:
        super().__init__(f"{officer_id} may not {action}")
        self.officer_id = officer_id
        self.action = action


def may(officer: Officer, action: Action, incident: Incident | None = None, *, unit_id: str = "") -> bool:
    """Whether this officer may do this, to this incident or in this unit, at this moment of reading."""
    if not officer.active or officer.role not in _ROLES[action]:
        return (
            officer.active
            and incident is not None
            and action in (Action.sign, Action.hand_on, Action.close)
            and (incident.assigned_to == officer.id or officer.id in incident.heard_by)
        )
    if officer.role in (Role.office, Role.admin):
        return True
    if incident is None:
        return not unit_id or unit_id == officer.unit_id
    return (
        incident.unit_id == officer.unit_id
        or officer.id in incident.heard_by
        or incident.assigned_to == officer.id
    )


def may_see(officer: Officer, incident: Incident) -> bool:
    """Whether the incident is this officer's business: own unit, own report, asked to hear it, or the office."""
    return officer.active and (
        may(officer, Action.see_all)
        or incident.unit_id == officer.unit_id
        or incident.reporter_id == officer.id
        or officer.id in incident.heard_by
        or incident.assigned_to == officer.id
    )


def may_reopen(officer: Officer, incident: Incident) -> bool:
    """Whether this officer may say that an ended incident was not over."""
    return incident.state in (State.closed, State.unfounded) and may(officer, Action.close, incident)


def require(officer: Officer, action: Action, incident: Incident | None = None, *, unit_id: str = "") -> None:
    """Raise NotAllowed unless `may`."""
    if not may(officer, action, incident, unit_id=unit_id):
        raise NotAllowed(officer.id, action)
