"""The AI bot's long connection: JSON frames over WebSocket, one connection per bot, events brought once.

What nobody confirmed about the vendor is data below: the errcodes named UNVERIFIED, and that messages are lost
while nobody is connected.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from wechatpy.crypto.base import WeChatCipher  # type: ignore[import-untyped]  # It ships no types.
from wechatpy.crypto.pkcs7 import PKCS7Encoder  # type: ignore[import-untyped]  # The same.

from tests.fakes.orders import due
from tests.fakes.wecom_cards import check_card
from tests.fakes.wecom_model import ApiError, Json, Member, Sent, Shown, bad_parameter
from tests.fakes.wecom_world import World

BOT_ID = "aib0FakeBotOnLoopback000000000000"
BOT_SECRET = "fakeBotSecret-0123456789-abcdefghijklmnopqr"

INVALID_REQ_ID = 846605
STREAM_EXPIRED = 846608
WRONG_SECRET = 40001  # UNVERIFIED
NEVER_MET = 93006  # UNVERIFIED: the bot may write only to who wrote to it before.
TOO_MANY = 45009  # UNVERIFIED

FRAME_FAULTS = frozenset({"errcode", "drop", "drop_after", "no_ack", "mute"})


@dataclass(slots=True)
class FrameFault:
    """One order: what happens to the next frames of a command.

    `errcode`: refused; `drop`: the line is cut before anything; `drop_after`: carried out, then cut;
    `no_ack`: carried out, never acknowledged; `mute`: from here on the peer is dead and the line stays open.
    """

    cmd: str
    kind: str
    times: int = 1
    after: int = 0
    errcode: int = 0


@dataclass(slots=True)
class Event:
    """One callback of the bot; `lines` are the connections it was sent on, oldest first."""

    number: int
    kind: str
    userid: str
    chat: str
    frame: Json
    at: float
    card: Sent | None = None
    lines: list[int] = field(default_factory=list)
    is_lost: bool = False

    @property
    def req_id(self) -> str:
        """Return what a reply has to carry."""
        return str(self.frame["headers"]["req_id"])

    def as_json(self) -> Json:
        """Return this for the control API."""
        return {"number": self.number, "kind": self.kind, "lines": self.lines, "lost": self.is_lost}


@dataclass(frozen=True, slots=True)
class Picture:
    """One encrypted file, at its URL for five minutes."""

    name: str
    sealed: bytes
    until: float


class Bot:
    """The server's end of the long connection, and what the bot's chats show."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bot_id, self.secret = BOT_ID, BOT_SECRET
        self.port = 0
        self.inboxes: dict[str, list[Shown]] = defaultdict(list)
        self.met: set[str] = set()
        self.events: list[Event] = []
        self.sends: list[Sent] = []
        self.files: dict[str, Picture] = {}
        self.media_base = ""
        self.calls: Counter[str] = Counter()
        self.takeovers = 0
        self.subscribed = 0
        self.brings_again_seconds = (
            0.0  # Kinder than the vendor: what came so shortly before a line ended comes again.
        )
        self.waiting: list[Event] = []
        self._brought: deque[tuple[Event, float]] = deque(maxlen=1000)
        self.faults: list[FrameFault] = []
        self.frames: list[Json] = []
        self._by_req_id: dict[str, Event] = {}
        self._cards: dict[str, tuple[Sent, Shown]] = {}
        self._streams: dict[str, tuple[Shown, float, bool]] = {}
        self._numbers = count(1)
        self._line: ServerConnection | None = None
        self._dead: set[ServerConnection] = set()
        self._line_number = 0
        self._server: Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self, media_base: str) -> None:
        """Listen in the running loop."""
        self.media_base = media_base
        self._loop = asyncio.get_running_loop()
        self._server = await serve(self._serve, "127.0.0.1", self.port, ping_interval=None)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        """Cut every connection and stop listening."""
        server, self._server, self._loop = self._server, None, None
        if server is not None:
            for line in list(server.connections):
                line.transport.abort()
            server.close()
            await server.wait_closed()

    # Connections.

    @property
    def is_connected(self) -> bool:
        """Tell whether somebody is signed in as the bot."""
        return self._line is not None

    async def _serve(self, line: ServerConnection) -> None:
        try:
            while True:
                limit = self.world.limits.silence_seconds
                raw = await asyncio.wait_for(line.recv(), limit)
                await self._hear(line, raw)
                self.world.notify()
        except (ConnectionClosed, TimeoutError):
            pass
        finally:
            self._dead.discard(line)
            if self._line is line:
                self._line = None
                since = time.monotonic() - self.brings_again_seconds
                self.waiting += [event for event, at in self._brought if at >= since]
                self._brought.clear()
            self.world.notify()

    async def _hear(self, line: ServerConnection, raw: str | bytes) -> None:
        try:
            frame = json.loads(raw)
            cmd, req_id = str(frame["cmd"]), str(frame["headers"]["req_id"])
        except (ValueError, KeyError, TypeError):
            await line.close(1003, "no frame")
            return
        self.calls[cmd] += 1
        self.frames.append(frame)
        fault = due(self.faults, lambda one: one.cmd in ("*", cmd))
        if fault is not None and fault.kind == "drop":
            line.transport.abort()
            return
        if fault is not None and fault.kind == "mute":
            self._dead.add(line)
        if line in self._dead:
            return
        try:
            if fault is not None and fault.kind == "errcode":
                raise ApiError(fault.errcode, "refused by the test")
            with self.world.lock:
                more = self._carry_out(line, cmd, req_id, frame.get("body") or {})
            told: Json = {"headers": {"req_id": req_id}, "errcode": 0, "errmsg": "ok", **more}
        except ApiError as refusal:
            told = {"headers": {"req_id": req_id}, "errcode": refusal.errcode, "errmsg": refusal.errmsg}
        if fault is not None and fault.kind == "drop_after":
            line.transport.abort()
            return
        if fault is None or fault.kind != "no_ack":
            await line.send(json.dumps(told, ensure_ascii=False))
        if cmd == "aibot_subscribe":
            await self._seat(line, is_welcome=told["errcode"] == 0)

    async def _seat(self, line: ServerConnection, *, is_welcome: bool) -> None:
        """Let the newest connection be the bot's only one; the former is told and shut."""
        if not is_welcome:
            await line.close(1008, "not subscribed")
            return
        former, self._line = self._line, line
        self._line_number += 1
        self.subscribed += 1
        waiting, self.waiting = self.waiting, []
        for event in waiting:
            self._deliver(event)
        if former is not None and former is not line:
            self.takeovers += 1
            body: Json = {"msgid": secrets.token_hex(12), "aibotid": self.bot_id, "msgtype": "event"}
            body["create_time"] = int(self.world.now())
            frame = self._frame(
                "aibot_event_callback", {**body, "event": {"eventtype": "disconnected_event"}}
            )
            try:
                await former.send(json.dumps(frame))
                await former.close(1000, "replaced")
            except ConnectionClosed:
                pass

    # Commands.

    def _carry_out(self, line: ServerConnection, cmd: str, req_id: str, body: Json) -> Json:
        if cmd == "aibot_subscribe":
            if (body.get("bot_id"), body.get("secret")) != (self.bot_id, self.secret):
                raise ApiError(WRONG_SECRET, "invalid bot_id or secret")
            return {}
        if self._line is not line:
            raise ApiError(WRONG_SECRET, "not subscribed")
        match cmd:
            case "ping":
                return {}
            case "aibot_send_msg":
                return self._send(body)
            case "aibot_respond_msg":
                return self._respond(self._asked(req_id, "message", self.world.limits.reply_seconds), body)
            case "aibot_respond_welcome_msg":
                event = self._asked(req_id, "enter_chat", self.world.limits.answer_seconds)
                return self._post(event.chat, self._kind(body, {"text", "template_card"}), body)
            case "aibot_respond_update_msg":
                event = self._asked(req_id, "template_card_event", self.world.limits.answer_seconds)
                return self._update(event, body)
        raise bad_parameter(f"cmd {cmd}")

    def _asked(self, req_id: str, kind: str, seconds: float) -> Event:
        event = self._by_req_id.get(req_id)
        if event is None or event.kind != kind or event.at < self.world.now() - seconds:
            raise ApiError(INVALID_REQ_ID, "invalid req_id")
        return event

    def _kind(self, body: Json, kinds: set[str]) -> str:
        kind = str(body.get("msgtype"))
        if kind not in kinds:
            raise ApiError(40008, "invalid message type")
        return kind

    def _send(self, body: Json) -> Json:
        kind = self._kind(body, {"markdown", "template_card"})
        chat = str(body.get("chatid") or "")
        if body.get("chat_type", 0) not in (0, 1, 2):
            raise bad_parameter("chat_type")
        if chat.lower() not in self.met or (self.world.member(chat) and self.world.reachable(chat) is None):
            raise ApiError(NEVER_MET, "invalid chatid")
        self._check_pace(chat)
        return self._post(chat, kind, body)

    def _check_pace(self, chat: str) -> None:
        limits = self.world.limits
        most = (60, limits.chat_per_minute), (3600, limits.chat_per_hour)
        if limits.paced and not self.world.counts.take(f"bot:{chat.lower()}", self.world.now(), *most):
            raise ApiError(TOO_MANY, "api freq out of limit")

    def _post(self, chat: str, kind: str, body: Json) -> Json:
        content = body.get(kind)
        if not isinstance(content, dict):
            raise bad_parameter(kind)
        limits = self.world.limits
        task_id = ""
        if kind == "template_card":
            check_card(content, limits)
            task_id = str(content.get("task_id") or "")
            if task_id in self._cards:
                raise bad_parameter("task_id is used already")
        elif not str(content.get("content") or "").strip():
            raise ApiError(44004, "empty content")
        elif len(content["content"].encode()) > limits.stream_bytes_max:
            raise ApiError(45002, "content size out of limit")
        now = self.world.now()
        sent = Sent(secrets.token_hex(12), kind, content, now, time.monotonic(), (chat,), task_id=task_id)
        shown = Shown(sent, dict(content), now)
        self.inboxes[chat.lower()].append(shown)
        self.sends.append(sent)
        if task_id:
            self._cards[task_id] = sent, shown
        if self.world.on_send is not None:
            self.world.on_send(sent)
        return {}

    def _respond(self, event: Event, body: Json) -> Json:
        self._check_pace(event.chat)
        kind = self._kind(body, {"stream", "markdown", "template_card"})
        if kind != "stream":
            return self._post(event.chat, kind, body)
        stream = body.get("stream") or {}
        name = str(stream.get("id") or "")
        if not name:
            raise bad_parameter("stream.id")
        if name not in self._streams:
            self._post(event.chat, "markdown", {"markdown": {"content": stream.get("content") or ""}})
            shown = self.inboxes[event.chat.lower()][-1]
            self._streams[name] = shown, self.world.now(), bool(stream.get("finish"))
            return {}
        shown, began_at, is_finished = self._streams[name]
        if is_finished or began_at < self.world.now() - self.world.limits.stream_seconds:
            raise ApiError(STREAM_EXPIRED, "stream message update expired")
        shown.content = {"content": str(stream.get("content") or "")}
        shown.edits += 1
        self._streams[name] = shown, began_at, bool(stream.get("finish"))
        return {}

    def _update(self, event: Event, body: Json) -> Json:
        card = body.get("template_card")
        if body.get("response_type") != "update_template_card" or not isinstance(card, dict):
            raise bad_parameter("response_type or template_card")
        assert event.card is not None
        if card.get("task_id") != event.card.task_id:
            raise bad_parameter("task_id is not the pressed card's")
        check_card(card, self.world.limits)
        shown = self._cards[event.card.task_id][1]
        shown.content = dict(card)
        shown.replaced_by = str(card.get("replace_text", ""))
        shown.edits += 1
        return {}

    # Events.

    def message(self, member: Member, kind: str, fields: Json, group: str = "") -> Event:
        """Bring a member's message; from now on the bot may write to this chat."""
        chat = group or member.userid
        self.met.add(chat.lower())
        body: Json = {"msgid": secrets.token_hex(16), "aibotid": self.bot_id}
        body |= {"chatid": group, "chattype": "group"} if group else {"chattype": "single"}
        body |= {"from": {"userid": member.userid}, "msgtype": kind, **fields}
        return self._bring("message", member, chat, self._frame("aibot_msg_callback", body))

    def event(self, member: Member, kind: str, fields: Json, card: Sent | None = None) -> Event:
        """Bring an event of a member's single chat."""
        body: Json = {"msgid": secrets.token_hex(16), "create_time": int(self.world.now())}
        body |= {"aibotid": self.bot_id, "chattype": "single", "from": {"userid": member.userid}}
        body |= {"msgtype": "event", "event": {"eventtype": kind, **fields}}
        return self._bring(kind, member, member.userid, self._frame("aibot_event_callback", body), card)

    def again(self, event: Event) -> Event:
        """Bring the same event once more, as a platform may by mistake: same msgid, new req_id."""
        frame = self._frame(event.frame["cmd"], event.frame["body"])
        member = self.world.member(event.userid)
        assert member is not None
        return self._bring(event.kind, member, event.chat, frame, event.card)

    def _frame(self, cmd: str, body: Json) -> Json:
        return {"cmd": cmd, "headers": {"req_id": secrets.token_hex(12)}, "body": body}

    def _bring(self, kind: str, member: Member, chat: str, frame: Json, card: Sent | None = None) -> Event:
        event = Event(next(self._numbers), kind, member.userid, chat, frame, self.world.now(), card)
        with self.world.lock:
            self.events.append(event)
            self._by_req_id[event.req_id] = event
        self._call(self._deliver, event)
        return event

    def _call(self, act: Any, *facts: Any) -> None:
        loop = self._loop
        if loop is None:
            for event in facts:
                if isinstance(event, Event):
                    event.is_lost = True
            return
        loop.call_soon_threadsafe(act, *facts)

    def _deliver(self, event: Event) -> None:
        """Put the frame on the line there is now; with none it is lost, unless the knob keeps it."""
        line = self._line
        if line is None or line in self._dead or line.state is not State.OPEN:
            if self.brings_again_seconds:
                self.waiting.append(event)
            else:
                event.is_lost = True
        else:
            event.lines.append(self._line_number)
            if self.brings_again_seconds:
                self._brought.append((event, time.monotonic()))
            line.protocol.send_text(json.dumps(event.frame, ensure_ascii=False).encode())
            line.send_data()
        self.world.notify()

    def keep_file(self, content: bytes, name: str) -> Json:
        """Return url and aeskey of a file, sealed with a key of its own."""
        key = secrets.token_bytes(32)
        sealed = bytes(WeChatCipher(key).encrypt(PKCS7Encoder.encode(content)))
        number = secrets.token_hex(16)
        until = self.world.now() + self.world.limits.media_url_seconds
        self.files[number] = Picture(name, sealed, until)
        return {"url": f"{self.media_base}/media/{number}", "aeskey": base64.b64encode(key).decode()}

    def shown_card(self, task_id: str) -> Shown:
        """Return a card as it is shown now."""
        return self._cards[task_id][1]

    # Knobs.

    def cut(self) -> None:
        """Cut the line without a word."""

        def abort() -> None:
            if self._line is not None:
                self._line.transport.abort()

        self._call(abort)

    def bring_raw(self, text: str) -> None:
        """Put any text on the line."""

        def put() -> None:
            if self._line is not None:
                self._line.protocol.send_text(text.encode())
                self._line.send_data()

        self._call(put)

    def fail_next(self, cmd: str, kind: str, *, times: int = 1, after: int = 0, errcode: int = 0) -> None:
        """Spoil the next frames of a command ("*": any); the kinds are listed at FrameFault."""
        if kind not in FRAME_FAULTS:
            raise ValueError(f"unknown fault {kind!r}: {sorted(FRAME_FAULTS)}")
        self.faults.append(FrameFault(cmd, kind, times, after, errcode))
