"""What a Telegram message carries: text, files, a place, and the rest as readable words."""

import math
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from bot.channels.telegram.envelope import Json
from desk.model import RemoteFile
from incidents.model import Place

# Telegram's field -> (our kind, type when none is told); animation before document, which repeats it.
_FILES = {
    "animation": ("video", "video/mp4"),
    "document": ("file", ""),
    "voice": ("voice", "audio/ogg"),
    "audio": ("voice", "audio/mpeg"),
    "video": ("video", "video/mp4"),
    "video_note": ("video", "video/mp4"),
}
_WORDLESS = ("story", "game", "paid_media", "checklist", "giveaway", "gift", "invoice")
BYTES_MAX = 2**53


@cache
def words(language: str) -> dict[str, str]:
    """The words of a language; Chinese when there are none."""
    every: dict[str, dict[str, str]] = tomllib.loads(
        Path(__file__).with_name("words.toml").read_text(encoding="utf-8")
    )
    wanted = language.split("-")[0]
    return next((every[name] for name in every if name.split("-")[0] == wanted), every["zh-CN"])


def text_in(fields: Json, *names: str) -> str:
    """The first of these that is there, fit for any store. Raises ValueError when it is no text."""
    for name in names:
        value = fields.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise ValueError(f"{name} is no text")
        # Half a surrogate pair cannot be stored as UTF-8, and PostgreSQL takes no NUL.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "")
    return ""


def object_in(fields: Json, name: str) -> Json:
    """An object that must be one when it is there; empty when it is not. Raises ValueError."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no object")
    return value


def files_in(message: Json) -> tuple[RemoteFile, ...]:
    """The file of a message: the largest size of a photo, else the one file there is."""
    if sizes := message.get("photo"):
        if not isinstance(sizes, list) or not all(isinstance(size, dict) for size in sizes):
            raise ValueError("photo is no list of sizes")
        largest = max(
            sizes, key=lambda size: (_count(size.get("width")) or 0, _count(size.get("file_size")) or 0)
        )
        return (_file(largest, "photo", "image/jpeg"),)
    for name, (kind, mime) in _FILES.items():
        if name in message:
            return (_file(object_in(message, name), kind, mime),)
    return ()


def _file(fields: Json, kind: str, mime: str) -> RemoteFile:
    remote_id = text_in(fields, "file_id")
    if not remote_id:
        raise ValueError("a file without file_id")
    return RemoteFile(
        kind,
        remote_id,
        text_in(fields, "file_name")[:255],
        text_in(fields, "mime_type")[:100] or mime,
        _count(fields.get("file_size")),
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < BYTES_MAX else None


def place_in(message: Json, language: str) -> Place | None:
    """The place of a message, WGS-84; figures off the globe, or 0, 0, are kept as words and no point."""
    venue = object_in(message, "venue")
    point = object_in(venue or message, "location")
    if not point:
        return None
    name = " ".join(filter(None, (text_in(venue, "title"), text_in(venue, "address"))))[:200]
    lat, lon = _degrees(point.get("latitude")), _degrees(point.get("longitude"))
    if lat is None or lon is None:
        figures = f"{point.get('latitude')}, {point.get('longitude')}"[:60]
        return Place(text=f"{name} {words(language)['bad_place'].format(figures=figures)}".strip())
    if abs(lat) > 90 or abs(lon) > 180 or (lat == 0 and lon == 0):
        figures = words(language)["bad_place"].format(figures=f"{lat:g}, {lon:g}")
        return Place(text=f"{name} {figures}".strip(), original_lat=lat, original_lon=lon)
    accuracy = _degrees(point.get("horizontal_accuracy"))
    if accuracy is not None and not 0 <= accuracy <= 10_000_000:
        accuracy = None
    return Place(lat, lon, name, "wgs84", lat, lon, accuracy)


def _degrees(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e300 else None


def contact_words(message: Json, language: str) -> str:
    """A contact as name and phone; empty when there is none."""
    contact = object_in(message, "contact")
    if not contact:
        return ""
    name = " ".join(filter(None, (text_in(contact, "first_name"), text_in(contact, "last_name"))))
    return words(language)["contact"].format(name=name, phone=text_in(contact, "phone_number")).strip()


def other_words(message: Json, language: str) -> str:
    """A sticker, poll, dice or the like in words; empty when no person sent anything."""
    say = words(language)
    if sticker := object_in(message, "sticker"):
        return say["sticker"].format(emoji=text_in(sticker, "emoji")).strip()
    if poll := object_in(message, "poll"):
        options = [text_in(option, "text") for option in poll.get("options", []) if isinstance(option, dict)]
        return say["poll"].format(question=text_in(poll, "question"), options=" / ".join(options))
    if dice := object_in(message, "dice"):
        return say["dice"].format(emoji=text_in(dice, "emoji"), value=_count(dice.get("value")) or "").strip()
    return say["other"] if any(name in message for name in _WORDLESS) else ""
