"""Reads a stored update as an `Inbound`, the same record every channel gives."""

import re
from datetime import UTC, datetime
from typing import Any

from bot.channels.telegram.contents import (
    contact_words,
    files_in,
    object_in,
    other_words,
    place_in,
    text_in,
)
from bot.channels.telegram.envelope import Json, read_update, update_number
from desk.model import Inbound

CHANNEL = "telegram"
_MESSAGES = ("message", "edited_message", "channel_post", "edited_channel_post")
_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,64})(?:@\w+)?(?:\s+|$)")
_NAME_MAX = 128


def read_inbound(raw: bytes, language: str) -> Inbound | None:
    """What an update means; None when it means nothing to us. Raises ValueError on nonsense.

    Of a JSON key given twice the last one counts."""
    update = read_update(raw)
    event_id = str(update_number(update))
    if "callback_query" in update:
        return _read_tap(event_id, object_in(update, "callback_query"))
    for name in _MESSAGES:
        if name in update:
            message = object_in(update, name)
            return _read_message(event_id, message, language, edited=name.startswith("edited"))
    return None


def _read_tap(event_id: str, tap: Json) -> Inbound | None:
    data = text_in(tap, "data")
    if not data:
        return None  # A game's button.
    verb, _, ref = data.partition(":")
    card = object_in(tap, "message")
    address, name = _who(tap, object_in(card, "chat"))
    return Inbound(
        CHANNEL,
        event_id,
        address,
        "choice",
        sender_name=name,
        verb=verb,
        ref=ref,
        message_id=_message_id(card, object_in(card, "chat")),
        interaction=text_in(tap, "id"),
        private=object_in(card, "chat").get("type") == "private",
    )


def _read_message(event_id: str, message: Json, language: str, *, edited: bool) -> Inbound | None:
    chat = object_in(message, "chat")
    address, name = _who(message, chat)
    text = text_in(message, "text", "caption")
    files, place = files_in(message), place_in(message, language)
    kind = "media" if files else "place" if place else "text"
    if kind == "text" and not text:
        text = contact_words(message, language)
        if not text:
            kind, text = "other", other_words(message, language)
        if not text:
            return None  # A service message, such as a pinned message or a new group title.
    elif kind == "text":
        kind, text = _read_command(text)
    return Inbound(
        CHANNEL,
        event_id,
        address,
        "edit" if edited else kind,
        sent_at=_moment(message.get("edit_date") or message.get("date")),
        sender_name=name,
        text=text,
        files=files,
        place=place,
        album=text_in(message, "media_group_id"),
        message_id=_message_id(message, chat),
        reply_to=_message_id(object_in(message, "reply_to_message"), chat),
        edited=edited,
        forwarded=any(key in message for key in ("forward_origin", "forward_date", "is_automatic_forward")),
        private=chat.get("type") == "private",
    )


def _who(part: Json, chat: Json) -> tuple[str, str]:
    """Address and name: the person's, or the chat's for those who speak for one and are nobody to us."""
    person = object_in(part, "from")
    number = person.get("id")
    # An anonymous admin or a channel speaks as a chat; another bot is no officer either.
    if type(number) is int and "sender_chat" not in part and person.get("is_bot") is not True:
        names = (text_in(person, "first_name"), text_in(person, "last_name"))
        return str(number), " ".join(filter(None, names))[:_NAME_MAX]
    if type(chat.get("id")) is not int:
        raise ValueError("neither sender nor chat")
    return str(chat["id"]), text_in(object_in(part, "sender_chat") or chat, "title", "first_name")[:_NAME_MAX]


def _read_command(text: str) -> tuple[str, str]:
    """Kind and text; `/name@bot words`, as groups write it, reads like `/name words`."""
    found = _COMMAND.match(text)
    if not found:
        return "text", text
    rest = text[found.end() :].strip()
    if found[1].lower() == "start":
        return "start", rest
    return "text", f"/{found[1]} {rest}".strip()


def _moment(value: Any) -> datetime | None:
    if type(value) is not int:
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _message_id(message: Json, chat: Json) -> str:
    """A message's id; Telegram counts them anew in every chat, so outside a private chat the chat stands before it."""
    number = _number(message.get("message_id"))
    return number if not number or chat.get("type") == "private" else f"{_number(chat.get('id'))}/{number}"


def _number(value: Any) -> str:
    return str(value) if type(value) is int else ""
