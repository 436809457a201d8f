"""The incidents' pages: the list, and one incident with its timeline, photos, clocks and ladder."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from desk.permissions import Action, may
from desk.ports import Store
from incidents.casualties import is_nobody
from incidents.deadlines import DONE_FIELDS, clocks
from incidents.kinds import kinds_of
from incidents.model import OPEN_STATES, UNSIGNED_STATES, Category, Incident, Severity, State
from roster.model import Officer, Role, Unit
from web.incident_list import find_incident, list_incidents, read_filters, view_incidents
from web.screen import Screen
from web.sessions import Viewer, acting_officer
from web.timeline import ladder_rungs, read_entries, read_lines

PAGE_INCIDENTS = 50
PEOPLE_MAX = 300
PEOPLE_HARMED = ("deaths", "missing", "trapped", "serious_injuries", "injuries")


def make_routes(screen: Screen) -> list[BaseRoute]:
    """The incidents' addresses; what is done to one is in `incident_actions`."""
    pages = IncidentPages(screen)
    return [
        Route("/incidents", screen.viewed(pages.many)),
        Route("/incidents/{number}", screen.viewed(pages.one)),
        Route("/fragments/incident-list", screen.viewed(pages.many_part)),
        Route("/fragments/incidents/{number}", screen.viewed(pages.part)),
    ]


class IncidentPages:
    """The answers about incidents."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def many(self, request: Request, viewer: Viewer) -> Response:
        """A page of incidents, filtered."""
        facts = await self._list_facts(request, viewer)
        return self._screen.page(request, viewer, "incidents.html", **facts)

    async def many_part(self, request: Request, viewer: Viewer) -> Response:
        """The list alone, fetched again when something happens."""
        facts = await self._list_facts(request, viewer)
        return self._screen.fragment("parts/incident_list.html", viewer=viewer, now=self._screen.now, **facts)

    async def one(self, request: Request, viewer: Viewer) -> Response:
        """One incident."""
        facts = await self._facts(viewer, request.path_params["number"])
        return self._screen.page(request, viewer, "incident.html", **facts)

    async def part(self, request: Request, viewer: Viewer) -> Response:
        """What changes on one incident's page; the browser keeps half-written words."""
        facts = await self._facts(viewer, request.path_params["number"])
        return self._screen.fragment("parts/incident.html", viewer=viewer, now=self._screen.now, **facts)

    async def _list_facts(self, request: Request, viewer: Viewer) -> dict[str, Any]:
        filters = read_filters(request.query_params)
        async with self._screen.door.read() as store:
            found, following = await list_incidents(store, viewer, filters, PAGE_INCIDENTS)
            views = await view_incidents(store, found, self._screen.now)
            units = await store.find(Unit, order=("id",))
        return {
            "views": views,
            "filters": filters,
            "query": request.url.query,
            "first": urlencode(filters.query),
            "is_later": bool(filters.cursor),
            "after": urlencode({**filters.query, "cursor": following}) if following else "",
            "units": [unit for unit in units if viewer.unit_id in (None, unit.id)],
            "severities": list(Severity),
            "states": list(State),
        }

    async def _facts(self, viewer: Viewer, number: str) -> dict[str, Any]:
        screen = self._screen
        async with screen.door.read() as store:
            incident = await find_incident(store, viewer, number)
            [view] = await view_incidents(store, [incident], screen.now)
            lines = await read_lines(store, incident)
            entries = await read_entries(store, screen, incident, lines)
            officer = await acting_officer(store, viewer)
            is_open = incident.state in OPEN_STATES
            people = await _successors(store, incident) if is_open else []
            named = await _named(store, incident)
        may_act = {
            action.value: officer is not None and is_open and may(officer, action, incident)
            for action in (Action.sign, Action.hand_on, Action.close, Action.correct_level)
        }
        may_act["sign"] = may_act["sign"] and incident.state in UNSIGNED_STATES
        return {
            "view": view,
            "incident": incident,
            "entries": entries,
            "rungs": ladder_rungs(screen, incident, lines),
            "readings": clocks(incident, screen.now),
            "owed_clocks": [name for name, done in DONE_FIELDS.items() if getattr(incident, done) is None],
            "casualties": _casualties(incident),
            "is_nobody": is_nobody(incident.casualties),
            "may_act": may_act,
            "people": people,
            "severities": list(Severity),
            "kinds": [(category, kinds_of(category)) for category in Category if kinds_of(category)],
            "is_stopped": incident.state in UNSIGNED_STATES and incident.next_step_at is None,
            **named,
        }


def _casualties(incident: Incident) -> dict[str, int | float | None]:
    """What is known of harm, as the card says it; None is 不详, which is not zero."""
    known = incident.casualties
    if known is None:
        return {}
    return {name: getattr(known, name) for name in (*PEOPLE_HARMED, "loss_yuan")}


async def _named(store: Store, incident: Incident) -> dict[str, str]:
    """Further names a reader needs: the reporter's phone, who set the level, what it was merged into."""
    reporter = await store.get(Officer, incident.reporter_id)
    setter = await store.get(Officer, incident.severity_set_by)
    target = await store.get(Incident, incident.merged_into) if incident.merged_into else None
    return {
        "reporter_phone": reporter.phone if reporter else "",
        "set_by": setter.name if setter else incident.severity_set_by,
        "merged_number": target.number if target else "",
    }


async def _successors(store: Store, incident: Incident) -> list[tuple[str, list[Officer]]]:
    """Whom the incident may be handed to, by unit: the unit's own duty people first, then the office."""
    own: Sequence[Officer] = await store.find(
        Officer,
        unit_id=incident.unit_id,
        role_not=Role.officer,
        active=True,
        order=("name",),
        limit=PEOPLE_MAX,
    )
    city = await store.find(
        Officer,
        role_in=[Role.office, Role.admin, Role.leader],
        active=True,
        order=("name",),
        limit=PEOPLE_MAX,
    )
    office = {one.unit_id for one in city if one.role is not Role.leader}
    units = {unit.id: unit.name for unit in await store.find(Unit)}
    groups: dict[str, dict[str, Officer]] = {}
    for one in (*own, *(one for one in city if one.unit_id in office)):
        groups.setdefault(units.get(one.unit_id, one.unit_id), {})[one.id] = one
    return [(unit, list(group.values())) for unit, group in groups.items()]
