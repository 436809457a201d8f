"""An incident as the figures store it by the thousand."""

from datetime import datetime

from bench.office import UNITS
from desk.ports import ulid
from incidents.model import Category, Incident, Place, Severity, State


def fire(number: int, at: datetime, *, officers: int = 500) -> Incident:
    """One of a unit's fires, received at this moment from one of so many officers."""
    return Incident(
        id=ulid(at),
        number=f"CS-{number}",
        state=State.received,
        received_at=at,
        unit_id=f"unit-{number % UNITS}",
        reporter_id=f"officer-{number % officers}",
        title="联丰路五金厂二楼起火，有浓烟",
        category=Category.accident,
        kind="火灾",
        severity=Severity.general,
        place=Place(22.5, 113.4, "联丰路"),
    )
