"""Puts the desk's screen together: pages, stream, API, health, and the routes the channels bring."""

from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from desk.ports import Door, Media
from web import (
    api,
    attachments,
    board,
    health,
    incident_actions,
    incidents,
    live,
    log,
    map,
    people,
    person,
    roll_calls,
    roster,
    rules,
    sign_in,
)
from web.demo import DemoActions
from web.demo import make_routes as make_demo_routes
from web.guard import Guard
from web.screen import Screen
from web.settings import WebSettings

STATIC = Path(__file__).parent / "static"
TYPES = {".geojson": "application/geo+json"}


def make_app(
    door: Door,
    settings: WebSettings,
    extra_routes: Sequence[BaseRoute] = (),
    demo: DemoActions | None = None,
    *,
    media: Media | None = None,
    queue_alive: health.QueueAlive | None = None,
) -> Starlette:
    """The whole screen; `app.state.close()` ends every open stream when the desk stops."""
    bytes_by_digest = media or attachments.FolderMedia(settings.attachments_path)
    screen = Screen(door, settings, bytes_by_digest, has_demo=demo is not None)
    streams = live.Live(screen)
    routes: list[BaseRoute] = [
        *extra_routes,
        *(
            make_demo_routes(door, demo, streams.closing, screen.sessions.is_open_to)
            if demo is not None
            else ()
        ),
        *health.make_routes(screen, streams, queue_alive),
        *board.make_routes(screen),
        *live.make_routes(screen, streams),
        *map.make_routes(screen),
        *roster.make_routes(screen),
        *roll_calls.make_routes(screen),
        *incidents.make_routes(screen),
        *incident_actions.make_routes(screen),
        *log.make_routes(screen),
        *people.make_routes(screen),
        *person.make_routes(screen),
        *rules.make_routes(screen),
        *attachments.make_routes(screen),
        *sign_in.make_routes(screen),
        *api.make_routes(screen),
        Mount("/static", Static(directory=STATIC)),
    ]

    async def answer_fault(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        response = await screen.fault(request, status)
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        return response

    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, settings=settings, fault=screen.fault)],
        exception_handlers={HTTPException: answer_fault},
    )
    app.router.redirect_slashes = False
    app.state.close = streams.close
    return app


class Static(StaticFiles):
    """Our own files; a browser asks each time whether they changed, so that no old script stays."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file with its type."""
        response = await super().get_response(path, scope)
        suffix = Path(path).suffix
        if suffix in TYPES and response.status_code == 200:
            response.headers["Content-Type"] = TYPES[suffix]
        return response
