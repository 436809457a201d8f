"""The send… methods: what the bot puts in front of people (core.telegram.org/bots/api#available-methods)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fakes.telegram_markup import checked_markup
from tests.fakes.telegram_media import PHOTO_UPLOAD_BYTES_MAX, jpeg_size
from tests.fakes.telegram_model import ApiError, Json, Room, bad_request
from tests.fakes.telegram_params import Params
from tests.fakes.telegram_text import CAPTION_CHARACTERS_MAX, TEXT_CHARACTERS_MAX, formatted
from tests.fakes.telegram_world import World

UPLOAD_BYTES_MAX = 50 * 1024 * 1024
ALBUM_ITEMS = range(2, 11)


def text_of(params: Params) -> Json:
    """Return text and entities of a call, at most 4096 characters after parsing (bots/api#sendmessage)."""
    source = params.text("text")
    if not source:
        raise bad_request("message text is empty")
    text, entities = formatted(
        source, params.text("parse_mode"), params.parsed("entities", "message entities")
    )
    if not text:
        raise bad_request("message text is empty")
    if len(text) > TEXT_CHARACTERS_MAX:
        raise bad_request("message is too long")
    content: Json = {"text": text, "entities": entities} if entities else {"text": text}
    preview = params.parsed("link_preview_options", "link preview options")
    return {**content, "link_preview_options": preview} if preview else content


def caption_of(params: Params) -> Json:
    """Return caption and entities of a call, at most 1024 characters after parsing (bots/api#sendphoto)."""
    source = params.text("caption")
    if not source:
        return {}
    given = params.parsed("caption_entities", "message entities")
    text, entities = formatted(source, params.text("parse_mode"), given)
    if len(text) > CAPTION_CHARACTERS_MAX:
        raise bad_request("message caption is too long")
    if not text:
        return {}
    return {"caption": text, "caption_entities": entities} if entities else {"caption": text}


def _send(world: World, params: Params, method: str, content: Json) -> Json:
    room = world.room_for_send(params.values.get("chat_id"))
    world.limiter.refuse_if_blocked(room.id, world.now())
    markup = checked_markup(params.markup(), room)
    reply = _replied(params, room)
    world.limiter.take(room, 1, world.now())
    return world.post_from_bot(method, room, content, markup, reply)


def _replied(params: Params, room: Room) -> Json | None:
    reply = params.parsed("reply_parameters", "ReplyParameters") or {}
    number = reply.get("message_id") or params.integer("reply_to_message_id")
    if not number:
        return None
    message = room.messages.get(int(number))
    if message is not None:
        return {k: v for k, v in message.body.items() if k != "reply_to_message"}
    if reply.get("allow_sending_without_reply") or params.flag("allow_sending_without_reply"):
        return None
    raise bad_request("message to be replied not found")


def send_message(world: World, params: Params) -> Json:
    """Send text."""
    return _send(world, params, "sendMessage", text_of(params))


def send_location(world: World, params: Params) -> Json:
    """Send a point in WGS-84."""
    content: Json = {"location": _point(params)}
    if params.integer("live_period"):
        content["location"]["live_period"] = params.integer("live_period")
    return _send(world, params, "sendLocation", content)


def send_venue(world: World, params: Params) -> Json:
    """Send a named place; the message carries venue and location both."""
    point = _point(params)
    venue = {"location": point, "title": params.text("title"), "address": params.text("address")}
    if not venue["title"] or not venue["address"]:
        raise bad_request("title and address must be non-empty")
    return _send(world, params, "sendVenue", {"location": point, "venue": venue})


def _point(params: Params) -> Json:
    latitude, longitude = params.number("latitude"), params.number("longitude")
    if not -90 <= latitude <= 90 or not -180 <= longitude <= 180:
        raise bad_request("wrong latitude or longitude")
    return {"latitude": latitude, "longitude": longitude}


def _media(world: World, params: Params, kind: str, source: str) -> object:
    """Return the media field of a message from an upload (attach:// or field name) or a file_id."""
    name = source.removeprefix("attach://")
    if name in params.files:
        filename, content = params.files[name]
        if kind == "photo":
            if len(content) > PHOTO_UPLOAD_BYTES_MAX:
                raise bad_request(
                    f"file of size {len(content)} bytes is too big for a photo; "
                    f"the maximum size is {PHOTO_UPLOAD_BYTES_MAX} bytes"
                )
            if content[:2] != b"\xff\xd8" and content[:4] not in (b"\x89PNG", b"RIFF", b"GIF8"):
                raise bad_request("IMAGE_PROCESS_FAILED")
            return world.shelf.photo(content)
        if len(content) > UPLOAD_BYTES_MAX:
            raise ApiError(413, "Request Entity Too Large")
        stored = world.shelf.keep(content, f"{kind}s", filename)
        return world.shelf.file_json(stored, file_name=filename, **_more(kind))
    known = world.shelf.files.get(source)
    if known is None:
        raise bad_request(
            "wrong remote file identifier specified: Wrong padding in the string"
            if source
            else f"there is no {kind} in the request"
        )
    if kind == "photo":
        width, height = jpeg_size(known.read())
        return [world.shelf.file_json(known, width=width, height=height)]
    return world.shelf.file_json(known, **_more(kind))


def _more(kind: str) -> Json:
    if kind == "video":
        return {"width": 640, "height": 360, "duration": 5, "mime_type": "video/mp4"}
    if kind in ("voice", "audio"):
        return {"duration": 5, "mime_type": "audio/ogg"}
    return {}


def _sender(kind: str) -> Callable[[World, Params], Json]:
    def send_it(world: World, params: Params) -> Json:
        source = params.text(kind) or (kind if kind in params.files else "")
        content = caption_of(params)
        room = world.room_for_send(params.values.get("chat_id"))
        world.limiter.refuse_if_blocked(room.id, world.now())
        media = _media(world, params, kind, source)
        return _send(world, params, f"send{kind.capitalize()}", {kind: media, **content})

    return send_it


def send_media_group(world: World, params: Params) -> list[Json]:
    """Send 2 to 10 items as separate messages sharing media_group_id (bots/api#sendmediagroup)."""
    items = params.parsed("media", "media") or []
    if len(items) not in ALBUM_ITEMS:
        raise bad_request("expected 2-10 items in the album" if items else "media must be non-empty")
    room = world.room_for_send(params.values.get("chat_id"))
    world.limiter.refuse_if_blocked(room.id, world.now())
    contents = []
    for item in items:
        caption = caption_of(Params(item))
        contents.append({item["type"]: _media(world, params, item["type"], item["media"]), **caption})
    reply = _replied(params, room)
    world.limiter.take(room, len(items), world.now())
    group = str(13_000_000_000_000_000 + world.shelf.album_number())
    return [
        world.post_from_bot("sendMediaGroup", room, {"media_group_id": group, **content}, None, reply)
        for content in contents
    ]


def forward_message(world: World, params: Params) -> Json:
    """Send a message on, naming where it came from (bots/api#messageorigin)."""
    content = _copied(world, params)
    source = world.find_room(params.values.get("from_chat_id")).messages[params.integer("message_id")]
    origin = {"type": "user", "sender_user": source.body["from"], "date": source.body["date"]}
    return _send(world, params, "forwardMessage", {**content, "forward_origin": origin})


def copy_message(world: World, params: Params) -> Json:
    """Send the content of a message again and return its MessageId."""
    return {"message_id": _send(world, params, "copyMessage", _copied(world, params))["message_id"]}


def _copied(world: World, params: Params) -> Json:
    source = world.find_room(params.values.get("from_chat_id")).messages.get(params.integer("message_id"))
    if source is None:
        raise bad_request("message to forward not found")
    outside = ("message_id", "from", "chat", "date", "edit_date", "reply_markup", "reply_to_message")
    return {k: v for k, v in source.body.items() if k not in outside}


SENDING: dict[str, Callable[[World, Params], Any]] = {
    "sendmessage": send_message,
    "sendlocation": send_location,
    "sendvenue": send_venue,
    "sendphoto": _sender("photo"),
    "senddocument": _sender("document"),
    "sendvideo": _sender("video"),
    "sendvoice": _sender("voice"),
    "sendaudio": _sender("audio"),
    "sendmediagroup": send_media_group,
    "forwardmessage": forward_message,
    "copymessage": copy_message,
}
