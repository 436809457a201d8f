"""The HTTP routes of the phone page."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from bot.channels.webchat import chat, guard
from bot.channels.webchat.channel import WebChatChannel
from bot.channels.webchat.events import Refused, read_event
from bot.channels.webchat.links import Holder
from bot.channels.webchat.sniff import SEALED
from bot.channels.webchat.stream import stream
from bot.channels.webchat.words import words
from desk.model import ChatMessage
from desk.ports import Stale
from roster.model import Unit

HERE = Path(__file__).parent
MESSAGE_BYTES_MAX = 256 * 1024
ENVELOPE_BYTES_MAX = 64 * 1024  # What multipart adds around a file.


def make_routes(channel: WebChatChannel) -> list[BaseRoute]:
    """Everything under /chat; the app mounts these as they are."""
    phone = Phone(channel)
    return [
        Mount("/chat/static", PhoneFiles(directory=HERE / "static")),
        Route("/chat/{token}", phone.page),
        Route("/chat/{token}/messages", guard.guarded(channel, phone.post_message), methods=["POST"]),
        Route("/chat/{token}/files", guard.guarded(channel, phone.post_file), methods=["POST"]),
        Route("/chat/{token}/read", guard.guarded(channel, phone.post_read), methods=["POST"]),
        Route("/chat/{token}/stream", guard.guarded(channel, phone.get_stream)),
        Route("/chat/{token}/history", guard.guarded(channel, phone.get_history)),
        Route("/chat/{token}/files/{digest:path}", guard.guarded(channel, phone.get_file)),
    ]


class PhoneFiles(StaticFiles):
    """The page's own files; a phone asks each time whether they changed, so that no old script stays."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The file, to be revalidated."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class Phone:
    """The answers to a phone page."""

    def __init__(self, channel: WebChatChannel) -> None:
        self._channel = channel
        self._messages = guard.Pace(guard.MESSAGES_PER_MINUTE)
        self._uploads = guard.Pace(guard.UPLOADS_PER_MINUTE)
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        )

    async def page(self, request: Request) -> Response:
        """The phone page, or one polite page for every link that is not good."""
        try:
            holder = await guard.holder_of(self._channel, request)
        except Refused as refusal:
            return self._render("gone.html", refusal.status, {})
        async with self._channel.door.read() as store:
            unit = await store.get(Unit, holder.officer.unit_id)
        return self._render("phone.html", 200, {"officer": holder.officer, "unit": unit})

    async def post_message(self, request: Request, holder: Holder) -> Response:
        """Take a message; 200 only when it is durable."""
        self._messages.step(holder.address, self._channel.door.clock.now())
        event = read_event(await guard.read_json(request, MESSAGE_BYTES_MAX))
        message = await self._channel.hear(holder, event)
        return JSONResponse({"message": chat.view(message)})

    async def post_file(self, request: Request, holder: Holder) -> Response:
        """Take one file; its bytes are on disk before the answer."""
        self._uploads.step(holder.address, self._channel.door.clock.now())
        bytes_max = self._channel.limits.file_bytes_max
        try:
            form = await guard.bounded(request, bytes_max + ENVELOPE_BYTES_MAX).form(
                max_files=1, max_fields=4
            )
        except MultiPartException as error:
            raise Refused(400, "no_file") from error
        try:
            upload, claimed = form.get("file"), form.get("kind")
            if not isinstance(upload, UploadFile):
                raise Refused(400, "no_file")
            kind = claimed if isinstance(claimed, str) else ""
            file = await self._channel.uploads.keep(holder.address, upload, kind, bytes_max)
        finally:
            await form.close()
        sealed = kind == "photo" and file.kind != "photo"
        note = words(self._channel.door.policy.language, "reasons")["noted_sealed"] if sealed else ""
        return JSONResponse(
            {"digest": file.digest, "kind": file.kind, "bytes": file.bytes_count, "note": note}
        )

    async def post_read(self, request: Request, holder: Holder) -> Response:
        """Note what the person has on the screen."""
        up_to = (await guard.read_fields(request)).get("up_to")
        if not isinstance(up_to, str) or not up_to.startswith(holder.address + "."):
            raise Refused(400, "bad_event_id")
        try:
            async with self._channel.door.open() as desk:
                count = await chat.mark_read(desk, holder.address, up_to)
                if count:
                    await desk.store.change(holder.session, seen_at=desk.now)
        except Stale:
            count = 0  # Another page of this phone, or an amendment, was first: the next mark covers it.
        return JSONResponse({"read": count})

    async def get_stream(self, request: Request, holder: Holder) -> Response:
        """The live stream."""
        return stream(self._channel, request, holder)

    async def get_history(self, request: Request, holder: Holder) -> Response:
        """A page of older lines (`?before=`), or what changed since a point of the stream (`?after=`)."""
        before, after = request.query_params.get("before", ""), request.query_params.get("after", "")
        async with self._channel.door.read() as store:
            if after.isascii() and after.isdigit() and len(after) < 16:
                lines, more = await chat.changed_since(store, holder.address, int(after), 200), False
                sequence = lines[-1].sequence if lines else int(after)
            else:
                lines, more, sequence = await chat.page(store, holder.address, before)
        return JSONResponse(
            {"messages": [chat.view(line) for line in lines], "more": more, "sequence": sequence}
        )

    async def get_file(self, request: Request, holder: Holder) -> Response:
        """A file of this chat (`?in=` names its line): a photo's display copy, anything else sealed."""
        digest, line_id = request.path_params["digest"], request.query_params.get("in", "")
        async with self._channel.door.read() as store:
            line = await store.get(ChatMessage, line_id) if line_id.startswith(holder.address + ".") else None
        for file in line.files if line else ():
            if digest == file.remote_id:
                return self._file(digest, "image/jpeg", "")
            if digest == file.digest and file.kind != "photo":
                return self._file(digest, file.mime, file.file_name)
        raise Refused(404, "no_such_file")

    def _file(self, digest: str, mime: str, name: str) -> Response:
        path = self._channel.media.path(digest)
        if not Path(path).is_file():
            raise Refused(404, "no_such_file")
        headers = {
            "Cache-Control": "private, max-age=31536000, immutable",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        if mime == SEALED or mime.startswith("application/"):
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name or digest[:12])}"
        return FileResponse(path, media_type=mime, headers=headers)

    def _render(self, template: str, status: int, facts: dict[str, Any]) -> Response:
        policy = self._channel.door.policy
        html = self._templates.get_template(template).render(
            office=policy.office,
            language=policy.language,
            timezone=policy.timezone,
            words=words(policy.language, "phone"),
            quick=words(policy.language, "quick"),
            reasons=words(policy.language, "reasons"),
            file_bytes_max=self._channel.limits.file_bytes_max,
            text_max=self._channel.limits.text_max,
            **facts,
        )
        return HTMLResponse(html, status, guard.HEADERS)
