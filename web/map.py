"""一张图: where the open incidents are, and how each township stands, on a schematic map."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from desk.board import Board, IncidentView, WatchLine, see
from incidents.model import Severity
from incidents.places import unit_meant
from roster.model import Result, Unit
from web.screen import Screen
from web.sessions import Viewer

SILENT = (Result.no_answer, Result.absent_from_post)


def make_routes(screen: Screen) -> list[BaseRoute]:
    """The map's addresses."""
    page = MapPage(screen)
    return [Route("/map", screen.viewed(page.page)), Route("/fragments/map", screen.viewed(page.data))]


class MapPage:
    """The answers of the map."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def page(self, request: Request, viewer: Viewer) -> Response:
        """The page; its script asks for the data."""
        return self._screen.page(request, viewer, "map.html", severities=list(Severity))

    async def data(self, request: Request, viewer: Viewer) -> Response:
        """Incidents and townships as the map needs them."""
        screen = self._screen
        async with screen.door.read() as store:
            board = await see(store, screen.door.policy, screen.now, viewer.officer)
        marks = mark_places(board)
        panel = screen.render("parts/map_panel.html", board=board, marks=marks, viewer=viewer)
        return JSONResponse(
            {
                "incidents": [
                    _incident(screen, view, marks[view.incident.id])
                    for view in board.incidents
                    if view.incident.id in marks
                ],
                "units": _units(screen, board),
                "panel": panel,
            }
        )


@dataclass(frozen=True)
class MapMark:
    """Where an incident is drawn; `near` names the unit whose centre it is while only words are known."""

    lat: float
    lon: float
    near: str = ""
    nth: int = 0  # Of those at the same centre: they stand beside each other.


def mark_places(board: Board) -> dict[str, MapMark]:
    """The mark of each incident by its id; one without a point, whose unit has none either, has no mark."""
    marks: dict[str, MapMark] = {}
    at_centre: Counter[str] = Counter()
    for view in board.incidents:
        place = view.incident.place
        if place is not None and place.lat is not None and place.lon is not None:
            marks[view.incident.id] = MapMark(place.lat, place.lon)
        elif (unit := _centre(board, view)) is not None and unit.lat is not None and unit.lon is not None:
            marks[view.incident.id] = MapMark(unit.lat, unit.lon, unit.name, at_centre[unit.id])
            at_centre[unit.id] += 1
    return marks


def _centre(board: Board, view: IncidentView) -> Unit | None:
    """The unit that the words name, if it has a point, else the incident's own, else the one above it."""
    located = {unit.name: unit for unit in board.units.values() if unit.lat is not None}
    own = board.units.get(view.incident.unit_id)
    named = unit_meant(view.incident.place.text, located) if view.incident.place else ""
    above = board.units.get(own.parent_id or "") if own else None
    return next(
        (one for one in (located.get(named), own, above) if one is not None and one.lat is not None), None
    )


def _incident(screen: Screen, view: IncidentView, mark: MapMark) -> dict[str, Any]:
    incident = view.incident
    return {
        "number": incident.number,
        "title": incident.title,
        "severity": incident.severity.value,
        "severity_word": screen.words["severity"][incident.severity],
        "rank": screen.words["rank"][incident.severity],
        "lat": mark.lat,
        "lon": mark.lon,
        "near": mark.near,
        "nth": mark.nth,
        "holder": view.holder,
        "state": screen.words["state"][incident.state],
        "card": screen.render("parts/map_card.html", view=view, near=mark.near),
    }


def _units(screen: Screen, board: Board) -> list[dict[str, Any]]:
    """How each unit stands: alarm while an incident there waits, silent when a post is silent or empty."""
    by_unit: dict[str, list[WatchLine]] = {}
    for line in board.watch.now:
        by_unit.setdefault(line.unit_id, []).append(line)
    waiting = {view.incident.unit_id for view in board.incidents if not view.holder}
    units = []
    for unit in board.units.values():
        lines = by_unit.get(unit.id, [])
        if not lines and unit.id not in waiting:
            continue
        is_silent = any(line.is_gap or line.result in SILENT for line in lines)
        state = "alarm" if unit.id in waiting else "silent" if is_silent else "on_watch"
        card = screen.render("parts/map_unit.html", unit=unit, lines=lines, state=state)
        units.append({"name": unit.name, "lat": unit.lat, "lon": unit.lon, "state": state, "card": card})
    return units
