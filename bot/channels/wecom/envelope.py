"""A callback as it is stored: the decrypted XML as it came, and what only the moment of taking knew."""

# The inbox row holds one JSON object: `xml` (bytes that are no UTF-8 are kept as lone surrogates), `signed_at` (the
# time in the signature), and where they apply `stale` (validly signed, but long ago), `chosen` (the button a typed
# number stands for, and the message that listed it), `place_asked` and `echo` (the same place came by another event).

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from bot.channels.wecom.encryption import Forged

Fields = Mapping[str, Any]  # Of an element given twice the last one counts.

NOBODY = "-"  # An event without a sender: its own line of order.
DEPTH_MAX = 8
_NAMES = ("FromUserName", "CreateTime", "Event", "TaskId", "EventKey")


@dataclass(frozen=True)
class Chosen:
    """What a typed number stands for: a button's token, and the message that listed it."""

    token: str
    task_id: str


@dataclass(frozen=True)
class Notes:
    """What was known when the event was taken, and cannot be read in it later."""

    signed_at: int
    stale: bool = False
    chosen: Chosen | None = None
    place_asked: bool = False  # We asked this person for a place just before: a reported position answers it.
    echo: bool = False


@dataclass(frozen=True)
class Event:
    """A stored callback, read."""

    fields: Fields
    notes: Notes


def written(xml: bytes, notes: Notes) -> bytes:
    """The row of a callback."""
    row: dict[str, Any] = {"xml": xml.decode("utf-8", "surrogateescape"), "signed_at": notes.signed_at}
    row |= {name: True for name in ("stale", "place_asked", "echo") if getattr(notes, name)}
    if notes.chosen is not None:
        row["chosen"] = [notes.chosen.token, notes.chosen.task_id]
    return json.dumps(row).encode("ascii")


def read(raw: bytes) -> Event:
    """A row, read. Raises ValueError on nonsense."""
    try:
        row = json.loads(raw)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(row, dict) or not isinstance(row.get("xml"), str):
        raise ValueError("not a stored callback")
    chosen = row.get("chosen")
    notes = Notes(
        signed_at=row["signed_at"] if type(row.get("signed_at")) is int else 0,
        stale=row.get("stale") is True,
        chosen=Chosen(str(chosen[0]), str(chosen[1]))
        if isinstance(chosen, list) and len(chosen) == 2
        else None,
        place_asked=row.get("place_asked") is True,
        echo=row.get("echo") is True,
    )
    try:
        xml = row["xml"].encode("utf-8", "surrogateescape")
        return Event(fields_of(xml), notes)
    except Forged as error:
        raise ValueError(str(error)) from error


def fields_of(xml: bytes) -> Fields:
    """The elements of a message by name. Raises Forged for a doctype or an entity, ValueError when it is no XML."""
    try:
        root = fromstring(xml, forbid_dtd=True)
    except DefusedXmlException as error:
        raise Forged("doctype or entity") from error
    except (ParseError, ValueError, LookupError) as error:
        raise ValueError(f"no XML: {type(error).__name__}") from error
    found = _value(root, DEPTH_MAX)
    if not isinstance(found, dict):
        raise ValueError("an empty message")
    return found


def text_in(fields: Fields, name: str) -> str:
    """The text of an element, fit for any store; empty when it is absent or has parts of its own."""
    value = fields.get(name)
    return value.replace("\x00", "") if isinstance(value, str) else ""


def part_in(fields: Fields, name: str) -> Fields:
    """The elements within an element."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def whole_in(fields: Fields, name: str) -> int | None:
    """The whole number in an element."""
    text = text_in(fields, name).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def address_in(fields: Fields) -> str:
    """Who sent it. The directory does not tell upper from lower case, so neither do we."""
    return text_in(fields, "FromUserName").strip().lower()[:64]


def event_id_of(fields: Fields) -> str:
    """What is the same when the vendor brings it again: the MsgId; events have none and are known by their facts."""
    number = text_in(fields, "MsgId").strip()
    if text_in(fields, "MsgType") != "event" and number.isascii() and number.isalnum() and len(number) <= 64:
        return number
    facts = [text_in(fields, name) for name in _NAMES]
    facts += [text_in(fields, name) for name in ("ChangeType", "UserID", "MsgType")]
    facts += [json.dumps(part_in(fields, "SelectedItems"), sort_keys=True)]
    digest = hashlib.sha256("\n".join(facts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"e{text_in(fields, 'CreateTime')[:12]}-{digest[:32]}"


def _value(element: Any, depth: int) -> Any:
    parts = list(element)
    if not parts:
        return element.text or ""
    if not depth:
        raise ValueError("nested too deeply")
    return {part.tag: _value(part, depth - 1) for part in parts}
