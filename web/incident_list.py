"""Finds incidents for the list page and the API: filters taken literally, pages by cursor."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.exceptions import HTTPException

from desk.board import IncidentView, view_incident
from desk.permissions import may_see
from desk.ports import Store
from incidents.model import OPEN_STATES, Incident, Severity, State
from roster.model import Officer, Unit
from web.sessions import Viewer

_NUMBER = re.compile(r"[A-Za-z]{1,8}-?[\d-]*|\d{4,8}(-\d*)?")
TEXT_MAX = 100


@dataclass(frozen=True)
class Filters:
    """What the reader asked for; empty fields ask for everything."""

    state: str = ""  # A state, or "open" for all that are not closed.
    severity: str = ""
    unit: str = ""
    text: str = ""
    cursor: str = ""

    @property
    def query(self) -> dict[str, str]:
        """The same as query parameters, without the cursor."""
        named = {"state": self.state, "severity": self.severity, "unit": self.unit, "q": self.text}
        return {name: value for name, value in named.items() if value}


def read_filters(query: Mapping[str, str]) -> Filters:
    """The filters of a query string. Raises HTTPException 400 on a value that means nothing."""
    filters = Filters(
        state=query.get("state", ""),
        severity=query.get("severity", ""),
        unit=query.get("unit", "")[:64],
        text=query.get("q", "").strip()[:TEXT_MAX],
        cursor=query.get("cursor", "")[:64],
    )
    if filters.state not in ("", "open", *(state.value for state in State)):
        raise HTTPException(400)
    if filters.severity not in ("", *(severity.value for severity in Severity)):
        raise HTTPException(400)
    return filters


async def list_incidents(
    store: Store, viewer: Viewer, filters: Filters, limit: int
) -> tuple[list[Incident], str]:
    """Incidents newest first, and the cursor of the next page; a unit's viewer gets the unit's."""
    criteria: dict[str, Any] = {}
    if filters.state:
        criteria["state_in"] = list(OPEN_STATES) if filters.state == "open" else [State(filters.state)]
    if filters.severity:
        criteria["severity"] = Severity(filters.severity)
    if filters.unit:
        criteria["unit_id"] = filters.unit
    if viewer.unit_id is not None:
        if filters.unit not in ("", viewer.unit_id):
            return [], ""
        criteria["unit_id"] = viewer.unit_id
    if filters.text:
        criteria["number_has" if _NUMBER.fullmatch(filters.text) else "title_has"] = filters.text
    if filters.cursor:
        criteria["id_to"] = filters.cursor
    found = await store.find(Incident, order=("-id",), limit=limit + 1, **criteria)
    return found[:limit], found[limit].id if len(found) > limit else ""


async def find_incident(store: Store, viewer: Viewer, number: str) -> Incident:
    """The incident of this number. Raises HTTPException 404, the same for unknown and for another's."""
    found = await store.find(Incident, number=number[:64], limit=1)
    if not found or not sees(viewer, found[0]):
        raise HTTPException(404)
    return found[0]


def sees(viewer: Viewer, incident: Incident) -> bool:
    """Whether the incident is the viewer's to see."""
    return viewer.everything or viewer.officer is None or may_see(viewer.officer, incident)


async def view_incidents(store: Store, incidents: list[Incident], now: datetime) -> list[IncidentView]:
    """Incidents with the names a reader needs, in two queries."""
    ids = sorted({
        one
        for incident in incidents
        for one in (incident.reporter_id, incident.signed_by, incident.assigned_to, *incident.heard_by)
        if one
    })  # fmt: skip
    people = {one.id: one for one in await store.find(Officer, id_in=ids)} if ids else {}
    units = {unit.id: unit for unit in await store.find(Unit)}
    return [view_incident(incident, people, units, now) for incident in incidents]
