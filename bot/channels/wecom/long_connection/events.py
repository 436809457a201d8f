"""Reads a stored frame as an `Inbound`, the same record every channel gives."""

# The inbox row holds one JSON object: `frame` as it came, `at` (epoch seconds of its coming), and `chosen` (the button
# a typed number stands for, and the message that listed it) where that applies.

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.channels.wecom.envelope import Chosen
from bot.channels.wecom.long_connection.frames import (
    EVENT,
    MESSAGE,
    PRESSED,
    Json,
    event_id_of,
    kind_of_event,
    part_in,
    read,
    req_id_of,
    sender_of,
    text_in,
)
from bot.channels.wecom.long_connection.place_card import PLACE, chosen_places
from bot.channels.wecom.messages import CHANNEL, interaction
from bot.channels.wecom.words import chat
from desk.model import Inbound, RemoteFile

_FILES = {"image": ("photo", "image/jpeg"), "video": ("video", "video/mp4"), "file": ("file", "")}
_START = re.compile(r"/start(?:\s+|$)")
_NAMED = re.compile(
    r"\s*@\S+[\s\u2005]+"
)  # In a group the bot is named first; the blank may be a narrow one.
_LINK_SEPARATOR = " "


@dataclass(frozen=True)
class Event:
    """A stored frame, read."""

    frame: Json
    at: float
    chosen: Chosen | None = None


def row_of(frame: Json, at: float, chosen: Chosen | None = None) -> bytes:
    """The row of a frame."""
    row: Json = {"frame": frame, "at": at}
    if chosen is not None:
        row["chosen"] = [chosen.token, chosen.task_id]
    return json.dumps(row).encode("ascii")


def read_row(raw: bytes) -> Event:
    """A row, read. Raises ValueError on nonsense."""
    row = read(raw)
    frame, at, chosen = row.get("frame"), row.get("at"), row.get("chosen")
    if not isinstance(frame, dict) or isinstance(at, bool) or not isinstance(at, int | float):
        raise ValueError("not a stored frame")
    if not isinstance(chosen, list) or len(chosen) != 2:
        return Event(frame, float(at))
    return Event(frame, float(at), Chosen(str(chosen[0]), str(chosen[1])))


def read_inbound(raw: bytes, language: str) -> Inbound | None:
    """What a stored frame means; None when it means nothing to us. Raises ValueError on nonsense."""
    event = read_row(raw)
    cmd, body = event.frame.get("cmd"), part_in(event.frame, "body")
    address = sender_of(event.frame)
    if cmd not in (MESSAGE, EVENT) or not body:
        raise ValueError("no callback")
    if not address:
        raise ValueError("nobody sent it")
    blank = Inbound(
        CHANNEL,
        event_id_of(event.frame),
        address,
        "text",
        sent_at=_moment(event.at),
        message_id=text_in(body, "msgid")[:64],
        private=text_in(body, "chattype") != "group",
    )
    if cmd == EVENT:
        return _pressed(event, blank) if kind_of_event(event.frame) == PRESSED else None
    return _message(body, event, blank, language)


def words_of(frame: Json) -> str:
    """The words of a text message, without the bot's name in a group."""
    body = part_in(frame, "body")
    text = text_in(part_in(body, "text"), "content")
    return _NAMED.sub("", text, count=1) if text_in(body, "chattype") == "group" else text


def link_parts(remote_id: str) -> tuple[str, str] | None:
    """The address and the key of a file; None when it is no file of the bot's."""
    url, found, key = remote_id.partition(_LINK_SEPARATOR)
    return (url, key) if found and url and key else None


def _message(body: Json, event: Event, blank: Inbound, language: str) -> Inbound:
    kind = text_in(body, "msgtype")
    if kind == "text":
        return _text(event, blank)
    if kind == "voice":  # WeCom hears what was said and sends the words; the sound stays with it.
        return replace(blank, text=text_in(part_in(body, "voice"), "content"))
    items = list(_items(body)) if kind == "mixed" else [(kind, part_in(body, kind))]
    files = tuple(_file(of, fields) for of, fields in items if of in _FILES)
    words = "\n".join(filter(None, (text_in(fields, "content") for of, fields in items if of == "text")))
    if files:
        return replace(blank, kind="media", text=words, files=files)
    return replace(blank, text=words) if words else replace(blank, kind="other", text=chat(language, "other"))


def _text(event: Event, blank: Inbound) -> Inbound:
    text = words_of(event.frame)
    if event.chosen is not None:
        verb, _, ref = event.chosen.token.partition(":")
        return replace(blank, kind="choice", text=text, verb=verb, ref=ref, message_id=event.chosen.task_id)
    found = _START.match(text)
    return (
        replace(blank, kind="start", text=text[found.end() :].strip()) if found else replace(blank, text=text)
    )


def _items(body: Json) -> Iterator[tuple[str, Json]]:
    items = part_in(body, "mixed").get("msg_item")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            kind = text_in(item, "msgtype")
            yield kind, part_in(item, kind)


def _file(kind: str, fields: Json) -> RemoteFile:
    url, key = text_in(fields, "url").strip(), text_in(fields, "aeskey").strip()
    if not url or not key or _LINK_SEPARATOR in url:
        raise ValueError(f"{kind} without url and aeskey")
    ours, mime = _FILES[kind]
    return RemoteFile(ours, f"{url}{_LINK_SEPARATOR}{key}", mime=mime)


def _pressed(event: Event, blank: Inbound) -> Inbound | None:
    card = part_in(event.frame, "body", "event", PRESSED)
    token, task_id = text_in(card, "event_key"), text_in(card, "task_id")[:128]
    if not token:
        return None
    if token == PLACE:
        places = chosen_places(card)
        return replace(blank, text="、".join(places), message_id=task_id) if places else None
    verb, _, ref = token.partition(":")
    settles = interaction(blank.address, task_id, req_id_of(event.frame)) if task_id else ""
    return replace(blank, kind="choice", verb=verb, ref=ref, message_id=task_id, interaction=settles)


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None
