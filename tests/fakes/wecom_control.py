"""The control API for other processes: phones, knobs and figures under /_control/."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.fakes.wecom_bot import Event
from tests.fakes.wecom_callback import Push
from tests.fakes.wecom_faults import Fault
from tests.fakes.wecom_http import answer
from tests.fakes.wecom_model import Json

if TYPE_CHECKING:
    from tests.fakes.wecom_server import FakeWeCom

ACTIONS = frozenset(
    "say photo voice video file link locate enter report_place menu menu_place menu_photo press choose "
    "sign_in_code leave disable spoil".split()
)
BOT_ACTIONS = frozenset("say photo voice video file enter press choose leave".split())


class Control:
    """Answers /_control/…; a wrong request is a 400 that says what is wrong."""

    def __init__(self, fake: FakeWeCom) -> None:
        self.fake = fake

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/_control/phones", self.open_phones, methods=["POST"]),
            Route("/_control/phone/{id}/messages", self.messages, methods=["GET"]),
            Route("/_control/phone/{id}/{action}", self.act, methods=["POST"]),
            Route("/_control/everybody/{action}", self.act_all, methods=["POST"]),
            Route("/_control/bot/{id}/messages", self.bot_messages, methods=["GET"]),
            Route("/_control/bot/{id}/{action}", self.act_bot, methods=["POST"]),
            Route("/_control/bot_sends", self.bot_sends, methods=["GET"]),
            Route("/_control/sends", self.sends, methods=["GET"]),
            Route("/_control/pushes", self.pushes, methods=["GET"]),
            Route("/_control/stats", self.stats, methods=["GET"]),
            Route("/_control/verify", self.verify, methods=["POST"]),
            Route("/_control/knobs", self.knobs, methods=["POST"]),
        ]

    async def act(self, request: Request) -> Response:
        """Let a phone act; the body holds the method's arguments, `content_b64` stands for `content`."""
        return await self._answered(request, self._act)

    async def act_bot(self, request: Request) -> Response:
        """Let a phone act in its chat with the AI bot."""
        return await self._answered(request, self._act_bot)

    async def _answered(self, request: Request, act: Callable[[str, str, Json], Json]) -> Response:
        body: Json = await request.json() if await request.body() else {}
        try:
            result = act(request.path_params["id"], request.path_params["action"], body)
        except (LookupError, PermissionError, ValueError, TypeError) as fault:
            return answer({"error": f"{type(fault).__name__}: {fault}"}, 400)
        return answer(result)

    async def act_all(self, request: Request) -> Response:
        """Let many phones do the same: {"ids": […], …arguments}; one that cannot is named and left out."""
        body: Json = await request.json()
        failed = {}
        for userid in body.pop("ids"):
            try:
                self._act(userid, request.path_params["action"], dict(body))
            except (LookupError, PermissionError, ValueError, TypeError) as fault:
                failed[userid] = f"{type(fault).__name__}: {fault}"
        return answer({"failed": failed})

    def _act(self, userid: str, action: str, body: Json) -> Json:
        phone = self.fake.phone(userid, body.pop("name_of_person", None))
        return _done(phone, action, ACTIONS, body)

    def _act_bot(self, userid: str, action: str, body: Json) -> Json:
        phone = self.fake.bot_phone(userid, body.pop("name_of_person", None), met=body.pop("met", False))
        return _done(phone, action, BOT_ACTIONS, body)

    async def open_phones(self, request: Request) -> Response:
        """Add members: {"prefix": "w", "count": n, "mobiles_from": 13800000000}."""
        body = await request.json()
        for number in range(int(body["count"])):
            mobile = str(int(body["mobiles_from"]) + number) if "mobiles_from" in body else ""
            self.fake.phone(f"{body.get('prefix', 'w')}{number:05d}", mobile=mobile)
        return answer({})

    async def messages(self, request: Request) -> Response:
        """Return what a phone shows now."""
        phone = self.fake.phone(request.path_params["id"])
        return answer({"messages": [shown.as_json() for shown in phone.messages]})

    async def bot_messages(self, request: Request) -> Response:
        """Return what a phone's chat with the AI bot shows now."""
        phone = self.fake.bot_phone(request.path_params["id"])
        return answer({"messages": [shown.as_json() for shown in phone.messages]})

    async def bot_sends(self, request: Request) -> Response:
        """Return what the AI bot sent, from number `since` on."""
        since = int(request.query_params.get("since", 0))
        sends = self.fake.bot.sends[since:]
        return answer({"next": since + len(sends), "sends": [send.as_json() for send in sends]})

    async def sends(self, request: Request) -> Response:
        """Return the sends from number `since` on."""
        since = int(request.query_params.get("since", 0))
        sends = self.fake.sends[since:]
        return answer({"next": since + len(sends), "sends": [send.as_json() for send in sends]})

    async def pushes(self, request: Request) -> Response:
        """Return the callbacks from number `since` on, with what became of them."""
        since = int(request.query_params.get("since", 0))
        pushes = self.fake.pushes[since:]
        return answer({"next": since + len(pushes), "pushes": [push.as_json() for push in pushes]})

    async def stats(self, request: Request) -> Response:
        """Return the figures."""
        return answer(self.fake.stats())

    async def verify(self, request: Request) -> Response:
        """Check the callback URL; "fault" is empty when all is well."""
        return answer({"fault": await self.fake.verify_callback()})

    async def knobs(self, request: Request) -> Response:
        """Turn knobs: fail_next, limits, advance, callback_url, hold, reorder and so on."""
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
                    fake.world.faults.orders.append(Fault(**order))
            case "limits":
                for field, number in value.items():
                    if field not in asdict(fake.limits):
                        raise LookupError(f"unknown limit {field!r}")
                    setattr(fake.limits, field, number)
            case "advance":
                fake.advance(float(value))
            case "hold":
                fake.hold_callbacks() if value else fake.release_callbacks()
            case "reorder":
                fake.reorder_callbacks()
            case "replay":
                fake.replay(fake.pushes[int(value)])
            case "revoke_tokens":
                fake.revoke_tokens()
            case "expire_tokens":
                fake.expire_tokens()
            case "expire_media":
                fake.world.expire_media()
            case "robot":
                fake.robot(str(value))
            case "offline_for":
                fake.offline_for(float(value))
            case "bot_fail_next":
                fake.bot.fail_next(**value)
            case "bot_cut":
                fake.bot.cut()
            case "bot_met":
                fake.bot.met.update(str(one).lower() for one in value)
            case "latency_seconds" | "callback_url":
                setattr(fake, name, value)
            case _:
                raise LookupError(f"unknown knob {name!r}")


def _done(phone: object, action: str, actions: frozenset[str], body: Json) -> Json:
    if action not in actions:
        raise LookupError(f"unknown action {action!r}: {sorted(actions)}")
    bound: Callable[..., Any] = getattr(phone, action)
    if "content_b64" in body:
        body["content"] = base64.b64decode(body.pop("content_b64"))
    inspect.signature(bound).bind(**body)
    result = bound(**body)
    if isinstance(result, list):
        return {"pushes": [one.as_json() for one in result]}
    if isinstance(result, Push | Event):
        return result.as_json()
    return {"result": result}
