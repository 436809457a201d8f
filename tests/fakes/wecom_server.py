"""A fake WeCom: real HTTP on loopback, real encryption, the true rules, members with phones.

In a test: `with FakeWeCom() as fake:` or `async with FakeWeCom() as fake:` (its own thread either way).
In its own process: `python -m tests.fakes.wecom_server --port N`, driven over /_control/.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.fakes.loopback import LoopbackServer, serve_until_told
from tests.fakes.wecom_bot import Bot, Event
from tests.fakes.wecom_bot_people import BotPhone
from tests.fakes.wecom_callback import Push, Pusher
from tests.fakes.wecom_control import Control
from tests.fakes.wecom_faults import Fault
from tests.fakes.wecom_http import ServerApi
from tests.fakes.wecom_limits import Limits
from tests.fakes.wecom_model import Json, Member, Sent, Shown
from tests.fakes.wecom_people import Phone
from tests.fakes.wecom_world import World

__all__ = ["BotPhone", "Event", "FakeWeCom", "Limits", "Phone", "Push", "Sent", "Shown"]


class FakeWeCom(LoopbackServer):
    """One corp with one self-built app: start it, give `settings` to the product, act through phones."""

    def __init__(
        self, *, clock: Callable[[], float] = time.time, limits: Limits | None = None, port: int = 0
    ) -> None:
        self.limits = limits or Limits()
        self.world = World(clock, self.limits)
        super().__init__(port, self.world.listeners)
        self.phones: dict[str, Phone] = {}
        self.bot = Bot(self.world)
        self.bot_phones: dict[str, BotPhone] = {}
        self._pusher = Pusher(self.world)
        self._api = ServerApi(self.world)

    def app(self) -> Starlette:
        """Return the routes of the server API and of the control API."""
        api = self._api
        api.closing = self.closing

        routes = [
            Route("/media/{number}", self._media, methods=["GET"]),
            Route("/cgi-bin/{method:path}", api.method, methods=["GET", "POST"]),
            *Control(self).routes(),
        ]
        return Starlette(routes=routes)

    async def opened(self) -> None:
        """Begin to bring callbacks, and to listen for the bot's connection."""
        self._pusher.open()
        await self.bot.open(self.url)

    async def ending(self) -> None:
        """Stop bringing callbacks; what was not answered waits."""
        await self.bot.close()
        await self._pusher.close()

    async def _media(self, request: Request) -> Response:
        """Answer with a bot's file as it is kept: encrypted, for five minutes."""
        self.calls["media"] += 1
        fault = self.world.faults.take("media")
        if fault is not None and fault.is_before:
            return self._api.spoiled_before(fault)
        found = self.bot.files.get(request.path_params["number"])
        if found is None or found.until < self.world.now():
            return Response("gone", status_code=404)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name)}"}
        response = Response(found.sealed, headers=headers, media_type="application/octet-stream")
        return response if fault is None else self._api.spoiled_after(fault, response)

    # What the product is configured with.

    @property
    def base_url(self) -> str:
        """Return what stands before /cgi-bin."""
        return self.url

    @property
    def settings(self) -> Json:
        """Return the keys of [wecom] for callback mode."""
        world = self.world
        return {
            "mode": "callback",
            "corp_id": world.corp_id,
            "agent_id": world.agent_id,
            "secret": world.secret,
            "callback_token": world.seal.token,
            "encoding_aes_key": world.seal.aes_key,
            "base_url": self.base_url,
        }

    @property
    def ws_url(self) -> str:
        """Return where the bot dials."""
        return f"ws://127.0.0.1:{self.bot.port}"

    @property
    def bot_settings(self) -> Json:
        """Return the keys of [wecom] for the long connection."""
        bot = self.bot
        mode = {"mode": "long_connection", "bot_id": bot.bot_id, "bot_secret": bot.secret}
        return {**mode, "ws_url": self.ws_url}

    @property
    def callback_url(self) -> str:
        """Return where callbacks go."""
        return self._pusher.url

    @callback_url.setter
    def callback_url(self, url: str) -> None:
        self._pusher.url = url
        self._pusher.wake()

    async def verify_callback(self) -> str:
        """Check the callback URL as the console does when it is saved; return "" or what is wrong."""
        assert self._loop is not None, "the server does not run"
        verdict = asyncio.run_coroutine_threadsafe(self._pusher.verify(), self._loop)
        return await asyncio.wrap_future(verdict)

    # People.

    def phone(self, userid: str, name: str | None = None, *, mobile: str = "", **more: Any) -> Phone:
        """Return the phone of a member, added to the directory on first use."""
        with self.world.lock:
            key = userid.lower()
            if key not in self.phones:
                member = Member(userid, name or f"成员{userid}", mobile, **more)
                self.world.members[key] = member
                self.phones[key] = Phone(self.world, self._pusher, member)
            return self.phones[key]

    def bot_phone(self, userid: str, name: str | None = None, *, met: bool = False) -> BotPhone:
        """Return the member's chat with the AI bot; `met` means that they wrote to it long ago."""
        with self.world.lock:
            key = userid.lower()
            if key not in self.bot_phones:
                member = self.phone(userid, name).member
                self.bot_phones[key] = BotPhone(self.world, self.bot, member)
            if met:
                self.bot.met.add(key)
            return self.bot_phones[key]

    def directory_event(self, change: str, fields: Json) -> Push:
        """Bring change_contact: create_user, update_user, delete_user …"""
        return self._pusher.directory_event(change, fields)

    def robot(self, key: str) -> list[Json]:
        """Return what a group's robot with this key has said, opening the group on first use."""
        return self.world.robots.setdefault(key, [])

    # Knobs.

    def fail_next(self, method: str, kind: str, *, times: int = 1, after: int = 0, **more: Any) -> None:
        """Spoil the next calls of a method ("*": any); the kinds are listed at Fault."""
        self.world.faults.orders.append(Fault(method, kind, times, after, **more))

    def refuse_next(self, method: str, errcode: int, *, times: int = 1, after: int = 0) -> None:
        """Refuse the next calls of a method with an errcode."""
        self.fail_next(method, "errcode", times=times, after=after, errcode=errcode)

    def advance(self, seconds: float) -> None:
        """Move the platform's clock: lifetimes, limits and dates, but not the wait for an answer."""
        self.world.offset += seconds
        self.world.notify()

    def revoke_tokens(self) -> None:
        """Make every access token unknown (40014)."""
        with self.world.lock:
            self.world.tokens.clear()

    def expire_tokens(self) -> None:
        """Let every access token be over (42001)."""
        with self.world.lock:
            self.world.tokens = dict.fromkeys(self.world.tokens, 0.0)

    def hold_callbacks(self) -> None:
        """Keep callbacks back."""
        self._pusher.is_held = True

    def release_callbacks(self) -> None:
        """Bring what was held."""
        self._pusher.is_held = False
        self._pusher.wake()

    def reorder_callbacks(self) -> None:
        """Turn the order of what is held; only a member's own order can be seen."""
        self._pusher.reorder()

    def replay(self, push: Push) -> Push:
        """Bring exactly the same request once more."""
        return self._pusher.replay(push)

    @property
    def latency_seconds(self) -> float:
        """Return how long every call waits before it is carried out."""
        return self._api.latency_seconds

    @latency_seconds.setter
    def latency_seconds(self, seconds: float) -> None:
        self._api.latency_seconds = seconds

    @property
    def on_send(self) -> Callable[[Sent], None] | None:
        """Return the hook called in the server's thread for every accepted message."""
        return self.world.on_send

    @on_send.setter
    def on_send(self, hook: Callable[[Sent], None] | None) -> None:
        self.world.on_send = hook

    # Figures.

    @property
    def sends(self) -> list[Sent]:
        """Return every accepted message, in order, with its moment and whom it reached."""
        return self.world.sends

    @property
    def pushes(self) -> list[Push]:
        """Return every callback, in order, with what became of it."""
        return self._pusher.pushes

    @property
    def calls(self) -> Counter[str]:
        """Return how often each method was called."""
        return self.world.calls

    def stats(self) -> Json:
        """Return the figures tests ask for."""
        with self.world.lock:
            pushes = self._pusher.pushes
            return {
                "sends": len(self.sends),
                "reached": sum(len(sent.reached) for sent in self.sends),
                "dropped": sum(len(sent.dropped) for sent in self.sends),
                "repeats_dropped": self.world.repeats_dropped,
                "pushes": len(pushes),
                "answered": sum(push.is_answered for push in pushes),
                "lost": sum(push.is_lost for push in pushes),
                "posts": self._pusher.posts,
                "bot_sends": len(self.bot.sends),
                "bot_events": len(self.bot.events),
                "bot_lost": sum(event.is_lost for event in self.bot.events),
                "bot_subscribed": self.bot.subscribed,
                "bot_takeovers": self.bot.takeovers,
                "bot_calls": dict(self.bot.calls),
                "faults_open": len(self.world.faults.orders),
                "calls": dict(self.calls),
            }


def main() -> None:
    """Serve until SIGTERM or Ctrl-C; one JSON line tells the port and the keys of [wecom]."""
    parser = argparse.ArgumentParser(description="Fake WeCom on loopback")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--callback-url", default="")
    parser.add_argument("--no-limits", action="store_true")
    args = parser.parse_args()
    fake = FakeWeCom(limits=Limits(paced=not args.no_limits), port=args.port).start()
    fake.callback_url = args.callback_url
    tables = {"settings": fake.settings, "bot_settings": fake.bot_settings}
    serve_until_told(fake, {"port": fake.port, "url": fake.url, **tables})


if __name__ == "__main__":
    main()
