"""The people's side: phones that write, tap, send pictures, block, and show what arrived."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.fakes.telegram_media import SMALL_JPEG
from tests.fakes.telegram_model import Account, Callback, Json, Message, Room, Update
from tests.fakes.telegram_text import CAPTION_CHARACTERS_MAX, TEXT_CHARACTERS_MAX, find_entities
from tests.fakes.telegram_world import World

_START_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CALLBACKS = count(random.randrange(10**17, 10**18))


@dataclass(frozen=True, slots=True)
class Said:
    """What a phone just did: the message shown and the update queued (None: the bot may not see it)."""

    message_id: int
    update_id: int | None
    message: Json

    def as_json(self) -> Json:
        """Return this for the control API."""
        return {"message_id": self.message_id, "update_id": self.update_id, "message": self.message}


@dataclass(frozen=True, slots=True)
class Tap:
    """A tap on an inline button; `answer` turns from None to {text, show_alert} when the bot answers it."""

    callback: Callback
    update_id: int | None

    @property
    def answer(self) -> Json | None:
        """Return what the bot answered, or None while the spinner turns."""
        return self.callback.answered

    def as_json(self) -> Json:
        """Return this for the control API."""
        return {"callback_id": self.callback.id, "update_id": self.update_id, "answer": self.answer}


class Group:
    """A group or supergroup the bot may be in."""

    def __init__(self, world: World, room: Room) -> None:
        self._world = world
        self._room = room

    @property
    def id(self) -> int:
        """Return the chat id: negative, and -100… for a supergroup."""
        return self._room.id

    @property
    def messages(self) -> list[Message]:
        """Return everything the group shows now, oldest first."""
        return list(self._room.messages.values())

    def migrate(self) -> Group:
        """Become a supergroup: the old id then answers 400 with migrate_to_chat_id."""
        world, old = self._world, self._room
        with world.lock:
            new = new_group_room(world, old.title, old.members, is_super=True)
            old.migrated_to = new.id
            someone = world.accounts[next(iter(old.members))]
            world.post_from_person(someone, old, {"migrate_to_chat_id": new.id})
            world.post_from_person(someone, new, {"migrate_from_chat_id": old.id})
        return Group(world, new)

    def remove_bot(self, by: Phone) -> None:
        """Throw the bot out."""
        with self._world.lock:
            self._room.bot_is_in = False
            self._world.membership(by.account, self._room, "member", "kicked")


def new_group_room(world: World, title: str, members: set[int], *, is_super: bool) -> Room:
    """Open a group room in the world."""
    number = -(10**12) - random.randrange(10**9, 2 * 10**9) if is_super else -random.randrange(10**6, 10**9)
    kind = "supergroup" if is_super else "group"
    room = Room(number, kind, title, members=set(members), own_ids=count(1) if is_super else None)
    world.rooms[room.id] = room
    return room


class Phone:
    """One person's Telegram. What it does is what the app allows; the rest raises here, in the test."""

    def __init__(self, world: World, account: Account) -> None:
        self._world = world
        self.account = account
        self.taps: list[Tap] = []

    @property
    def id(self) -> int:
        """Return the user id, which is also the private chat's id."""
        return self.account.id

    @property
    def messages(self) -> list[Message]:
        """Return everything the private chat shows now, oldest first; deleted messages are gone."""
        with self._world.lock:
            return list(self._room(None).messages.values())

    @property
    def received(self) -> list[Message]:
        """Return what the bot's side of the private chat shows now, oldest first."""
        return [message for message in self.messages if message.from_bot]

    @property
    def last(self) -> Message:
        """Return the newest message of the bot."""
        return self.received[-1]

    def start(self, payload: str = "") -> Said:
        """Press START, or open t.me/bot?start=payload (≤ 64 of A-Za-z0-9_-, bots/features#deep-linking)."""
        if payload and not _START_PAYLOAD.fullmatch(payload):
            raise ValueError(f"Telegram drops such a start payload: {payload!r}")
        if self.account.blocked:
            self.unblock()
        self.account.started = True
        return self.say(f"/start {payload}".strip())

    def say(self, text: str, reply_to: int | None = None, chat: Group | None = None) -> Said:
        """Write text; the app trims it and cuts what exceeds 4096 into several; return the first."""
        text = text.strip()
        if not text:
            raise ValueError("the app does not send an empty text")
        parts = [text[at : at + TEXT_CHARACTERS_MAX] for at in range(0, len(text), TEXT_CHARACTERS_MAX)]
        said = [self._post(_with_entities("text", part), chat, reply_to) for part in parts]
        return said[0]

    def photo(self, content: bytes | int | None = None, caption: str = "", chat: Group | None = None) -> Said:
        """Send a photo from bytes, from a size in bytes, or a small JPEG; EXIF is stripped."""
        return self._post({"photo": self._world.shelf.photo(content), **_captioned(caption)}, chat)

    def album(
        self, contents: list[bytes | int | None], caption: str = "", chat: Group | None = None
    ) -> list[Said]:
        """Send photos as one album: separate messages, one media_group_id, the caption on the first."""
        group = {"media_group_id": str(13_000_000_000_000_000 + self._world.shelf.album_number())}
        with self._world.lock:
            return [
                self._post(
                    {
                        **group,
                        "photo": self._world.shelf.photo(content),
                        **_captioned(caption if at == 0 else ""),
                    },
                    chat,
                )
                for at, content in enumerate(contents)
            ]

    def document(
        self,
        content: bytes | int,
        name: str = "file.pdf",
        mime: str = "application/pdf",
        caption: str = "",
        chat: Group | None = None,
    ) -> Said:
        """Send a file as it is, EXIF and all; a size instead of bytes makes a file of that size."""
        stored = self._world.shelf.keep(content, "documents", name)
        document = self._world.shelf.file_json(stored, file_name=name, mime_type=mime)
        return self._post({"document": document, **_captioned(caption)}, chat)

    def voice(self, seconds: int = 5, content: bytes | int = 9_000) -> Said:
        """Send a voice message."""
        stored = self._world.shelf.keep(content, "voice", "voice.oga")
        more = {"duration": seconds, "mime_type": "audio/ogg"}
        return self._post({"voice": self._world.shelf.file_json(stored, **more)}, None)

    def video(self, seconds: int = 5, content: bytes | int = 900_000, caption: str = "") -> Said:
        """Send a video."""
        stored = self._world.shelf.keep(content, "videos", "video.mp4")
        thumb = self._world.shelf.keep(SMALL_JPEG, "thumbnails", "thumb.jpg")
        more: Json = {"duration": seconds, "width": 1280, "height": 720, "mime_type": "video/mp4"}
        more["thumbnail"] = self._world.shelf.file_json(thumb, width=320, height=180)
        return self._post({"video": self._world.shelf.file_json(stored, **more), **_captioned(caption)}, None)

    def location(self, latitude: float, longitude: float, accuracy: float | None = None) -> Said:
        """Send a place, WGS-84."""
        return self._post({"location": _place(latitude, longitude, horizontal_accuracy=accuracy)}, None)

    def live_location(self, latitude: float, longitude: float, period: int = 900) -> Said:
        """Share a live location for `period` seconds."""
        return self._post({"location": _place(latitude, longitude, live_period=period)}, None)

    def move(self, message: Said | int, latitude: float, longitude: float) -> Said:
        """Move a live location: an edited_message."""
        shown = self._own(message)
        period = shown.body["location"]["live_period"]
        return self._edit(shown, {"location": _place(latitude, longitude, live_period=period)})

    def stop_live(self, message: Said | int) -> Said:
        """Stop a live location: an edited_message without live_period."""
        shown = self._own(message)
        place = {k: v for k, v in shown.body["location"].items() if k != "live_period"}
        return self._edit(shown, {"location": place})

    def venue(self, latitude: float, longitude: float, title: str, address: str) -> Said:
        """Send a named place: the message has both venue and location."""
        point = _place(latitude, longitude)
        venue = {"location": point, "title": title, "address": address}
        return self._post({"location": point, "venue": venue}, None)

    def contact(self, phone_number: str, name: str, user_id: int | None = None) -> Said:
        """Send a contact."""
        contact: Json = {"phone_number": phone_number, "first_name": name}
        if user_id is not None:
            contact["user_id"] = user_id
        return self._post({"contact": contact}, None)

    def sticker(self, emoji: str = "👍") -> Said:
        """Send a sticker."""
        stored = self._world.shelf.keep(12_000, "stickers", "sticker.webp")
        more: Json = {"width": 512, "height": 512, "emoji": emoji, "type": "regular"}
        more |= {"is_animated": False, "is_video": False}
        return self._post({"sticker": self._world.shelf.file_json(stored, **more)}, None)

    def poll(self, question: str, options: list[str]) -> Said:
        """Send a poll."""
        flags = {"is_closed": False, "is_anonymous": True, "allows_multiple_answers": False}
        flags |= {"allows_revoting": True, "members_only": False}
        choices = [
            {"text": text, "voter_count": 0, "persistent_id": str(at)} for at, text in enumerate(options)
        ]
        body = {"id": str(next(_CALLBACKS)), "question": question, "options": choices, "type": "regular"}
        return self._post({"poll": {**body, "total_voter_count": 0, **flags}}, None)

    def dice(self, emoji: str = "🎲", value: int = 3) -> Said:
        """Throw a dice."""
        return self._post({"dice": {"emoji": emoji, "value": value}}, None)

    def edit(self, message: Said | int, text: str) -> Said:
        """Correct one's own text or caption: an edited_message."""
        shown = self._own(message)
        key = "text" if "text" in shown.body else "caption"
        return self._edit(shown, _with_entities(key, text))

    def forward(self, text: str, origin_name: str = "某人") -> Said:
        """Forward a text of somebody whose account is hidden."""
        origin = {"type": "hidden_user", "sender_user_name": origin_name, "date": int(self._world.now()) - 60}
        return self._post({**_with_entities("text", text), "forward_origin": origin}, None)

    def press(
        self, button: str, message: int | None = None, chat: Group | None = None, stale: bool = False
    ) -> Tap | Said:
        """Press a button by its text or callback_data, on `message` or the newest that has it.

        A key of the reply keyboard says its text. `stale` taps `button` as callback_data on a card that no
        longer shows it, as a phone does that has not seen the amendment yet.
        """
        room = self._room(chat)
        with self._world.lock:
            shown = [m for m in reversed(room.messages.values()) if m.from_bot]
            if message is not None:
                shown = [m for m in shown if m.message_id == message]
            if stale:
                return self._tap(room, shown[0], button)
            for candidate in shown:
                for pressed in (b for row in candidate.inline_rows for b in row):
                    if button in (pressed["text"], pressed.get("callback_data")):
                        return self._tap(room, candidate, str(pressed["callback_data"]))
            for key in (k for m in shown for row in m.keyboard for k in row):
                if key["text"] == button and not key.get("request_location"):
                    return self.say(button, chat=chat)
        raise LookupError(f"no button {button!r}; shown: {[m.buttons for m in shown if m.buttons]}")

    def _tap(self, room: Room, message: Message, data: str) -> Tap:
        self._must_reach_bot(room)
        world = self._world
        callback = Callback(str(next(_CALLBACKS)), self.id, world.now())
        world.callbacks[callback.id] = callback
        payload: Json = {
            "id": callback.id,
            "from": self.account.as_user(),
            "message": dict(message.body),
            "chat_instance": str(room.id * 7919),
            "data": data,
        }
        tap = Tap(callback, _id(world.updates.add("callback_query", payload, f"user:{self.id}")))
        self.taps.append(tap)
        return tap

    def delete(self, message: Said | Message | int) -> None:
        """Delete a message for both sides; the bot hears nothing of it."""
        number = message if isinstance(message, int) else message.message_id
        with self._world.lock:
            del self._room(None).messages[number]

    def block(self) -> None:
        """Stop the bot: my_chat_member, and 403 for whatever it sends."""
        with self._world.lock:
            self.account.blocked = True
            self._world.membership(self.account, self._room(None), "member", "kicked")

    def unblock(self) -> None:
        """Let the bot in again."""
        with self._world.lock:
            self.account.blocked = False
            self._world.membership(self.account, self._room(None), "kicked", "member")

    def deactivate(self) -> None:
        """Delete the Telegram account."""
        self.account.deactivated = True

    def _room(self, chat: Group | None) -> Room:
        return self._world.rooms[chat.id if chat is not None else self.id]

    def _must_reach_bot(self, room: Room) -> None:
        if not room.is_group and not self.account.started:
            raise PermissionError("the app shows only the START button: call start() first")
        if not room.is_group and self.account.blocked:
            raise PermissionError("this phone has blocked the bot")

    def _post(self, content: Json, chat: Group | None, reply_to: int | None = None) -> Said:
        room = self._room(chat)
        self._must_reach_bot(room)
        with self._world.lock:
            reply = None
            if reply_to is not None:
                source = room.messages[reply_to].body
                reply = {k: v for k, v in source.items() if k != "reply_to_message"}
            message, update = self._world.post_from_person(self.account, room, content, reply)
            return Said(message.message_id, _id(update), message.body)

    def _own(self, message: Said | int) -> Message:
        number = message if isinstance(message, int) else message.message_id
        return self._room(None).messages[number]

    def _edit(self, message: Message, content: Json) -> Said:
        room = self._room(None)
        self._must_reach_bot(room)
        with self._world.lock:
            message.edits.append(message.text)
            gone = [name for name in ("entities", "caption_entities") if name in message.body]
            body = {k: v for k, v in message.body.items() if k not in gone}
            message.body = {**body, **content, "edit_date": int(self._world.now())}
            update = self._world.updates.add("edited_message", dict(message.body), f"chat:{room.id}")
            return Said(message.message_id, _id(update), message.body)


def _id(update: Update | None) -> int | None:
    return None if update is None else update.update_id


def _with_entities(key: str, text: str) -> Json:
    found = find_entities(text)
    name = "entities" if key == "text" else "caption_entities"
    return {key: text, name: found} if found else {key: text}


def _captioned(caption: str) -> Json:
    if len(caption) > CAPTION_CHARACTERS_MAX:
        raise ValueError("the app does not send a caption over 1024 characters")
    return _with_entities("caption", caption) if caption else {}


def _place(latitude: float, longitude: float, **more: Any) -> Json:
    return {
        "latitude": latitude,
        "longitude": longitude,
        **{k: v for k, v in more.items() if v is not None},
    }
