"""The phone's live stream: the id of each event is the screen's sequence, so it resumes after any gap."""

import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bot.channels.webchat import chat
from bot.channels.webchat.channel import WebChatChannel
from bot.channels.webchat.events import Refused
from bot.channels.webchat.links import Holder, find_holder
from bot.channels.webchat.screens import TooManyStreams, rang

HEARTBEAT_SECONDS = 15.0
EVENTS_PER_READ = 200


def stream(channel: WebChatChannel, request: Request, holder: Holder) -> Response:
    """Everything new on this phone since `Last-Event-ID` (or `?after=`), then whatever comes."""
    after = max(_number(request.headers.get("last-event-id")), _number(request.query_params.get("after")))
    try:
        channel.screens.check_room(holder.address)
    except TooManyStreams as error:
        raise Refused(429, "too_many_streams") from error
    token = request.path_params["token"]

    async def events() -> AsyncIterator[str]:
        with channel.screens.watch(holder.address) as changed:
            seen = after
            yield "retry: 2000\n\n"
            while not channel.screens.closed:
                changed.clear()
                async with channel.door.read() as store:
                    good = await find_holder(store, token, channel.door.clock.now())
                    lines = await chat.changed_since(store, holder.address, seen, EVENTS_PER_READ)
                if good is None:
                    yield "event: gone\ndata: {}\n\n"
                    return
                for line in lines:
                    seen = line.sequence
                    data = json.dumps(chat.view(line), ensure_ascii=False)
                    yield f"id: {seen}\nevent: line\ndata: {data}\n\n"
                if not lines and not await rang(changed, HEARTBEAT_SECONDS):
                    yield ": still here\n\n"

    return StreamingResponse(events(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else 0
