"""Signing in with a six-digit code told over the officer's own chat, or with a one-time link."""

import hmac
import re
import secrets
from collections import deque
from datetime import datetime, timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from desk.letters import tell
from desk.model import Notice, Session
from desk.ports import Desk, Stale, Store
from desk.recipients import duty_leaders
from roster.model import Account, Officer
from web.screen import Screen, field, own_path
from web.sessions import digest

TICKET = "ticket"  # A code was asked for: the id seals the form's ticket, the note the code and its tries.
LINK = "code"  # Made by the command line; the id seals the link's secret.
TRIES_MAX = 5
CODES_PER_HOUR = 5
ASKS_PER_WINDOW = 20
WINDOW = timedelta(minutes=10)
CLIENTS_KEPT_MAX = 10_000
_SECRET = re.compile(r"[\w-]{16,128}")


def make_routes(screen: Screen) -> list[BaseRoute]:
    """The addresses of signing in and out."""
    pages = SignIn(screen)
    return [
        Route("/sign-in", pages.page, methods=["GET"]),
        Route("/sign-in", pages.ask, methods=["POST"]),
        Route("/sign-in/code", pages.enter, methods=["POST"]),
        Route("/sign-in/{secret}", pages.link, methods=["GET"]),
        Route("/sign-in/{secret}", pages.take_link, methods=["POST"]),
        Route("/sign-out", pages.sign_out, methods=["POST"]),
    ]


