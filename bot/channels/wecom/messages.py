"""Reads a stored callback as an `Inbound`, the same record every channel gives."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from bot import gcj02
from bot.channels.wecom.envelope import (
    Event,
    Fields,
    address_in,
    event_id_of,
    part_in,
    read,
    text_in,
    whole_in,
)
from bot.channels.wecom.words import chat
from desk.model import Inbound, RemoteFile
from incidents.model import Place

CHANNEL = "wecom"
_START = re.compile(r"/start(?:\s+|$)")
_FILES = {
    "image": ("photo", "image/jpeg"),
    "voice": ("voice", "audio/amr"),
    "video": ("video", "video/mp4"),
    "shortvideo": ("video", "video/mp4"),
    "file": ("file", ""),
}
_INTERACTION = "|"


def read_inbound(raw: bytes, language: str) -> Inbound | None:
    """What a stored callback means; None when it means nothing to us. Raises ValueError on nonsense."""
    event = read(raw)
    fields = event.fields
    kind = text_in(fields, "MsgType")
    if not kind:
        raise ValueError("no MsgType")
    address = address_in(fields)
    if not address:
        raise ValueError("nobody sent it")
    if kind == "event":
        return _EVENTS.get(text_in(fields, "Event").lower(), _nothing)(
            event, _blank(event, address), language
        )
    blank = replace(_blank(event, address), message_id=text_in(fields, "MsgId")[:64])
    if kind == "text":
        return _read_text(event, blank)
    if kind == "location":
        return None if event.notes.echo else _read_place(fields, blank, language)
    if kind in _FILES:
        return _read_file(fields, kind, blank)
    if kind == "link":
        names = ("Title", "Description", "Url")
        title, description, url = (text_in(fields, name).strip() for name in names)
        return replace(blank, text=chat(language, "link", title=title, description=description, url=url))
    return replace(blank, kind="other", text=chat(language, "other"))


def interaction(address: str, task_id: str, code: str) -> str:
    """What settles a press: whose, on which card, with which one-time code."""
    return _INTERACTION.join((address, task_id, code))


def interaction_parts(text: str) -> tuple[str, str, str] | None:
    """Whose press it was, on which card, and its one-time code; None when it is no press of ours."""
    parts = text.split(_INTERACTION, 2)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 and all(parts) else None


def point_of(fields: Fields) -> tuple[str, str]:
    """The figures of a place as they came, to tell the same place from another."""
    info = part_in(fields, "SendLocationInfo") or fields
    return text_in(info, "Location_X").strip(), text_in(info, "Location_Y").strip()


def _blank(event: Event, address: str) -> Inbound:
    created = whole_in(event.fields, "CreateTime")
    return Inbound(
        CHANNEL,
        event_id_of(event.fields),
        address,
        "text",
        sent_at=_moment(created) if created else None,
        stale=event.notes.stale,
    )


def _read_text(event: Event, blank: Inbound) -> Inbound:
    text = text_in(event.fields, "Content")
    if event.notes.chosen is not None:
        verb, _, ref = event.notes.chosen.token.partition(":")
        listed = event.notes.chosen.task_id
        return replace(blank, kind="choice", text=text, verb=verb, ref=ref, message_id=listed)
    found = _START.match(text)
    if found:
        return replace(blank, kind="start", text=text[found.end() :].strip())
    return replace(blank, text=text)


def _read_file(fields: Fields, kind: str, blank: Inbound) -> Inbound:
    media_id = text_in(fields, "MediaId").strip()
    if not media_id:
        raise ValueError(f"{kind} without MediaId")
    ours, mime = _FILES[kind]
    if kind == "voice" and text_in(fields, "Format").lower() not in ("", "amr"):
        mime = "audio/" + text_in(fields, "Format").lower()[:20]
    name = (text_in(fields, "FileName") or text_in(fields, "Title"))[:255]
    size = whole_in(fields, "FileSize") if kind == "file" else None
    file = RemoteFile(ours, media_id[:512], name, mime, size)
    # What the phone heard in a voice message, when the corporation has that switched on.
    return replace(blank, kind="media", text=text_in(fields, "Recognition"), files=(file,))


def _read_place(fields: Fields, blank: Inbound, language: str) -> Inbound:
    named = " ".join(filter(None, (text_in(fields, "Poiname").strip(), text_in(fields, "Label").strip())))
    latitude, longitude = point_of(fields)
    return replace(blank, kind="place", place=_place(latitude, longitude, named[:200], language))


def _place(latitude: str, longitude: str, name: str, language: str, accuracy: str = "") -> Place:
    """The place in WGS-84, the original figures kept; figures off the globe are kept as words and no point."""
    lat, lon = _degrees(latitude), _degrees(longitude)
    if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180 or (lat == 0 and lon == 0):
        figures = chat(language, "bad_place", figures=f"{latitude}, {longitude}"[:60])
        return Place(text=f"{name} {figures}".strip(), datum="gcj02", original_lat=lat, original_lon=lon)
    metres = _degrees(accuracy)
    if metres is not None and not 0 <= metres <= 10_000_000:
        metres = None
    return Place(*gcj02.to_wgs84(lat, lon), name, "gcj02", lat, lon, metres)


def _degrees(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e300 else None


def _moment(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _pressed(event: Event, blank: Inbound, language: str) -> Inbound | None:
    token = text_in(event.fields, "EventKey")
    if not token:
        return None
    verb, _, ref = token.partition(":")
    task_id = text_in(event.fields, "TaskId")[:128]
    code = text_in(event.fields, "ResponseCode")[:512]
    return replace(
        blank,
        kind="choice",
        verb=verb,
        ref=ref,
        message_id=task_id,
        interaction=interaction(blank.address, task_id, code) if code and task_id else "",
    )


def _clicked(event: Event, blank: Inbound, language: str) -> Inbound | None:
    """A key of our menu is the command it stands for."""
    key = text_in(event.fields, "EventKey")
    return replace(blank, text=key) if key.startswith("/") else None


def _selected(event: Event, blank: Inbound, language: str) -> Inbound | None:
    if event.notes.echo:
        return None
    return _read_place(part_in(event.fields, "SendLocationInfo"), blank, language)


def _located(event: Event, blank: Inbound, language: str) -> Inbound | None:
    """The phone tells where it is whenever its owner opens the app: a message only when we asked for it."""
    if not event.notes.place_asked:
        return None
    figures = (text_in(event.fields, name).strip() for name in ("Latitude", "Longitude"))
    latitude, longitude = figures
    accuracy = text_in(event.fields, "Precision").strip()
    return replace(blank, kind="place", place=_place(latitude, longitude, "", language, accuracy))


def _subscribed(event: Event, blank: Inbound, language: str) -> Inbound | None:
    return replace(blank, kind="start")


def _nothing(event: Event, blank: Inbound, language: str) -> Inbound | None:
    """A photo picker's event comes beside the photos themselves; enter_agent, view and the directory's are no words."""
    return None


_EVENTS: dict[str, Callable[[Event, Inbound, str], Inbound | None]] = {
    "template_card_event": _pressed,
    "click": _clicked,
    "location_select": _selected,
    "location": _located,
    "subscribe": _subscribed,
}
