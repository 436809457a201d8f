"""The state of the fake Telegram: who is there, what every chat shows, what was sent."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import count

from tests.fakes.telegram_faults import Faults
from tests.fakes.telegram_limits import Limiter, Limits
from tests.fakes.telegram_media import Shelf
from tests.fakes.telegram_model import (
    Account,
    Callback,
    Json,
    Message,
    Room,
    Send,
    Update,
    bad_request,
    forbidden,
)
from tests.fakes.telegram_updates import UpdateQueue

DEFAULT_TOKEN = "7000000001:AAFakeTelegramTokenForLoopbackOnly000"


class World:
    """Everything behind the API, changed only under `lock`; `notify` tells those who wait."""

    def __init__(self, token: str, clock: Callable[[], float], limits: Limits) -> None:
        self.token = token
        self.clock = clock
        self.offset = 0.0
        self.lock = threading.RLock()
        self.listeners: list[Callable[[], None]] = []
        self.privacy_mode = True
        self.me: Json = {
            "id": int(token.split(":")[0]),
            "is_bot": True,
            "first_name": "点到",
            "username": "muster_fake_bot",
        }
        self.accounts: dict[int, Account] = {}
        self.rooms: dict[int, Room] = {}
        self.shelf = Shelf()
        self.callbacks: dict[str, Callback] = {}
        self.sends: list[Send] = []
        self.on_send: Callable[[Send], None] | None = None
        self.calls: Counter[str] = Counter()
        self.actions: list[tuple[int, str]] = []
        self.settings: dict[tuple[str, str, str], object] = {}
        self.limiter = Limiter(limits)
        self.faults = Faults()
        self.updates = UpdateQueue(self.now, self.notify)
        self._message_ids = count(random.randrange(100, 5000))

    def now(self) -> float:
        """Return Unix seconds, moved by `advance`."""
        return self.clock() + self.offset

    def notify(self) -> None:
        """Wake whoever waits for a change."""
        for listener in list(self.listeners):
            listener()

    def account(self, user_id: int) -> Account:
        """Return a known account, or fail loudly: tests meet people through phones."""
        return self.accounts[user_id]

    def room_for_send(self, chat_id: object) -> Room:
        """Return the room the bot may write to, or refuse as the real server does."""
        room = self.find_room(chat_id)
        if room.is_group:
            if room.migrated_to is not None:
                raise bad_request(
                    "group chat was upgraded to a supergroup chat", migrate_to_chat_id=room.migrated_to
                )
            if not room.bot_is_in:
                raise forbidden(f"bot was kicked from the {room.kind} chat")
            return room
        account = self.accounts[room.id]
        if account.deactivated:
            raise forbidden("user is deactivated")
        if account.blocked:
            raise forbidden("bot was blocked by the user")
        if not account.started:
            raise forbidden("bot can't initiate conversation with a user")
        return room

    def find_room(self, chat_id: object) -> Room:
        """Return the room with this id, or answer "chat not found"."""
        if chat_id in (None, ""):
            raise bad_request("chat_id is empty")
        try:
            return self.rooms[int(str(chat_id))]
        except (KeyError, ValueError):
            raise bad_request("chat not found") from None

    def message_number(self, room: Room) -> int:
        """Return the next message id; a supergroup counts for itself, all else shares one counter."""
        return next(room.own_ids if room.own_ids is not None else self._message_ids)

    def post_from_bot(
        self, method: str, room: Room, content: Json, markup: Json | None = None, reply: Json | None = None
    ) -> Json:
        """Put a message of the bot into the room, record the send, and return the Message object."""
        at = self.now()
        number = self.message_number(room)
        body: Json = {
            "message_id": number,
            "from": self.me,
            "chat": room.as_chat(),
            "date": int(at),
            **content,
        }
        if reply is not None:
            body["reply_to_message"] = reply
        if markup is not None and "inline_keyboard" in markup:
            body["reply_markup"] = markup
        message = Message(room.id, number, body, from_bot=True, at=at, markup=markup)
        room.messages[number] = message
        send = Send(method, room.id, number, message.text, at, time.monotonic(), body)
        self.sends.append(send)
        if self.on_send is not None:
            self.on_send(send)
        return body

    def post_from_person(
        self, account: Account, room: Room, content: Json, reply: Json | None = None
    ) -> tuple[Message, Update | None]:
        """Put a person's message into the room and queue the update when the bot may see it."""
        at = self.now()
        number = self.message_number(room)
        body: Json = {
            "message_id": number,
            "from": account.as_user(),
            "chat": room.as_chat(),
            "date": int(at),
            **content,
        }
        if reply is not None:
            body["reply_to_message"] = reply
        message = Message(room.id, number, body, from_bot=False, at=at)
        room.messages[number] = message
        if not self._bot_sees(room, body):
            self.notify()
            return message, None
        return message, self.updates.add("message", dict(body), f"chat:{room.id}")

    def _bot_sees(self, room: Room, body: Json) -> bool:
        # Privacy mode (core.telegram.org/bots/features#privacy-mode): in groups a bot hears commands,
        # replies to itself and service messages only.
        if not room.is_group:
            return True
        if not room.bot_is_in:
            return False
        entities = [*body.get("entities", []), *body.get("caption_entities", [])]
        is_command = any(e["type"] == "bot_command" and e["offset"] == 0 for e in entities)
        to_bot = body.get("reply_to_message", {}).get("from", {}).get("id") == self.me["id"]
        is_service = any(
            key in body for key in ("group_chat_created", "new_chat_members", "left_chat_member")
        ) or ("migrate_to_chat_id" in body or "migrate_from_chat_id" in body)
        return not self.privacy_mode or is_command or to_bot or is_service

    def membership(self, account: Account, room: Room, old: str, new: str) -> Update | None:
        """Queue my_chat_member, as for a block, an unblock or a removal (bots/api#chatmemberupdated)."""
        payload: Json = {
            "chat": room.as_chat(),
            "from": account.as_user(),
            "date": int(self.now()),
            "old_chat_member": self._member(old),
            "new_chat_member": self._member(new),
        }
        return self.updates.add("my_chat_member", payload, f"chat:{room.id}")

    def _member(self, status: str) -> Json:
        member: Json = {"user": self.me, "status": status}
        if status == "kicked":
            member["until_date"] = 0
        return member
