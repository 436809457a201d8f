"""The control API for other processes: phones, knobs and figures under /_control/."""

from __future__ import annotations

import base64
import inspect
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.fakes.telegram_faults import Fault
from tests.fakes.telegram_http import answer
from tests.fakes.telegram_model import Json

if TYPE_CHECKING:
    from tests.fakes.telegram_server import FakeTelegram

ACTIONS = frozenset(
    "start say photo album document voice video location live_location move stop_live venue contact sticker "
    "poll dice edit forward press delete block unblock deactivate".split()
)


class Control:
    """Answers /_control/…; a wrong request is a 400 that says what is wrong."""

    def __init__(self, fake: FakeTelegram) -> None:
        self.fake = fake

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/_control/phones", self.open_phones, methods=["POST"]),
            Route("/_control/phone/{id:int}/messages", self.messages, methods=["GET"]),
            Route("/_control/phone/{id:int}/taps", self.taps, methods=["GET"]),
            Route("/_control/phone/{id:int}/{action}", self.act, methods=["POST"]),
            Route("/_control/group", self.group, methods=["POST"]),
            Route("/_control/group/{id:int}/migrate", self.migrate, methods=["POST"]),
            Route("/_control/sends", self.sends, methods=["GET"]),
            Route("/_control/updates", self.updates, methods=["GET"]),
            Route("/_control/stats", self.stats, methods=["GET"]),
            Route("/_control/knobs", self.knobs, methods=["POST"]),
        ]

    async def act(self, request: Request) -> Response:
        """Let a phone act; the body holds the method's arguments, `content_b64` stands for `content`."""
        action = request.path_params["action"]
        body: Json = await request.json() if await request.body() else {}
        name = body.pop("name_of_person", None)
        try:
            phone = self.fake.phone(request.path_params["id"], name)
            if action not in ACTIONS:
                raise LookupError(f"unknown action {action!r}: {sorted(ACTIONS)}")
            bound = getattr(phone, action)
            result = bound(**_arguments(bound, body, self.fake))
        except (LookupError, PermissionError, ValueError, TypeError) as fault:
            return answer({"error": f"{type(fault).__name__}: {fault}"}, 400)
        if isinstance(result, list):
            return answer({"said": [said.as_json() for said in result]})
        return answer(result.as_json() if result is not None else {})

    async def open_phones(self, request: Request) -> Response:
        """Open many phones that pressed start long ago: {"first": user id, "count": how many}."""
        body = await request.json()
        for number in range(int(body["count"])):
            self.fake.phone(int(body["first"]) + number, started=True)
        return answer({})

    async def messages(self, request: Request) -> Response:
        """Return what a phone shows now."""
        phone = self.fake.phone(request.path_params["id"])
        return answer({"messages": [message.shown() for message in phone.messages]})

    async def taps(self, request: Request) -> Response:
        """Return the taps of a phone with their answers."""
        phone = self.fake.phone(request.path_params["id"])
        return answer({"taps": [tap.as_json() for tap in phone.taps]})

    async def group(self, request: Request) -> Response:
        """Open a group: {"title", "members": [user ids], "supergroup": bool}."""
        body = await request.json()
        members = [self.fake.phone(number) for number in body["members"]]
        group = self.fake.group(body["title"], members, supergroup=body.get("supergroup", False))
        return answer({"chat_id": group.id})

    async def migrate(self, request: Request) -> Response:
        """Turn a group into a supergroup; the path has the group id without its minus."""
        group = self.fake.groups[-request.path_params["id"]].migrate()
        self.fake.groups[group.id] = group
        return answer({"chat_id": group.id})

    async def sends(self, request: Request) -> Response:
        """Return the sends from number `since` on."""
        since = int(request.query_params.get("since", 0))
        sends = self.fake.sends[since:]
        return answer({"next": since + len(sends), "sends": [send.as_json() for send in sends]})

    async def updates(self, request: Request) -> Response:
        """Return the updates not yet confirmed."""
        return answer({"updates": self.fake.unconfirmed})

    async def stats(self, request: Request) -> Response:
        """Return the figures."""
        return answer(self.fake.stats())

    async def knobs(self, request: Request) -> Response:
        """Turn knobs: fail_next, limits, advance, hold, release, reorder, duplicate_update and so on."""
        body: Json = await request.json()
        try:
            for name, value in body.items():
                self._turn(name, value)
        except (LookupError, ValueError, TypeError) as fault:
            return answer({"error": f"{type(fault).__name__}: {fault}"}, 400)
        return answer({"turned": sorted(body)})

    def _turn(self, name: str, value: Any) -> None:
        fake = self.fake
        match name:
            case "fail_next":
                for order in value if isinstance(value, list) else [value]:
                    fake.world.faults.order(Fault(**order))
            case "limits":
                for field, number in value.items():
                    if not hasattr(fake.limits, field):
                        raise LookupError(f"unknown limit {field!r}")
                    setattr(fake.limits, field, number)
            case "advance":
                fake.advance(float(value))
            case "hold":
                fake.hold_updates() if value else fake.release_updates()
            case "reorder":
                fake.reorder_updates()
            case "duplicate_update":
                fake.duplicate_update(int(value))
            case "restart_update_ids":
                fake.restart_update_ids()
            case "offline_for":
                fake.offline_for(float(value))
            case "latency_seconds" | "retry_factor" | "privacy_mode":
                setattr(fake, name, value)
            case _:
                raise LookupError(f"unknown knob {name!r}")


def _arguments(bound: Any, body: Json, fake: FakeTelegram) -> Json:
    if "content_b64" in body:
        body["content"] = base64.b64decode(body.pop("content_b64"))
    if "contents_b64" in body:
        body["contents"] = [base64.b64decode(item) for item in body.pop("contents_b64")]
    if "chat" in body:
        body["chat"] = fake.groups[int(body["chat"])]
    inspect.signature(bound).bind(**body)
    return body
