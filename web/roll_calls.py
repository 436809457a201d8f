"""点名: the list, one call's ledger with its sum, calling the roll now, and a person's conclusions."""

import re
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from desk import roll_calls
from desk.board_roll_calls import view_counted, view_roll_call
from desk.board_views import RollCallView
from desk.calling import Offer, Running, offers, own_share, running, running_in_turn
from desk.permissions import Action, NotAllowed, may
from desk.ports import Stale, Store
from roster.model import Answer, Officer, Proof, Result, RollCall, RollCallState, Unit
from web.screen import Screen, field
from web.sessions import Viewer, acting_officer

PAGE_CALLS = 30
ANSWERS_MAX = 5000
CONCLUSIONS = (
    Result.verified_present,
    Result.unregistered_cover,
    Result.line_fault,
    Result.excused,
    Result.absent_from_post,
)
ATTENTION = {Result.no_answer: 0, Result.absent_from_post: 1, Result.waiting: 2, Result.late: 3}
_NONCE = re.compile(r"[\w-]{8,64}")


def make_routes(screen: Screen) -> list[BaseRoute]:
    """The roll calls' addresses."""
    page = RollCallPages(screen)
    return [
        Route("/roll-calls", screen.viewed(page.many), methods=["GET"]),
        Route("/fragments/roll-call-list", screen.viewed(page.many_part), methods=["GET"]),
        Route("/roll-calls/start", screen.acted(page.start), methods=["POST"]),
        Route("/roll-calls/{id}", screen.viewed(page.one), methods=["GET"]),
        Route("/fragments/roll-calls/{id}", screen.viewed(page.part), methods=["GET"]),
        Route("/roll-calls/{id}/conclude", screen.acted(page.conclude), methods=["POST"]),
    ]


async def list_roll_calls(
    store: Store, viewer: Viewer, cursor: str, limit: int
) -> tuple[list[RollCallView], str]:
    """Roll calls newest first with their counts, and the cursor of the next page ("" at the end)."""
    criteria: dict[str, Any] = {"id_to": cursor} if cursor else {}
    calls = await store.find(RollCall, order=("-id",), limit=limit + 1, **criteria)
    following = calls[limit].id if len(calls) > limit else ""
    calls = calls[:limit]
    own = viewer.unit_id
    wanted: dict[str, Any] = {
        "roll_call_id_in": [one.id for one in calls if own is not None or one.state is RollCallState.open]
    }
    if own is not None:
        wanted["unit_id"] = own
    answers = await store.find(Answer, **wanted) if wanted["roll_call_id_in"] else []
    views = [
        view_counted(call)
        if own is None and call.state is not RollCallState.open
        else view_roll_call(call, [one for one in answers if one.roll_call_id == call.id], {}, {})
        for call in calls
    ]
    return [view for view in views if viewer.unit_id is None or view.due], following


async def read_roll_call(
    store: Store, viewer: Viewer, roll_call_id: str
) -> tuple[RollCallView, list[Answer]]:
    """One roll call as the viewer may see it. Raises HTTPException 404."""
    call = await store.get(RollCall, roll_call_id)
    criteria: dict[str, Any] = {"unit_id": viewer.unit_id} if viewer.unit_id is not None else {}
    answers = (
        await store.find(Answer, roll_call_id=roll_call_id, limit=ANSWERS_MAX, **criteria) if call else []
    )
    if call is None or (viewer.unit_id is not None and not answers):
        raise HTTPException(404)
    ids = sorted({one for answer in answers for one in (answer.officer_id, answer.concluded_by) if one})
    people = {one.id: one for one in await store.find(Officer, id_in=ids)} if ids else {}
    units = {unit.id: unit for unit in await store.find(Unit)}
    return view_roll_call(call, answers, people, units), answers


async def read_offers(screen: Screen, viewer: Viewer) -> list[Offer]:
    """What the viewer may call now, each with its number; only for a whole page, not for each of its news."""
    async with screen.door.read() as store:
        officer = await acting_officer(store, viewer)
        return await offers(store, screen.door.policy, officer, screen.now) if officer else []


