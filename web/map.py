"""一张图: where the open incidents are, and how each township stands, on a schematic map."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from desk.board import Board, IncidentView, WatchLine, see
from incidents.model import Severity
from roster.model import Result
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
        panel = screen.render("parts/map_panel.html", board=board, viewer=viewer)
        return JSONResponse(
            {
                "incidents": [_incident(screen, view) for view in board.incidents if _has_point(view)],
                "units": _units(screen, board),
                "panel": panel,
            }
        )


def _has_point(view: IncidentView) -> bool:
    place = view.incident.place
    return place is not None and place.lat is not None and place.lon is not None


def _incident(screen: Screen, view: IncidentView) -> dict[str, Any]:
    incident, place = view.incident, view.incident.place
    return {
        "number": incident.number,
        "title": incident.title,
        "severity": incident.severity.value,
        "severity_word": screen.words["severity"][incident.severity],
        "rank": screen.words["rank"][incident.severity],
        "lat": place.lat if place else None,
        "lon": place.lon if place else None,
        "holder": view.holder,
        "state": screen.words["state"][incident.state],
        "card": screen.render("parts/map_card.html", view=view),
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
