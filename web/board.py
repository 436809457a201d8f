"""The live board, whole and as the part that is fetched again when something happens."""

from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from desk.board import Board, see
from desk.permissions import NotAllowed
from desk.ports import Stale, Store
from desk.retries import retry
from incidents.model import LogLine, Severity
from web.log import ALARMING, LogEntryView, view_lines, visible_lines
from web.roll_calls import read_offers, shows_passcode
from web.screen import Screen, field
from web.sessions import Viewer, acting_officer

LOG_LINES = 8


def make_routes(screen: Screen) -> list[BaseRoute]:
    """The board's addresses; `/board` stays when the demonstration takes `/`."""
    board = BoardPage(screen)
    return [
        Route("/", screen.viewed(board.page)),
        Route("/board", screen.viewed(board.page)),
        Route("/fragments/board", screen.viewed(board.part)),
        Route("/troubles/retry", screen.acted(board.retry), methods=["POST"]),
    ]


class BoardPage:
    """The answers of the board."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def page(self, request: Request, viewer: Viewer) -> Response:
        """The whole page."""
        facts, to_call = await self._facts(viewer), await read_offers(self._screen, viewer)
        return self._screen.page(request, viewer, "board.html", offers=to_call, **facts)

    async def part(self, request: Request, viewer: Viewer) -> Response:
        """Only what changes."""
        return self._screen.fragment("parts/board.html", viewer=viewer, **await self._facts(viewer))

    async def retry(self, request: Request, viewer: Viewer, form: FormData) -> Response:
        """Something the desk gave up is tried again."""
        try:
            async with self._screen.door.open() as desk:
                officer = await acting_officer(desk.store, viewer)
                if officer is None:
                    raise HTTPException(403)
                done = await retry(desk, officer, field(form, "kind", 20), field(form, "id", 300))
        except NotAllowed as error:
            raise HTTPException(403) from error
        except Stale:
            done = False
        return RedirectResponse(f"/board?said={'tried_again' if done else 'not_given_up'}", 303)

    async def _facts(self, viewer: Viewer) -> dict[str, Any]:
        screen = self._screen
        async with screen.door.read() as store:
            board = await see(store, screen.door.policy, screen.now, viewer.officer)
            lines = await _latest(store, viewer, board)
        return {
            "board": board,
            "figures": _figures(board),
            "lines": [LogEntryView(screen.say(line.kind, line.facts), line) for line in lines],
            "severities": list(Severity),
            "passcodes": {
                view.roll_call.id: view.roll_call.passcode if shows_passcode(view) else ""
                for view in board.open_roll_calls
            },
            "alarming": ALARMING,
        }


async def _latest(store: Store, viewer: Viewer, board: Board) -> list[LogLine]:
    """The newest log lines; a unit's viewer sees those of the incidents and roll calls on their board."""
    lines = await store.find(LogLine, order=("-sequence",), limit=LOG_LINES if viewer.everything else 200)
    return (await view_lines(store, await visible_lines(store, viewer, lines)))[:LOG_LINES]


def _figures(board: Board) -> dict[str, int]:
    calls = board.open_roll_calls
    soon = sum(
        1
        for view in board.incidents
        for clock in view.clocks
        if not clock.is_done and not clock.is_overdue and (clock.due_at - board.now).total_seconds() <= 1800
    )
    return {
        "unsigned": sum(
            1 for view in board.incidents if not view.holder or view.incident.state == "handed_on"
        ),
        "overdue": len(board.overdue),
        "soon": soon,
        "open": sum(board.open_counts.values()),
        "due": sum(call.due for call in calls),
        "answered": sum(call.answered for call in calls),
        "gaps": sum(1 for line in board.watch.now if line.is_gap),
        "troubles": board.troubles_count,
    }
