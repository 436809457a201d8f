"""The HTTP face of the fake WeCom: /cgi-bin/…, files up and down, faults on order."""

from __future__ import annotations

import asyncio
import json
import re
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from tests.fakes.loopback import Silence, Torn
from tests.fakes.wecom_faults import Fault
from tests.fakes.wecom_methods import METHODS, POSTED, WITHOUT_TOKEN
from tests.fakes.wecom_model import ApiError, Json, Medium
from tests.fakes.wecom_world import World

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def answer(body: Json, status: int = 200) -> Response:
    """Return a JSON response."""
    content = json.dumps(body, ensure_ascii=False).encode()
    return Response(content, status_code=status, media_type="application/json; charset=UTF-8")


class ServerApi:
    """Answers calls of the app."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.closing = asyncio.Event()
        self.latency_seconds = 0.0
        self.running = 0

    async def method(self, request: Request) -> Response:
        """Answer /cgi-bin/<method>; WeCom says almost everything with HTTP 200."""
        name = request.path_params["method"]
        self.world.calls[name] += 1
        self.running += 1
        try:
            return await self._method(name, request)
        finally:
            self.running -= 1
            self.world.notify()

    async def _method(self, name: str, request: Request) -> Response:
        body = await request.body() if name != "media/upload" else b""
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        fault = self.world.faults.take(name)
        if fault is not None and fault.is_before:
            return self.spoiled_before(fault)
        try:
            self._check_pace()
            if name not in WITHOUT_TOKEN:
                with self.world.lock:
                    self.world.check_token(request.query_params.get("access_token", ""))
            response = await self._carry_out(name, request, body)
        except ApiError as error:
            response = answer(error.as_json())
        return response if fault is None else self.spoiled_after(fault, response)

    def _check_pace(self) -> None:
        limits = self.world.limits
        if limits.calls_at_once is not None and self.running > limits.calls_at_once:
            raise ApiError(45033, "api concurrent out of limit")
        most = limits.calls_per_minute
        if most is not None and not self.world.counts.take("calls", self.world.now(), (60, most)):
            raise ApiError(45009, "api freq out of limit")

    async def _carry_out(self, name: str, request: Request, raw: bytes) -> Response:
        if name == "media/upload":
            return await self._upload(request)
        if name == "media/get":
            with self.world.lock:
                medium = self.world.medium(request.query_params.get("media_id"))
            return _download(medium, request.headers.get("range", ""))
        method = METHODS.get(name)
        if method is None:
            return Response("404 page not found", status_code=404)
        if name in POSTED and request.method != "POST":
            raise ApiError(43002, "require POST method")
        body: Json = {}
        if name in POSTED:
            try:
                body = json.loads(raw)
            except ValueError:
                body = []  # type: ignore[assignment]  # Refused on the next line.
            if not isinstance(body, dict):
                raise ApiError(47001, "data format error")
        with self.world.lock:
            found = method(self.world, request.query_params, body)
        return answer({"errcode": 0, "errmsg": "ok", **found})

    async def _upload(self, request: Request) -> Response:
        limits = self.world.limits
        kind = request.query_params.get("type", "")
        most = {
            "image": limits.image_bytes_max,
            "voice": limits.voice_bytes_max,
            "video": limits.video_bytes_max,
            "file": limits.file_bytes_max,
        }.get(kind)
        if most is None:
            raise ApiError(40004, "invalid media type")
        async with request.form(max_part_size=64 * 1024 * 1024) as form:
            part = form.get("media")
            if not isinstance(part, UploadFile):
                raise ApiError(41005, "media data missing")
            content, name = await part.read(), part.filename or ""
        if not limits.media_bytes_min <= len(content) <= most:
            raise ApiError(40006 if len(content) < limits.media_bytes_min else 40009, "invalid media size")
        with self.world.lock:
            medium = self.world.keep(kind, name, content)
            at = str(int(self.world.now()))
        return answer(
            {"errcode": 0, "errmsg": "ok", "type": kind, "media_id": medium.media_id, "created_at": at}
        )

    def spoiled_before(self, fault: Fault) -> Response:
        """Return what stands for a call that was never carried out."""
        if fault.kind == "errcode":
            return answer(ApiError(fault.errcode, fault.errmsg).as_json())
        if fault.kind in ("drop", "timeout_before"):
            return Silence(self.closing, cut=fault.kind == "drop")
        return _gateway(int(fault.kind))

    def spoiled_after(self, fault: Fault, response: Response) -> Response:
        """Return what is left of the answer of a call that was carried out."""
        match fault.kind:
            case "truncated_body":
                return Torn(response.body, media_type=response.media_type)
            case "half_json":
                return Response(response.body[: len(response.body) // 2], media_type=response.media_type)
            case "502_after":
                return _gateway(502)
        return Silence(self.closing, cut=fault.kind == "drop_after")


def _download(medium: Medium, wanted: str) -> Response:
    """Return a file, or the part of it a Range header asks for."""
    headers = {"Content-Disposition": f'attachment; filename="{quote(medium.name)}"'}
    content, status = medium.content, 200
    if found := _RANGE.fullmatch(wanted):
        first, last = int(found[1]), int(found[2] or len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}"
        content, status = content[first : last + 1], 206
    kind = {"image": "image/jpeg", "voice": "audio/amr", "video": "video/mp4"}.get(
        medium.kind, "application/octet-stream"
    )
    return Response(content, status_code=status, headers=headers, media_type=kind)


def _gateway(code: int) -> Response:
    page = f"<html><head><title>{code}</title></head><body><center><h1>{code}</h1></center></body></html>"
    return Response(page, status_code=code, media_type="text/html")
