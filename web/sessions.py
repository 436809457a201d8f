"""Who is looking: server-side sessions, their cookie, and the token every form must carry."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from desk.board import sees_all
from desk.model import Session
from desk.ports import Door, Stale, Store, Unavailable
from roster.model import Officer, Role
from web.settings import WebSettings, is_loopback

SEEN_EVERY = timedelta(minutes=5)
KIND = "desk"


@dataclass(frozen=True)
class Viewer:
    """Who looks at the screen; no officer means the trusted desk (open demonstration, API token)."""

    officer: Officer | None
    everything: bool
    csrf: str = ""
    session: Session | None = None

    @property
    def unit_id(self) -> str | None:
        """The unit the viewer is bound to; None when they see all."""
        return self.officer.unit_id if self.officer is not None and not self.everything else None


def digest(secret: str) -> str:
    """The SHA-256 (hex) under which a secret is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Sessions:
    """Finds, makes and ends the sessions of browsers."""

    def __init__(self, door: Door, settings: WebSettings) -> None:
        self._door = door
        self._settings = settings
        self.key = (settings.secret_key or secrets.token_hex(32)).encode()

    @property
    def cookie(self) -> str:
        """The cookie's name; over https the browser itself guards its origin."""
        return "__Host-muster" if self._settings.is_https else "muster_desk"

    def csrf(self, secret: str) -> str:
        """The token our own forms carry for this session."""
        return hmac.new(self.key, f"csrf:{secret}".encode(), hashlib.sha256).hexdigest()

    def sealed(self, words: str) -> str:
        """A keyed digest, for codes too short for a plain one."""
        return hmac.new(self.key, words.encode(), hashlib.sha256).hexdigest()

    async def viewer(self, request: Request) -> Viewer | None:
        """Who sent this request, or None when nobody is signed in."""
        secret = request.cookies.get(self.cookie, "")
        if secret:
            now = self._door.clock.now()
            async with self._door.read() as store:
                found = await self._find(store, secret, now)
            if found is not None:
                await self._note_seen(found, now)
                return found
        return Viewer(None, True, self.csrf("")) if self.is_open_to(request) else None

    async def is_good(self, viewer: Viewer) -> bool:
        """Whether the viewer's session still holds now; for streams that stay open."""
        if viewer.session is None:
            return True
        async with self._door.read() as store:
            session = await store.get(Session, viewer.session.id)
            officer = await store.get(Officer, viewer.session.officer_id)
        return session is not None and self._holds(session, officer, self._door.clock.now())

    def is_open_to(self, request: Request) -> bool:
        """Whether this request may look without signing in: the demonstration, on this machine."""
        client = request.client.host if request.client else ""
        return (
            self._settings.is_open
            and is_loopback(client)
            and is_loopback(request.url.hostname or "")
            and not request.state.is_forwarded
        )

    def start(self, officer_id: str, now: datetime) -> tuple[Session, str]:
        """A new session and its secret."""
        secret = secrets.token_urlsafe(32)
        ends_at = now + timedelta(hours=self._settings.session_hours_max)
        return Session(digest(secret), officer_id, KIND, now, now, ends_at), secret

    def set_cookie(self, response: Response, secret: str) -> None:
        """Hand the secret to the browser; scripts never see it."""
        response.set_cookie(
            self.cookie, secret, path="/", secure=self._settings.is_https, httponly=True, samesite="lax"
        )

    def drop_cookie(self, response: Response) -> None:
        """Take the cookie back."""
        response.delete_cookie(
            self.cookie, path="/", secure=self._settings.is_https, httponly=True, samesite="lax"
        )

    async def end(self, session: Session) -> None:
        """The session is over at once."""
        async with self._door.open() as desk:
            current = await desk.store.get(Session, session.id)
            if current is not None:
                await desk.store.change(current, ended=True)
                desk.log("signed_out", f"officer:{session.officer_id}", session.officer_id)

    async def _find(self, store: Store, secret: str, now: datetime) -> Viewer | None:
        session = await store.get(Session, digest(secret))
        if session is None:
            return None
        officer = await store.get(Officer, session.officer_id)
        if officer is None or not self._holds(session, officer, now):
            return None
        return Viewer(officer, await sees_all(store, officer), self.csrf(secret), session)

    def _holds(self, session: Session, officer: Officer | None, now: datetime) -> bool:
        idle = timedelta(hours=self._settings.session_idle_hours)
        return (
            session.kind == KIND
            and not session.ended
            and now <= session.ends_at
            and now - session.seen_at <= idle
            and officer is not None
            and officer.active
        )

    async def _note_seen(self, viewer: Viewer, now: datetime) -> None:
        session = viewer.session
        if session is None or now - session.seen_at < SEEN_EVERY:
            return
        try:
            async with self._door.open() as desk:
                await desk.store.change(session, seen_at=now)
        except (Stale, Unavailable):
            return  # Another request of this browser was first, or the disk is full: what is stored is shown.


async def acting_officer(store: Store, viewer: Viewer) -> Officer | None:
    """In whose name the viewer acts: their own, or, at the open demonstration, the office's first."""
    if viewer.officer is not None:
        return viewer.officer
    found = await store.find(Officer, role_in=[Role.office, Role.admin], active=True, limit=1)
    return found[0] if found else None
