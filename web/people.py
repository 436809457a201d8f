"""The officers' page: who the office knows, and whether they can be reached. Read only."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from desk.permissions import Action, may
from desk.ports import Store
from roster.model import Account, Officer, Role, Unit
from web.screen import Screen
from web.sessions import Viewer, acting_officer

PAGE_PEOPLE = 200


def make_routes(screen: Screen) -> list[BaseRoute]:
    """The officers' address."""
    return [Route("/officers", screen.viewed(PeoplePages(screen).officers))]


async def list_officers(
    store: Store,
    viewer: Viewer,
    *,
    unit: str = "",
    role: str = "",
    text: str = "",
    cursor: str = "",
    active: bool = True,
    limit: int,
) -> tuple[list[Officer], str]:
    """Active officers (or those taken out) in order of id, and the next cursor; a unit's viewer gets the unit's."""
    criteria: dict[str, Any] = {"active": active}
    if viewer.unit_id is not None:
        if unit not in ("", viewer.unit_id):
            return [], ""
        unit = viewer.unit_id
    if unit:
        criteria["unit_id"] = unit
    if role in [one.value for one in Role]:
        criteria["role"] = Role(role)
    if text:
        criteria["phone_has" if text.replace("-", "").isdigit() else "name_has"] = text
    if cursor:
        criteria["id_from"] = cursor
    found = await store.find(Officer, order=("id",), limit=limit + 1, **criteria)
    return found[:limit], found[limit].id if len(found) > limit else ""


async def accounts_of(store: Store, officers: list[Officer]) -> dict[str, list[Account]]:
    """The ways to reach each officer, best first."""
    ids = [officer.id for officer in officers]
    found = await store.find(Account, officer_id_in=ids, order=("rank", "id")) if ids else []
    accounts: dict[str, list[Account]] = {officer_id: [] for officer_id in ids}
    for account in found:
        accounts[account.officer_id].append(account)
    return accounts


class PeoplePages:
    """The answers about people."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def officers(self, request: Request, viewer: Viewer) -> Response:
        """Who the office knows, and whether they can be reached."""
        query = request.query_params
        asked = {
            "unit": query.get("unit", "")[:64],
            "role": query.get("role", "")[:20],
            "text": query.get("q", "").strip()[:60],
        }
        is_former = query.get("state", "") == "inactive"
        named = {"q" if name == "text" else name: value for name, value in asked.items() if value}
        if is_former:
            named["state"] = "inactive"
        cursor = query.get("cursor", "")[:64]
        async with self._screen.door.read() as store:
            people, following = await list_officers(
                store, viewer, **asked, cursor=cursor, active=not is_former, limit=PAGE_PEOPLE
            )
            keeper = await acting_officer(store, viewer)
            accounts = await accounts_of(store, people)
            units = await store.find(Unit, order=("id",))
        return self._screen.page(
            request,
            viewer,
            "officers.html",
            people=people,
            accounts=accounts,
            units={unit.id: unit.name for unit in units if viewer.unit_id in (None, unit.id)},
            unit_names={unit.id: unit.name for unit in units},
            roles=list(Role),
            asked=asked,
            is_former=is_former,
            may_manage=keeper is not None and may(keeper, Action.manage_people),
            query=named,
            first=urlencode(named),
            is_later=bool(cursor),
            following=urlencode({**named, "cursor": following}) if following else "",
        )
