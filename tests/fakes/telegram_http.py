"""The HTTP face of the fake Telegram: /bot<token>/<method>, /file/bot<token>/<path>, faults."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from tests.fakes.loopback import Silence, Torn
from tests.fakes.telegram_delivery import Delivery
from tests.fakes.telegram_faults import Fault, Spell
from tests.fakes.telegram_limits import too_many
from tests.fakes.telegram_methods import call
from tests.fakes.telegram_model import ApiError, Json
from tests.fakes.telegram_params import Params
from tests.fakes.telegram_world import World

UNAUTHORIZED = ApiError(401, "Unauthorized")
NOT_FOUND = ApiError(404, "Not Found")
_GATEWAY_PAGE = b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center></body></html>"
_FAULT_WORDS = {400: "Bad Request: refused by the test", 403: "Forbidden: refused by the test"}


def answer(body: Json, status: int = 200) -> Response:
    """Return a JSON response as Telegram sends it."""
    content = json.dumps(body, ensure_ascii=False).encode()
    return Response(content, status_code=status, media_type="application/json")


def refusal(error: ApiError) -> Response:
    """Return the response of a refused call."""
    response = answer(error.as_json(), error.code)
    if "retry_after" in error.parameters:
        response.headers["Retry-After"] = str(error.parameters["retry_after"])
    return response


class BotApi:
    """Answers calls of the bot."""

    def __init__(self, world: World, delivery: Delivery) -> None:
        self.world = world
        self.delivery = delivery
        self.closing = asyncio.Event()
        self.latency_seconds = 0.0
        self.weather: Callable[[str], Spell | None] | None = None  # By the method's name, in small letters.
        self.tells_date = ""  # As a gateway in front would add it; none by itself.

    async def method(self, request: Request) -> Response:
        """Answer /bot<token>/<method>."""
        name = request.path_params["method"]
        if request.path_params["token"] != self.world.token:
            return refusal(UNAUTHORIZED)
        self.world.calls[name.lower()] += 1
        try:
            params = await read_params(request)
        except ApiError as error:
            return refusal(error)
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        spell = self.weather(name.lower()) if self.weather is not None else None
        spell = spell or Spell()
        await self._wait(spell.before_seconds)
        fault = self.world.faults.take(name, params.integer("chat_id") or None)
        if spell.kind:
            fault = Fault(name, spell.kind, retry_after=spell.retry_after)
        if fault is not None and fault.is_before:
            return self._spoiled_before(fault)
        try:
            result = await self._call(name, params)
        except ApiError as error:
            return refusal(error)
        finally:
            self.world.notify()
        await self._wait(spell.after_seconds)
        response = answer({"ok": True, "result": result})
        if self.tells_date:
            response.headers["Date"] = self.tells_date
        return response if fault is None else self._spoiled_after(fault, response)

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.closing.wait()

    async def _call(self, name: str, params: Params) -> object:
        match name.lower():
            case "sendmessage":
                return call(self.world, name, params)
            case "getupdates":
                return await self.delivery.get_updates(params)
            case "setwebhook":
                return await self.delivery.set_webhook(params)
            case "deletewebhook":
                return await self.delivery.delete_webhook(params)
            case "getwebhookinfo":
                return self.delivery.webhook_info()
        return call(self.world, name, params)

    async def file(self, request: Request) -> Response:
        """Answer /file/bot<token>/<path>: only links getFile gave within the hour."""
        if request.path_params["token"] != self.world.token:
            return refusal(UNAUTHORIZED)
        self.world.calls["file"] += 1
        fault = self.world.faults.take("file", None)
        if fault is not None and fault.is_before:
            return self._spoiled_before(fault)
        stored = self.world.shelf.download(request.path_params["path"], self.world.now())
        if stored is None:
            return refusal(NOT_FOUND)
        response = Response(stored.read(), media_type="application/octet-stream")
        return response if fault is None else self._spoiled_after(fault, response)

    def _spoiled_before(self, fault: Fault) -> Response:
        if fault.kind in ("drop", "timeout_before_delivery"):
            return Silence(self.closing, cut=fault.kind == "drop")
        code = int(fault.kind)
        if code == 429:
            with self.world.lock:
                self.world.limiter.refused += 1
                if self.world.limiter.limits.enabled:
                    self.world.limiter.block_for(fault.retry_after, fault.chat_id or 0, self.world.now())
            return refusal(too_many(fault.retry_after))
        if code in (502, 504):
            return _gateway(code)
        words = fault.description or _FAULT_WORDS.get(code, "Internal Server Error")
        return refusal(ApiError(code, words))

    def _spoiled_after(self, fault: Fault, response: Response) -> Response:
        match fault.kind:
            case "truncated_body":
                return Torn(response.body, media_type=response.media_type)
            case "half_json":
                return Response(response.body[: len(response.body) // 2], media_type="application/json")
            case "502_after_delivery":
                return _gateway(502)
        return Silence(self.closing, cut=fault.kind == "drop_after_delivery")


def _gateway(code: int) -> Response:
    return Response(_GATEWAY_PAGE % (code, code), status_code=code, media_type="text/html")


async def read_params(request: Request) -> Params:
    """Read parameters from the query string and a form, multipart or JSON body (bots/api#making-requests)."""
    values: Json = dict(parse_qsl(request.url.query, keep_blank_values=True)) if request.url.query else {}
    if request.method != "POST":
        return Params(values)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _multipart(request, values)
    body = await request.body()
    if kind == "application/json":
        try:
            parsed = json.loads(body or b"{}")
        except ValueError:
            raise ApiError(400, "Bad Request: can't parse JSON object") from None
        values.update(parsed if isinstance(parsed, dict) else {})
    elif body:
        values.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return Params(values)


async def _multipart(request: Request, values: Json) -> Params:
    files: dict[str, tuple[str, bytes]] = {}
    async with request.form(max_part_size=64 * 1024 * 1024) as form:
        for name, part in form.multi_items():
            if isinstance(part, UploadFile):
                files[name] = (part.filename or name, await part.read())
            else:
                values[name] = part
    return Params(values, files)
