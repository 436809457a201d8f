"""How WeCom brings messages and events to the app: sealed, 5 s for an answer, three retries, then lost."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import secrets
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

import h11

from tests.fakes.wecom_crypto import as_xml
from tests.fakes.wecom_model import Json
from tests.fakes.wecom_world import World

SPOILS = frozenset({"bit", "corp", "padding", "signature", "entity", "body"})
_BILLION = (
    '<!DOCTYPE xml [<!ENTITY a "哈哈哈哈哈哈哈哈"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)


@dataclass(slots=True)
class Push:
    """One callback and what became of it; `outcomes` has a status, "timeout" or "refused" per attempt."""

    number: int
    sender: str
    plain: str
    target: str
    body: bytes
    outcomes: list[int | str] = field(default_factory=list)
    reply: bytes = b""
    is_lost: bool = False

    @property
    def is_answered(self) -> bool:
        """Tell whether the app said 200."""
        return bool(self.outcomes) and self.outcomes[-1] == 200

    def as_json(self) -> Json:
        """Return this for the control API."""
        more = {"answered": self.is_answered, "lost": self.is_lost, "reply": self.reply.decode("latin-1")}
        return {"number": self.number, "sender": self.sender, "outcomes": self.outcomes, **more}


class Pusher:
    """Delivers in order per member, many members at once; lives in the server's event loop."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.url = ""
        self.pushes: list[Push] = []
        self.posts = 0
        self.is_held = False
        self._numbers = count(1)
        self._message_ids = count(random.randrange(10**18, 2 * 10**18))
        self._fresh: list[Push] = []
        self._queues: dict[str, deque[Push]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(world.limits.callbacks_at_once)
        self._idle: list[_Wire] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Begin in the running loop; what waits is delivered."""
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(self.world.limits.callbacks_at_once)
        self._pump()

    async def close(self) -> None:
        """Stop; what was not answered yet waits for the next start."""
        self._loop = None
        workers = list(self._workers.values())
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        self._workers.clear()
        self._fresh[:0] = [push for queue in self._queues.values() for push in queue]
        self._queues.clear()
        for wire in self._idle:
            wire.close()
        self._idle.clear()

    # What members do.

    def message(self, sender: str, kind: str, fields: Json) -> Push:
        """Bring a message of a member."""
        body: Json = {**self._head(sender), "MsgType": kind, **fields}
        return self.push(sender, {**body, "MsgId": next(self._message_ids), "AgentID": self.world.agent_id})

    def event(self, sender: str, event: str, fields: Json) -> Push:
        """Bring an event; it has no MsgId."""
        body: Json = {**self._head(sender), "MsgType": "event", "Event": event, **fields}
        return self.push(sender, {**body, "AgentID": self.world.agent_id})

    def directory_event(self, change: str, fields: Json) -> Push:
        """Bring change_contact, which comes from "sys" and names no app."""
        head = self._head("sys") | {"MsgType": "event", "Event": "change_contact", "ChangeType": change}
        return self.push("sys", {**head, **fields})

    def _head(self, sender: str) -> Json:
        at = int(self.world.now())
        return {"ToUserName": self.world.corp_id, "FromUserName": sender, "CreateTime": at}

    def push(self, sender: str, fields: Json, spoil: str = "") -> Push:
        """Seal and queue one callback; `spoil` is one of SPOILS and makes what no app may take."""
        if spoil and spoil not in SPOILS:
            raise ValueError(f"unknown spoil {spoil!r}: {sorted(SPOILS)}")
        plain = as_xml(fields)
        if spoil == "entity":
            plain = _BILLION + plain.replace("</xml>", "<Bomb>&c;</Bomb></xml>")
        target, body = self._sealed(plain, spoil)
        return self._queue(Push(next(self._numbers), sender.lower(), plain, target, body))

    def replay(self, push: Push) -> Push:
        """Bring exactly the same bytes and query once more."""
        again = Push(next(self._numbers), push.sender, push.plain, push.target, push.body)
        return self._queue(again)

    def _sealed(self, plain: str, spoil: str) -> tuple[str, bytes]:
        world, seal = self.world, self.world.seal
        encrypted = seal.encrypt(plain, "wwsomebodyelse00001" if spoil == "corp" else None)
        if spoil == "padding":
            encrypted = _flipped(
                encrypted, -17
            )  # The padding is in the last block, and follows the one before.
        query = seal.query(seal.encrypt("<xml/>") if spoil == "signature" else encrypted, world.now())
        if spoil == "bit":
            encrypted = _flipped(encrypted, len(encrypted) // 3)
        body = seal.envelope(encrypted, world.agent_id)
        if spoil == "body":
            body = body.replace(b"</xml>", b"<Fill>" + b"x" * (10 * 1024 * 1024) + b"</Fill></xml>")
        return query, body

    def _queue(self, push: Push) -> Push:
        with self.world.lock:
            self.pushes.append(push)
            self._fresh.append(push)
        self.wake()
        return push

    # Delivering.

    def wake(self) -> None:
        """Look for what waits, from any thread."""
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._pump)

    def reorder(self) -> None:
        """Turn the order of what is held."""
        with self.world.lock:
            self._fresh.reverse()

    def _pump(self) -> None:
        if self.is_held or not self.url or self._loop is None:
            return
        with self.world.lock:
            fresh, self._fresh = self._fresh, []
        for push in fresh:
            self._queues.setdefault(push.sender, deque()).append(push)
            if push.sender not in self._workers:
                self._workers[push.sender] = asyncio.create_task(self._work(push.sender))

    async def _work(self, sender: str) -> None:
        waiting = self._queues[sender]
        while waiting:
            push = waiting[0]
            async with self._slots:
                await self._deliver(push)
            waiting.popleft()
            self.world.notify()
        del self._queues[sender], self._workers[sender]

    async def _deliver(self, push: Push) -> None:
        limits = self.world.limits
        for attempt in range(1 + limits.callback_retries):
            if attempt:
                await asyncio.sleep(limits.callback_pause_seconds)
            push.outcomes.append(await self._attempt(push))
            if push.is_answered:
                return
            self.world.notify()
        push.is_lost = True

    async def _attempt(self, push: Push) -> int | str:
        self.posts += 1
        try:
            async with asyncio.timeout(self.world.limits.callback_seconds):
                status, push.reply = await self._request("POST", push.target, push.body)
                return status
        except TimeoutError:
            return "timeout"
        except (OSError, h11.ProtocolError, EOFError):
            return "refused"

    async def _request(self, verb: str, query: str, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        wire = self._idle.pop() if self._idle else None
        if wire is None or not wire.serves(parts.netloc):
            wire = _Wire(parts.netloc)
        try:
            found = await wire.request(verb, f"{parts.path}?{query}", body)
        except BaseException:
            wire.close()
            raise
        if wire.is_reusable:
            self._idle.append(wire)
        else:
            wire.close()
        return found

    async def verify(self) -> str:
        """Check the URL as the console does when it is saved; return "" or what is wrong."""
        seal, echo = self.world.seal, str(secrets.randbelow(10**19))
        encrypted = seal.encrypt(echo)
        query = seal.query(encrypted, self.world.now(), echostr=encrypted)
        try:
            async with asyncio.timeout(self.world.limits.callback_seconds):
                status, told = await self._request("GET", query, b"")
        except (OSError, h11.ProtocolError, EOFError) as fault:
            return f"openapi回调地址请求不通过: {type(fault).__name__}"
        if status != 200 or told != echo.encode():
            return f"openapi回调地址请求不通过: {status} {told[:40]!r}"
        return ""


def _flipped(encrypted: str, at: int) -> str:
    raw = bytearray(base64.b64decode(encrypted))
    raw[at] ^= 1
    return base64.b64encode(raw).decode()


class _Wire:
    """One connection to the app, kept alive."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._state = h11.Connection(h11.CLIENT)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def serves(self, place: str) -> bool:
        """Tell whether this goes there and is still open."""
        return self._place == place and self._streams is not None and not self._streams[0].at_eof()

    @property
    def is_reusable(self) -> bool:
        """Tell whether another request may follow, and make ready for it."""
        with contextlib.suppress(h11.LocalProtocolError):
            self._state.start_next_cycle()
            return True
        return False

    def close(self) -> None:
        """Drop the connection."""
        if self._streams is not None:
            self._streams[1].close()

    async def request(self, verb: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Send one request and return status and body."""
        if self._streams is None:
            host, _, port = self._place.partition(":")
            self._streams = await asyncio.open_connection(host, int(port or 80))
        reader, writer = self._streams
        headers = [("Host", self._place), ("Content-Length", str(len(body))), ("Content-Type", "text/xml")]
        out = self._state.send(h11.Request(method=verb, target=target, headers=headers)) or b""
        if body:
            out += self._state.send(h11.Data(data=body)) or b""
        out += self._state.send(h11.EndOfMessage()) or b""
        writer.write(out)
        # A server that refuses early may close before all is sent: its answer counts all the same.
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        status, pieces = 0, b""
        while True:
            event = self._state.next_event()
            if event is h11.NEED_DATA:
                self._state.receive_data(await reader.read(65_536))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                pieces += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return status, pieces
            elif isinstance(event, h11.ConnectionClosed):
                raise EOFError("closed without an answer")