class RollCallPages:
    """The answers about roll calls."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def many(self, request: Request, viewer: Viewer) -> Response:
        """The newest roll calls."""
        facts = await self._list_facts(request, viewer)
        to_call = await read_offers(self._screen, viewer)
        asked = request.query_params.get("again", "")
        facts["again"] = next((one for one in to_call if one.plan.name == asked), None)
        facts["runs"] = await self._running(facts["again"])
        return self._screen.page(request, viewer, "roll_calls.html", offers=to_call, **facts)

    async def _running(self, offer: Offer | None) -> Running:
        """What runs of a plan: its presser is asked about just that."""
        async with self._screen.door.read() as store:
            return await running(store, offer.plan, self._screen.now) if offer else Running()

    async def many_part(self, request: Request, viewer: Viewer) -> Response:
        """The list alone, fetched again when something happens."""
        facts = await self._list_facts(request, viewer)
        return self._screen.fragment("parts/roll_call_list.html", viewer=viewer, **facts)

    async def one(self, request: Request, viewer: Viewer) -> Response:
        """The ledger of one roll call."""
        facts = await self._facts(viewer, request.path_params["id"])
        asked = request.query_params.get("answer", "")
        chosen = next((dot for dot in facts["dots"] if dot.answer_id == asked), None)
        is_closed = facts["view"].roll_call.state is RollCallState.closed
        facts["chosen"] = chosen if facts["may_conclude"] and is_closed else None
        return self._screen.page(request, viewer, "roll_call.html", **facts)

    async def part(self, request: Request, viewer: Viewer) -> Response:
        """The ledger alone, fetched again while answers come in."""
        facts = await self._facts(viewer, request.path_params["id"])
        return self._screen.fragment("parts/ledger.html", viewer=viewer, now=self._screen.now, **facts)

    async def start(self, request: Request, viewer: Viewer, form: FormData) -> Response:
        """立即点名; the form's own number makes a second press harmless, and a call that runs is asked about first."""
        name, nonce = field(form, "plan"), field(form, "nonce")
        plan = next((one for one in self._screen.door.policy.roll_calls if one.name == name), None)
        if plan is None or not _NONCE.fullmatch(nonce):
            raise HTTPException(400)
        async with self._screen.door.open() as desk:
            officer = await acting_officer(desk.store, viewer)
            if officer is None:
                raise HTTPException(403)
            try:
                plan = await own_share(desk.store, plan, officer)
            except NotAllowed as error:
                raise HTTPException(403) from error
            slot = f"manual-{nonce}"
            runs = await running_in_turn(desk, plan)
            is_known = slot in [one.slot for one in runs.calls] or runs.mark == field(form, "again")
            if runs.calls and not is_known:
                return RedirectResponse(f"/roll-calls?{urlencode({'again': plan.name})}", 303)
            called = await roll_calls.call(desk, plan, slot, called_by=officer.id) or runs.newest
        return RedirectResponse(f"/roll-calls/{called.id}?said=called" if called else "/roll-calls", 303)

    async def conclude(self, request: Request, viewer: Viewer, form: FormData) -> Response:
        """A person's verdict on one line, with its reason."""
        roll_call_id, reason = request.path_params["id"], field(form, "reason", 300)
        back = f"/roll-calls/{roll_call_id}"
        chosen = field(form, "result")
        if chosen not in [result.value for result in CONCLUSIONS]:
            raise HTTPException(400)
        if not reason:
            return RedirectResponse(f"{back}?said=no_reason", 303)
        try:
            async with self._screen.door.open() as desk:
                officer = await acting_officer(desk.store, viewer)
                answer = await desk.store.get(Answer, field(form, "answer"))
                if officer is None:
                    raise HTTPException(403)
                if answer is None or answer.roll_call_id != roll_call_id:
                    raise HTTPException(404)
                await roll_calls.conclude(desk, answer.id, officer, Result(chosen), reason)
        except NotAllowed as error:
            raise HTTPException(403) from error
        except Stale:
            return RedirectResponse(f"{back}?said=changed", 303)
        return RedirectResponse(f"{back}?said=concluded", 303)

    async def _list_facts(self, request: Request, viewer: Viewer) -> dict[str, Any]:
        cursor = request.query_params.get("cursor", "")[:64]
        async with self._screen.door.read() as store:
            views, following = await list_roll_calls(store, viewer, cursor, PAGE_CALLS)
        return {
            "views": views,
            "following": following,
            "is_later": bool(cursor),
            "query": request.url.query,
        }

    async def _facts(self, viewer: Viewer, roll_call_id: str) -> dict[str, Any]:
        async with self._screen.door.read() as store:
            view, answers = await read_roll_call(store, viewer, roll_call_id)
            ids = sorted({answer.concluded_by for answer in answers if answer.concluded_by})
            people = {one.id: one.name for one in await store.find(Officer, id_in=ids)} if ids else {}
            officer = await acting_officer(store, viewer)
        return {
            "view": view,
            "dots": sorted(view.dots, key=lambda dot: ATTENTION.get(dot.result, 9)),
            "answers": {answer.id: answer for answer in answers},
            "concluded_by": people,
            "conclusions": CONCLUSIONS,
            "passcode": view.roll_call.passcode if shows_passcode(view) else "",
            "may_conclude": officer is not None and may(officer, Action.conclude),
        }


def shows_passcode(view: RollCallView) -> bool:
    """Whether this screen shows the 口令码: while the call runs, to a viewer whose people must give it."""
    is_open = view.roll_call.state is RollCallState.open
    return is_open and any(dot.proof is Proof.passcode for dot in view.dots)
