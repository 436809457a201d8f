"""The JSON door for other systems: read only, cursor pages, the same rights as the pages."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from desk.board import on_duty, see
from incidents.model import Attachment, LogLine, Report
from roster.model import Officer, Unit
from web.incident_list import find_incident, list_incidents, read_filters, view_incidents
from web.log import sequence_before, visible_lines
from web.openapi import document
from web.people import accounts_of, list_officers
from web.roll_calls import list_roll_calls, read_roll_call
from web.screen import Screen
from web.sessions import Viewer, digest
from web.views import (
    attachment_json,
    feature_json,
    incident_json,
    log_json,
    officer_json,
    report_json,
    roll_call_json,
    status_json,
    watch_json,
)

LIMIT, LIMIT_MAX = 50, 500
ROOT = "/api/v1"
GEO = "application/geo+json"

ApiEndpoint = Callable[[Request, Viewer], Awaitable[Response]]


def make_routes(screen: Screen) -> list[BaseRoute]:
    """Every route of the API; a test holds them against the OpenAPI document."""
    api = Api(screen)
    paths: dict[str, ApiEndpoint] = {
        "/incidents": api.incidents,
        "/incidents.geojson": api.geojson,
        "/incidents/{number}": api.incident,
        "/roll-calls": api.roll_calls,
        "/roll-calls/{id}": api.roll_call,
        "/on-duty": api.on_duty,
        "/officers": api.officers,
        "/log": api.log,
        "/status": api.status,
    }
    routes: list[BaseRoute] = [Route(f"{ROOT}/openapi.json", api.openapi, methods=["GET"])]
    return routes + [
        Route(f"{ROOT}{path}", api.guarded(answer), methods=["GET"]) for path, answer in paths.items()
    ]


class Api:
    """The answers of the API."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def guarded(self, endpoint: ApiEndpoint) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint for a bearer token, a signed-in browser, or the open demonstration."""

        async def answer(request: Request) -> Response:
            viewer = self._bearer(request) or await self._screen.sessions.viewer(request)
            if viewer is None:
                raise HTTPException(401)
            return await endpoint(request, viewer)

        return answer

    async def openapi(self, request: Request) -> Response:
        """The description of all this."""
        return JSONResponse(document(self._screen.settings.public_url))

    async def incidents(self, request: Request, viewer: Viewer) -> Response:
        """A page of incidents."""
        async with self._screen.door.read() as store:
            found, following = await list_incidents(
                store, viewer, read_filters(request.query_params), _limit(request)
            )
            views = await view_incidents(store, found, self._screen.now)
        return _page([incident_json(view) for view in views], following)

    async def geojson(self, request: Request, viewer: Viewer) -> Response:
        """A page of incidents as features."""
        async with self._screen.door.read() as store:
            found, following = await list_incidents(
                store, viewer, read_filters(request.query_params), _limit(request)
            )
            views = await view_incidents(store, found, self._screen.now)
        content = {"type": "FeatureCollection", "features": [feature_json(view) for view in views]}
        return JSONResponse({**content, "next": following or None}, media_type=GEO)

    async def incident(self, request: Request, viewer: Viewer) -> Response:
        """One incident with its reports and attachments."""
        async with self._screen.door.read() as store:
            incident = await find_incident(store, viewer, request.path_params["number"])
            [view] = await view_incidents(store, [incident], self._screen.now)
            reports = await store.find(Report, incident_id=incident.id, order=("sequence",), limit=LIMIT_MAX)
            rows = await store.find(Attachment, incident_id=incident.id, limit=LIMIT_MAX)
            ids = sorted({report.reporter_id for report in reports if report.reporter_id})
            people = {one.id: one.name for one in await store.find(Officer, id_in=ids)} if ids else {}
        return JSONResponse(
            {
                **incident_json(view),
                "reports": [report_json(one, people.get(one.reporter_id, "")) for one in reports],
                "attachments": [attachment_json(row) for row in rows],
            }
        )

    async def roll_calls(self, request: Request, viewer: Viewer) -> Response:
        """A page of roll calls."""
        async with self._screen.door.read() as store:
            views, following = await list_roll_calls(store, viewer, _cursor(request), _limit(request))
        return _page([roll_call_json(view, with_answers=False) for view in views], following)

    async def roll_call(self, request: Request, viewer: Viewer) -> Response:
        """One roll call with every line of its ledger."""
        async with self._screen.door.read() as store:
            view, _ = await read_roll_call(store, viewer, request.path_params["id"])
        return JSONResponse(roll_call_json(view, with_answers=True))

    async def on_duty(self, request: Request, viewer: Viewer) -> Response:
        """Who is on watch now and next."""
        screen = self._screen
        async with screen.door.read() as store:
            watch = await on_duty(store, screen.door.policy, screen.now, viewer.officer)
        lines = {"now": watch.now, "next": watch.next}
        return JSONResponse({when: [watch_json(line) for line in found] for when, found in lines.items()})

    async def officers(self, request: Request, viewer: Viewer) -> Response:
        """A page of people."""
        query = request.query_params
        async with self._screen.door.read() as store:
            people, following = await list_officers(
                store,
                viewer,
                unit=query.get("unit", "")[:64],
                role=query.get("role", "")[:20],
                text=query.get("q", "").strip()[:60],
                cursor=_cursor(request),
                limit=_limit(request),
            )
            accounts = await accounts_of(store, people)
            units = {unit.id: unit.name for unit in await store.find(Unit)}
        return _page(
            [officer_json(one, units.get(one.unit_id, ""), accounts[one.id]) for one in people], following
        )

    async def log(self, request: Request, viewer: Viewer) -> Response:
        """A page of the duty log, newest first."""
        limit = _limit(request)
        criteria = sequence_before(_cursor(request))
        async with self._screen.door.read() as store:
            lines = await store.find(LogLine, order=("-sequence",), limit=limit + 1, **criteria)
            seen = await visible_lines(store, viewer, lines[:limit])
        following = str(lines[limit - 1].sequence) if len(lines) > limit else ""
        return _page([log_json(line) for line in seen], following)

    async def status(self, request: Request, viewer: Viewer) -> Response:
        """The board in short."""
        screen = self._screen
        async with screen.door.read() as store:
            board = await see(store, screen.door.policy, screen.now, viewer.officer)
        return JSONResponse(status_json(board))

    def _bearer(self, request: Request) -> Viewer | None:
        """The trusted desk, when the token is one of ours. Raises HTTPException 401 on any other token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            return None
        given = digest(token.strip())
        known = [hmac.compare_digest(given, one.lower()) for one in self._screen.settings.api_tokens]
        if scheme.lower() != "bearer" or not any(known):
            raise HTTPException(401)
        return Viewer(None, True)


def _page(items: list[dict[str, Any]], following: str) -> Response:
    return JSONResponse({"items": items, "next": following or None})


def _cursor(request: Request) -> str:
    return request.query_params.get("cursor", "")[:64]


def _limit(request: Request) -> int:
    """How many items; raises HTTPException 400 on nonsense."""
    text = request.query_params.get("limit", str(LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) > 0):
        raise HTTPException(400)
    return min(int(text), LIMIT_MAX)