class SignIn:
    """The answers of the sign-in pages; known and unknown people are answered alike."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._asks: dict[str, deque[datetime]] = {}

    async def page(self, request: Request) -> Response:
        """Ask who it is."""
        return self._show(request, "ask", back=own_path(request.query_params.get("next", "/")))

    async def ask(self, request: Request) -> Response:
        """Tell a code to that person's chat, if there is such a person; the answer is the same either way."""
        self._count(request)
        form = await self._screen.form(request, self._screen.sessions.csrf(""))
        who, back = field(form, "who", 40), own_path(field(form, "next", 500))
        ticket = secrets.token_urlsafe(24)
        async with self._screen.door.open() as desk:
            officer = await _find_person(desk.store, who)
            if officer is not None:
                await self._send_code(desk, officer, ticket)
        return self._show(request, "code", back=back, ticket=ticket)

    async def enter(self, request: Request) -> Response:
        """Check a code; a few wrong tries end it."""
        self._count(request)
        form = await self._screen.form(request, self._screen.sessions.csrf(""))
        ticket, code = field(form, "ticket", 128), field(form, "code", 12).replace(" ", "")
        back = own_path(field(form, "next", 500))
        secret = ""
        try:
            async with self._screen.door.open() as desk:
                officer = await self._check_code(desk, ticket, code)
                if officer is not None:
                    secret = await self._start(desk, officer)
        except Stale:
            secret = ""
        if not secret:
            return self._show(request, "code", back=back, ticket=ticket, is_wrong=True, status=401)
        return self._enter(secret, back)

    async def link(self, request: Request) -> Response:
        """A page with one button: looking at a link must not use it up."""
        return self._show(request, "link", back=own_path(request.query_params.get("next", "/")))

    async def take_link(self, request: Request) -> Response:
        """Use a one-time link."""
        self._count(request)
        form = await self._screen.form(request, self._screen.sessions.csrf(""))
        given, back = request.path_params["secret"], own_path(field(form, "next", 500))
        secret = ""
        try:
            async with self._screen.door.open() as desk:
                session = await desk.store.get(Session, digest(given)) if _SECRET.fullmatch(given) else None
                officer = await _holder(desk, session, LINK)
                if session is not None and officer is not None:
                    await desk.store.change(session, ended=True)
                    secret = await self._start(desk, officer)
        except Stale:
            secret = ""
        if not secret:
            return self._show(request, "ask", back=back, is_wrong=True, status=401)
        return self._enter(secret, back)

    async def sign_out(self, request: Request) -> Response:
        """End this browser's session."""
        viewer = await self._screen.sessions.viewer(request)
        if viewer is None or viewer.session is None:
            return RedirectResponse("/sign-in", 303)
        await self._screen.form(request, viewer.csrf)
        await self._screen.sessions.end(viewer.session)
        response = RedirectResponse("/sign-in", 303)
        self._screen.sessions.drop_cookie(response)
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    async def _send_code(self, desk: Desk, officer: Officer, ticket: str) -> None:
        since = desk.now - timedelta(hours=1)
        recent = await desk.store.count(Session, officer_id=officer.id, kind_in=[TICKET], made_at_from=since)
        if recent >= CODES_PER_HOUR:
            desk.log("sign_in_locked", f"officer:{officer.id}")
            return
        code, minutes = f"{secrets.randbelow(1_000_000):06d}", self._screen.settings.code_minutes
        ends_at = desk.now + timedelta(minutes=minutes)
        note = f"0:{self._seal(ticket, code)}"
        await desk.store.add(
            Session(digest(ticket), officer.id, TICKET, desk.now, desk.now, ends_at, note=note)
        )
        tell(desk, officer.id, Notice("sign_in_code", {"code": code, "minutes": minutes}))

    async def _check_code(self, desk: Desk, ticket: str, code: str) -> Officer | None:
        session = await desk.store.get(Session, digest(ticket))
        officer = await _holder(desk, session, TICKET)
        if session is None or officer is None:
            return None
        tries, _, sealed = session.note.partition(":")
        if hmac.compare_digest(self._seal(ticket, code), sealed):
            await desk.store.change(session, ended=True)
            return officer
        count = int(tries) + 1
        await desk.store.change(session, note=f"{count}:{sealed}", ended=count >= TRIES_MAX)
        if count >= TRIES_MAX:
            desk.log("sign_in_locked", f"officer:{officer.id}")
            for leader in await duty_leaders(desk):
                tell(
                    desk,
                    leader.id,
                    Notice("sign_in_locked", {"name": officer.name, "at": desk.now.isoformat()}),
                )
        return None

    async def _start(self, desk: Desk, officer: Officer) -> str:
        session, secret = self._screen.sessions.start(officer.id, desk.now)
        await desk.store.add(session)
        desk.log("signed_in", f"officer:{officer.id}", officer.id)
        return secret

    def _enter(self, secret: str, back: str) -> Response:
        response = RedirectResponse(back, 303)
        self._screen.sessions.set_cookie(response, secret)
        return response

    def _seal(self, ticket: str, code: str) -> str:
        return self._screen.sessions.sealed(f"{ticket}:{code}")

    def _count(self, request: Request) -> None:
        """Raises HTTPException 429 when one client asks too often."""
        now = self._screen.now
        if len(self._asks) > CLIENTS_KEPT_MAX:
            self._asks.clear()
        asks = self._asks.setdefault(request.client.host if request.client else "", deque())
        while asks and asks[0] <= now - WINDOW:
            asks.popleft()
        if len(asks) >= ASKS_PER_WINDOW:
            raise HTTPException(429)
        asks.append(now)

    def _show(
        self,
        request: Request,
        step: str,
        *,
        back: str,
        ticket: str = "",
        is_wrong: bool = False,
        status: int = 200,
    ) -> Response:
        return self._screen.page(
            request,
            None,
            "sign_in.html",
            status,
            step=step,
            back=back,
            ticket=ticket,
            is_wrong=is_wrong,
            csrf=self._screen.sessions.csrf(""),
            minutes=int(self._screen.settings.code_minutes),
        )


async def _find_person(store: Store, who: str) -> Officer | None:
    """The one active officer of this name or phone who can be reached; several of one name are nobody."""
    if not who:
        return None
    digits = "".join(character for character in who if character.isdigit())
    found = await store.find(Officer, name=who, active=True, limit=2)
    if not found and len(digits) >= 7:
        plain = digits.removeprefix("86") if len(digits) == 13 else digits
        forms = {who, digits, plain, f"{plain[:3]}-{plain[3:7]}-{plain[7:]}"}
        found = await store.find(Officer, phone_in=sorted(forms), active=True, limit=2)
    if len(found) != 1:
        return None
    return found[0] if await store.count(Account, officer_id=found[0].id) else None


async def _holder(desk: Desk, session: Session | None, kind: str) -> Officer | None:
    """The active officer a one-time session is for, while it is good."""
    if session is None or session.kind != kind or session.ended or desk.now > session.ends_at:
        return None
    officer = await desk.store.get(Officer, session.officer_id)
    return officer if officer is not None and officer.active else None
