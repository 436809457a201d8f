"""A fake Telegram Bot API server: real HTTP on loopback, the true rules, people with phones.

In a test: `with FakeTelegram() as fake:` or `async with FakeTelegram() as fake:` (its own thread either way).
In its own process: `python -m tests.fakes.telegram_server --port N`, driven over /_control/.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from tests.fakes.loopback import LoopbackServer, serve_until_told
from tests.fakes.telegram_control import Control
from tests.fakes.telegram_delivery import Delivery
from tests.fakes.telegram_faults import Fault, Spell
from tests.fakes.telegram_http import NOT_FOUND, BotApi, refusal
from tests.fakes.telegram_limits import Limits
from tests.fakes.telegram_model import Account, Json, Room, Send
from tests.fakes.telegram_people import Group, Phone, Said, new_group_room
from tests.fakes.telegram_world import DEFAULT_TOKEN, World

__all__ = ["FakeTelegram", "Group", "Limits", "Phone", "Said", "Send"]


class FakeTelegram(LoopbackServer):
    """One bot's Telegram: start it, give `base_url` to the product, and act through phones."""

    def __init__(
        self,
        token: str = DEFAULT_TOKEN,
        *,
        clock: Callable[[], float] = time.time,
        limits: Limits | None = None,
        port: int = 0,
        retry_factor: float = 1.0,
        require_https: bool = False,
    ) -> None:
        self.limits = limits or Limits()
        self.world = World(token, clock, self.limits)
        super().__init__(port, self.world.listeners)
        self.phones: dict[int, Phone] = {}
        self.groups: dict[int, Group] = {}
        self._delivery = Delivery(self.world, retry_factor, require_https=require_https)
        self._api = BotApi(self.world, self._delivery)

    @property
    def tells_date(self) -> str:
        """The `Date` of every good answer; "" for none."""
        return self._api.tells_date

    @tells_date.setter
    def tells_date(self, date: str) -> None:
        self._api.tells_date = date

    @property
    def weather(self) -> Callable[[str], Spell | None] | None:
        """What each call of a method meets; None while the platform is well."""
        return self._api.weather

    @weather.setter
    def weather(self, weather: Callable[[str], Spell | None] | None) -> None:
        self._api.weather = weather

    @property
    def slowest_answer_seconds(self) -> float:
        """How long the webhook let an update wait at most."""
        return self._delivery.slowest_answer_seconds

    def app(self) -> Starlette:
        """Return the routes of the Bot API and of the control API."""
        api = self._api
        api.closing = self.closing

        async def nothing(request: Any, fault: Exception) -> Any:
            return refusal(NOT_FOUND)

        both = ["GET", "POST"]
        routes = [
            Route("/bot{token}/{method}", api.method, methods=both),
            Route("/file/bot{token}/{path:path}", api.file, methods=["GET"]),
            *Control(self).routes(),
        ]
        return Starlette(routes=routes, exception_handlers={404: nothing})

    async def opened(self) -> None:
        """Begin to deliver updates."""
        self._delivery.open()

    async def ending(self) -> None:
        """Stop delivering; nothing unconfirmed is lost."""
        await self._delivery.close()

    # Addresses.

    @property
    def token(self) -> str:
        """Return the bot token the server takes."""
        return self.world.token

    @property
    def base_url(self) -> str:
        """Return what stands before the token, as python-telegram-bot's base_url."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        """Return python-telegram-bot's base_file_url."""
        return f"{self.url}/file/bot"

    # People.

    def phone(self, user_id: int, name: str | None = None, *, started: bool = False) -> Phone:
        """Return the phone of a person, made on first use; `started` means START was pressed long ago."""
        with self.world.lock:
            if user_id not in self.phones:
                account = Account(user_id, name or f"用户{user_id}")
                self.world.accounts[user_id] = account
                self.world.rooms[user_id] = Room(user_id, "private", account.name)
                self.phones[user_id] = Phone(self.world, account)
            phone = self.phones[user_id]
            phone.account.started = phone.account.started or started
            return phone

    def group(self, title: str, members: list[Phone], *, supergroup: bool = False) -> Group:
        """Open a group with the bot in it; the bot hears my_chat_member."""
        with self.world.lock:
            ids = {member.id for member in members}
            room = new_group_room(self.world, title, ids, is_super=supergroup)
            group = self.groups[room.id] = Group(self.world, room)
            self.world.membership(members[0].account, room, "left", "member")
            return group

    # Knobs.

    def fail_next(
        self,
        method: str,
        kind: str,
        *,
        times: int = 1,
        after: int = 0,
        chat_id: int | None = None,
        retry_after: int = 1,
        description: str = "",
    ) -> None:
        """Spoil the next calls of a method ("*": any, "file": downloads); the kinds are listed at Fault."""
        self.world.faults.order(Fault(method, kind, times, after, chat_id, retry_after, description))

    def advance(self, seconds: float) -> None:
        """Move the platform's clock: lifetimes, limits and dates, but not long polls."""
        self.world.offset += seconds
        self.world.notify()

    def hold_updates(self) -> None:
        """Keep updates back, as when the line to the bot is down."""
        self.world.updates.held = True

    def release_updates(self) -> None:
        """Deliver again what was held."""
        self.world.updates.held = False
        self.world.notify()

    def reorder_updates(self) -> None:
        """Turn the order of what waits; hold first, so that something waits."""
        with self.world.lock:
            self.world.updates.reverse()

    def duplicate_update(self, update: Said | int) -> None:
        """Deliver an update again under its own id, confirmed or not."""
        number = update if isinstance(update, int) else update.update_id
        if number is None:
            raise LookupError("the bot was never shown this message")
        with self.world.lock:
            self.world.updates.duplicate(number)

    def restart_update_ids(self) -> None:
        """Number on from a smaller random id, as after a quiet week."""
        self.world.updates.restart_ids()

    @property
    def privacy_mode(self) -> bool:
        """Tell whether the bot hears only commands and replies in groups; on, as for every new bot."""
        return self.world.privacy_mode

    @privacy_mode.setter
    def privacy_mode(self, on: bool) -> None:
        self.world.privacy_mode = on

    @property
    def latency_seconds(self) -> float:
        """Return how long every call waits before it is carried out."""
        return self._api.latency_seconds

    @latency_seconds.setter
    def latency_seconds(self, seconds: float) -> None:
        self._api.latency_seconds = seconds

    @property
    def retry_factor(self) -> float:
        """Return what webhook retry pauses are multiplied with."""
        return self._delivery.retry_factor

    @retry_factor.setter
    def retry_factor(self, factor: float) -> None:
        self._delivery.retry_factor = factor

    @property
    def on_send(self) -> Callable[[Send], None] | None:
        """Return the hook called in the server's thread for every message put in front of somebody."""
        return self.world.on_send

    @on_send.setter
    def on_send(self, hook: Callable[[Send], None] | None) -> None:
        self.world.on_send = hook

    # Figures.

    @property
    def sends(self) -> list[Send]:
        """Return every message really delivered, in order, with its moment."""
        return self.world.sends

    @property
    def calls(self) -> Counter[str]:
        """Return how often each method was called, by lower-case name, "file" for downloads."""
        return self.world.calls

    @property
    def unconfirmed(self) -> list[Json]:
        """Return the updates the bot has not confirmed, oldest first."""
        with self.world.lock:
            return [update.as_json() for update in self.world.updates.live()]

    @property
    def is_polled(self) -> bool:
        """Tell whether a long poll of the bot waits right now."""
        return self._delivery.is_polled

    def stats(self) -> Json:
        """Return the figures tests ask for."""
        with self.world.lock:
            updates = self.world.updates
            return {
                "unconfirmed": len(updates.live()),
                "confirmed": updates.confirmed,
                "expired": updates.expired,
                "sends": len(self.sends),
                "too_many": self.world.limiter.refused,
                "conflicts": self._delivery.conflicts,
                "webhook_posts": self._delivery.deliveries,
                "faults_open": len(self.world.faults.orders),
                "calls": dict(self.calls),
            }


def main() -> None:
    """Serve until SIGTERM or Ctrl-C; one JSON line tells port, base_url and token."""
    parser = argparse.ArgumentParser(description="Fake Telegram Bot API server on loopback")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default=DEFAULT_TOKEN)
    parser.add_argument("--retry-factor", type=float, default=1.0)
    parser.add_argument("--no-limits", action="store_true")
    args = parser.parse_args()
    limits = Limits(enabled=not args.no_limits)
    fake = FakeTelegram(args.token, limits=limits, port=args.port, retry_factor=args.retry_factor).start()
    line = {"port": fake.port, "url": fake.url, "base_url": fake.base_url, "token": fake.token}
    serve_until_told(fake, line)


if __name__ == "__main__":
    main()
