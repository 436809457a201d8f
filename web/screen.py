"""The screen's common ground: templates, who looks, which endpoint needs whom, and how faults are said."""

import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from desk.ports import Door, Media
from web.sessions import Sessions, Viewer
from web.settings import WebSettings
from web.words import countdown, local, sentence, span, words

PageEndpoint = Callable[[Request, Viewer], Awaitable[Response]]
FormEndpoint = Callable[[Request, Viewer, FormData], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]
FIELDS_MAX = 40


class Screen:
    """What every page needs; made once by the application."""

    def __init__(self, door: Door, settings: WebSettings, media: Media, *, has_demo: bool) -> None:
        self.door = door
        self.settings = settings
        self.media = media
        self.sessions = Sessions(door, settings)
        self.words = words(door.policy.language)
        self.has_demo = has_demo
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        zone = door.policy.timezone
        self._templates.filters.update(
            moment=lambda at: local(at, zone),
            second=lambda at: local(at, zone, "%H:%M:%S"),
            clock=lambda at: local(at, zone, "%H:%M"),
            day=lambda at: local(at, zone, "%Y-%m-%d"),
            full=lambda at: local(at, zone, "%Y-%m-%d %H:%M:%S"),
            span=lambda length: span(length, self.words["span"]),
            countdown=countdown,
            iso=lambda at: at.isoformat(),
            said=self.say,
        )
        self._templates.globals.update(words=self.words, office=door.policy.office, settings=settings)
        self._templates.globals.update(timedelta=timedelta, has_demo=has_demo, zone=zone)
        self._templates.globals.update(post_name=self.post_name, meaning=self.meaning)

    @property
    def now(self) -> datetime:
        """The present, for reading; every change takes the moment of its own transaction."""
        return self.door.clock.now()

    def say(self, kind: str, facts: dict[str, Any]) -> str:
        """A log line's sentence."""
        if isinstance(facts.get("posts"), list):  # "小榄镇/duty_leader" is 小榄镇带班领导.
            posts = [str(one).rpartition("/") for one in facts["posts"]]
            facts = {**facts, "posts": [f"{unit}{self.post_name(post)}" for unit, _, post in posts]}
        return sentence(kind, facts, self.words)

    def post_name(self, post: str) -> str:
        """A post as the office calls it."""
        return next((rule.name for rule in self.door.policy.posts if rule.key == post), post)

    def meaning(self, word: str) -> str:
        """A ladder's word as people say it: "post:duty_leader@小榄镇" is 小榄镇带班领导."""
        kind, _, name = word.partition(":")
        name, _, where = name.partition("@")
        if kind == "post":
            name = self.post_name(name)
        elif kind == "role":
            name = self.words["role"].get(name, name)
        return f"{where}{name}"

    def render(self, template: str, **facts: Any) -> str:
        """A template in words."""
        return self._templates.get_template(template).render(**facts)

    def page(
        self, request: Request, viewer: Viewer | None, template: str, status: int = 200, **facts: Any
    ) -> Response:
        """A whole page."""
        said = self.words["said"].get(request.query_params.get("said", ""), "")
        html = self.render(
            template, viewer=viewer, now=self.now, path=request.url.path, said_last=said, **facts
        )
        return HTMLResponse(html, status)

    def fragment(self, template: str, **facts: Any) -> Response:
        """A part of a page."""
        return HTMLResponse(self.render(template, **facts))

    def viewed(self, endpoint: PageEndpoint) -> Endpoint:
        """An endpoint for whoever is signed in; a page sends others to sign in, a part of one answers 401."""

        async def answer(request: Request) -> Response:
            viewer = await self.sessions.viewer(request)
            if viewer is not None:
                return await endpoint(request, viewer)
            if "text/html" in request.headers.get("accept", "") and "fragment" not in request.url.path:
                back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse(f"/sign-in?next={quote(back)}", 303)
            raise HTTPException(401)

        return answer

    def acted(self, endpoint: FormEndpoint) -> Endpoint:
        """An endpoint of a form: signed in, and with this session's own token."""

        async def answer(request: Request) -> Response:
            viewer = await self.sessions.viewer(request)
            if viewer is None:
                raise HTTPException(401)
            form = await self.form(request, viewer.csrf)
            return await endpoint(request, viewer, form)

        return answer

    async def form(self, request: Request, csrf: str) -> FormData:
        """The fields of a form that carries this token. Raises HTTPException."""
        form = await request.form(max_files=0, max_fields=FIELDS_MAX)
        token = request.headers.get("x-csrf-token") or form.get("csrf")
        if not isinstance(token, str) or not _same(token, csrf):
            raise HTTPException(403)
        return form

    async def fault(self, request: Request, status: int) -> Response:
        """What a person or a program is told when there is no answer; never a traceback."""
        key = str(status) if str(status) in self.words["fault"] else ("400" if status < 500 else "500")
        request_id = request.state.request_id
        headers = {"Retry-After": "10"} if status in (429, 503) else {}
        if _wants_json(request):
            error = {
                "code": CODES.get(status, "fault"),
                "message": words("en")["fault"][key],
                "id": request_id,
            }
            if status == 401:
                headers["WWW-Authenticate"] = "Bearer"
            # The phone page shows its own people the reason, as all its refusals have it.
            told = {"code": error["code"], "reason": self.words["fault"][key]} if _is_phone(request) else {}
            return JSONResponse({**told, "error": error}, status, headers)
        html = self.render(
            "fault.html", status=status, sentence=self.words["fault"][key], request_id=request_id
        )
        return HTMLResponse(html, status, headers)


CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    409: "conflict",
    413: "too_large",
    429: "too_many",
    500: "internal",
    503: "unavailable",
}


def field(form: FormData, name: str, length_max: int = 2000) -> str:
    """One text field of a form, trimmed; "" when it is missing or a file."""
    value = form.get(name, "")
    return value.strip()[:length_max] if isinstance(value, str) else ""


def own_path(path: str) -> str:
    """A path of our own to go back to; anything else becomes the board (no open redirect)."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_own and "\\" not in path else "/"


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _is_phone(request: Request) -> bool:
    return request.url.path.startswith("/chat/")


def _wants_json(request: Request) -> bool:
    path = request.url.path
    return path.startswith(("/api/", "/channels/", "/live")) or "text/html" not in request.headers.get(
        "accept", "text/html"
    )
