"""One person's page for the office: what they hold, and taking them out, letting them back, ending their links."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from desk import departures
from desk.departures import Refused, held_by
from desk.model import Session
from desk.permissions import Action, NotAllowed, may
from desk.ports import Desk, Stale
from roster.model import Officer, Unit
from web.people import accounts_of
from web.screen import Screen, field
from web.sessions import Viewer, acting_officer

Act = Callable[[Desk, str, Officer], Awaitable[str]]


def make_routes(screen: Screen) -> list[BaseRoute]:
    """The page, and one POST address per act."""
    acts: dict[str, Act] = {"deactivate": _deactivate, "reactivate": _reactivate, "revoke-links": _revoke}
    return [
        Route("/officers/{id}", screen.viewed(_page(screen))),
        *(
            Route(f"/officers/{{id}}/{name}", screen.acted(_endpoint(screen, act)), methods=["POST"])
            for name, act in acts.items()
        ),
    ]


def _page(screen: Screen) -> Callable[[Request, Viewer], Awaitable[Response]]:
    async def answer(request: Request, viewer: Viewer) -> Response:
        async with screen.door.read() as store:
            keeper = await acting_officer(store, viewer)
            person = await store.get(Officer, request.path_params["id"])
            if keeper is None or not may(keeper, Action.manage_people) or person is None:
                raise HTTPException(404)
            unit = await store.get(Unit, person.unit_id)
            links = await store.find(Session, officer_id=person.id, kind_in=[departures.CHAT], ended=False)
            facts: dict[str, Any] = {
                "person": person,
                "unit": unit.name if unit else person.unit_id,
                "ways": (await accounts_of(store, [person]))[person.id],
                "links": sum(link.ends_at > screen.now for link in links),
                "held": await held_by(store, person.id, screen.now),
                "is_self": keeper.id == person.id,
            }
        return screen.page(request, viewer, "officer.html", **facts)

    return answer


def _endpoint(screen: Screen, act: Act) -> Callable[[Request, Viewer, FormData], Awaitable[Response]]:
    async def answer(request: Request, viewer: Viewer, form: FormData) -> Response:
        officer_id = request.path_params["id"]
        try:
            async with screen.door.open() as desk:
                keeper = await acting_officer(desk.store, viewer)
                if keeper is None:
                    raise HTTPException(403)
                is_sure = field(form, "confirm") == "yes"
                said = await act(desk, officer_id, keeper) if is_sure else "confirm_first"
        except NotAllowed as error:
            raise HTTPException(403) from error
        except Refused as refusal:
            if refusal.why == "nobody":
                raise HTTPException(404) from refusal
            said = f"not_out_{refusal.why}"
        except Stale:
            said = "changed"
        return RedirectResponse(f"/officers/{officer_id}?said={said}", 303)

    return answer


async def _deactivate(desk: Desk, officer_id: str, keeper: Officer) -> str:
    await departures.deactivate(desk, officer_id, keeper)
    return "deactivated"


async def _reactivate(desk: Desk, officer_id: str, keeper: Officer) -> str:
    await departures.reactivate(desk, officer_id, keeper)
    return "reactivated"


async def _revoke(desk: Desk, officer_id: str, keeper: Officer) -> str:
    return "links_ended" if await departures.revoke_links(desk, officer_id, keeper) else "no_links"
