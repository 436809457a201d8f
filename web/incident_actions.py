"""What a person does to an incident from its page: sign, hand on, close, set the level, mark it reported."""

from collections.abc import Awaitable, Callable

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from desk import acknowledgements, reports
from desk.permissions import NotAllowed
from desk.ports import Desk, Stale
from incidents.deadlines import DONE_FIELDS
from incidents.lifecycle import AlreadySigned, NoOutcome, NoSuchKind, NotOpen, NotSigned
from incidents.model import Category, Incident, Severity, State
from roster.model import Officer
from web.incident_list import find_incident
from web.screen import Screen, field
from web.sessions import Viewer, acting_officer

Act = Callable[[Desk, Incident, Officer, FormData], Awaitable[str]]
PLACE_MIN, PLACE_MAX = 2, 60
ENDS = (State.closed, State.unfounded)


def make_routes(screen: Screen) -> list[BaseRoute]:
    """One POST address per act."""
    acts: dict[str, Act] = {
        "sign": _sign,
        "hand-on": _hand_on,
        "close": _close,
        "level": _level,
        "kind": _kind,
        "place": _place,
        "told": _told,
    }
    return [
        Route(f"/incidents/{{number}}/{name}", screen.acted(_endpoint(screen, act)), methods=["POST"])
        for name, act in acts.items()
    ]


def _endpoint(screen: Screen, act: Act) -> Callable[[Request, Viewer, FormData], Awaitable[Response]]:
    async def answer(request: Request, viewer: Viewer, form: FormData) -> Response:
        number = request.path_params["number"]
        try:
            async with screen.door.open() as desk:
                incident = await find_incident(desk.store, viewer, number)
                officer = await acting_officer(desk.store, viewer)
                if officer is None:
                    raise HTTPException(403)
                said = await act(desk, incident, officer, form)
        except NotAllowed as error:
            raise HTTPException(403) from error
        except AlreadySigned:
            said = "already_signed"
        except NotOpen:
            said = "not_open"
        except NotSigned:
            said = "sign_first"
        except NoOutcome:
            said = "no_outcome"
        except Stale:
            said = "changed"
        except LookupError:
            said = "nobody"
        return RedirectResponse(f"/incidents/{number}?said={said}", 303)

    return answer


async def _sign(desk: Desk, incident: Incident, officer: Officer, form: FormData) -> str:
    await acknowledgements.sign(desk, incident.id, officer)
    return "signed"


async def _hand_on(desk: Desk, incident: Incident, officer: Officer, form: FormData) -> str:
    to = field(form, "to", 64)
    if not to:
        return "nobody"
    await acknowledgements.hand_on(desk, incident.id, officer, to)
    return "handed_on"


async def _close(desk: Desk, incident: Incident, officer: Officer, form: FormData) -> str:
    outcome, state = field(form, "outcome", 2000), field(form, "state") or State.closed.value
    if state not in [end.value for end in ENDS]:
        raise HTTPException(400)
    if not outcome:
        return "no_outcome"
    await acknowledgements.close(desk, incident.id, officer, outcome, State(state))
    return "closed"


async def _level(desk: Desk, incident: Incident, officer: Officer, form: FormData) -> str:
    severity = field(form, "severity")
    if severity not in [one.value for one in Severity]:
        raise HTTPException(400)
    await reports.correct_level(desk, incident.id, officer, Severity(severity))
    return "level_set"


async def _kind(desk: Desk, incident: Incident, officer: Officer, form: FormData) -> str:
    category, _, kind = field(form, "kind", 80).partition(":")
    if category not in [one.value for one in Category]:
        raise HTTPException(400)
    try:
        await reports.correct_kind(desk, incident.id, officer, Category(category), kind)
    except NoSuchKind as error:
        raise HTTPException(400) from error
    return "kind_set"


async def _place(desk: Desk, incident: Incident, officer: Officer, form: FormData) -> str:
    place = field(form, "place", PLACE_MAX)
    if len(place) < PLACE_MIN:
        return "no_place"
    await reports.correct_place(desk, incident.id, officer, place)
    return "place_corrected"


async def _told(desk: Desk, incident: Incident, officer: Officer, form: FormData) -> str:
    clock = field(form, "clock")
    if clock not in DONE_FIELDS:
        raise HTTPException(400)
    await acknowledgements.mark_told(desk, incident.id, officer, clock)
    return "told"
