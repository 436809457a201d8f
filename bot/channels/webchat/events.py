"""What a phone posts: read at the edge into a record, kept as raw JSON, understood again as an `Inbound`."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from desk.model import Choice, Inbound, RemoteFile
from incidents.model import Place

KINDS = ("text", "choice", "media", "place", "start")
FILES_MAX = 20
TEXT_MAX = 20_000
CHOICE_BYTES_MAX = 64

_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_MESSAGE_ID = re.compile(r"[A-Za-z0-9._-]{0,80}")
_VERB = re.compile(r"[a-z][a-z0-9_]*")
_REF = re.compile(r"[A-Za-z0-9_.:=/+-]*")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Refused(Exception):
    """A request that cannot be taken: an HTTP status and the name of the reason in `words.toml`."""

    def __init__(self, status: int, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.facts = facts


@dataclass(frozen=True)
class PhoneEvent:
    """One message as the phone made it; `files` are digests of uploads made before."""

    event_id: str
    kind: str
    text: str = ""
    verb: str = ""
    ref: str = ""
    reply_to: str = ""
    place: Place | None = None
    files: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        return Choice(self.verb, self.ref).token


def read_event(body: bytes) -> PhoneEvent:
    """The event in a posted body. Of a key given twice the last one counts. Raises Refused."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "bad_json") from error
    if not isinstance(fields, dict):
        raise Refused(400, "bad_json")
    event_id, reply_to = _words(fields, "event_id"), _words(fields, "reply_to")
    if not _EVENT_ID.fullmatch(event_id) or not _MESSAGE_ID.fullmatch(reply_to):
        raise Refused(400, "bad_event_id")
    kind = _words(fields, "kind") or "text"
    if kind not in KINDS:
        raise Refused(400, "bad_kind")
    text = _words(fields, "text")
    if len(text) > TEXT_MAX:
        raise Refused(413, "text_too_long", max=TEXT_MAX)
    if kind == "choice":
        verb, ref = _choice(fields)
        return PhoneEvent(event_id, kind, text[:100], verb, ref, reply_to)
    place, files = _place(fields), _digests(fields)
    if not text and place is None and not files:
        raise Refused(400, "bad_place" if kind == "place" else "nothing_said")
    kind = "media" if files else "place" if place else "start" if kind == "start" else "text"
    return PhoneEvent(event_id, kind, text, reply_to=reply_to, place=place, files=files)


def write_raw(
    event: PhoneEvent, address: str, name: str, files: Sequence[RemoteFile], sent_at: datetime
) -> bytes:
    """The event as the inbox keeps it; the same event always gives the same bytes."""
    place = event.place
    raw = {
        "event_id": event.event_id,
        "address": address,
        "name": name,
        "sent_at": sent_at.isoformat(),
        "kind": event.kind,
        "text": event.text,
        "verb": event.verb,
        "ref": event.ref,
        "reply_to": event.reply_to,
        "place": place and place.__dict__,
        "files": [
            {"kind": file.kind, "digest": file.digest, "name": file.file_name, "mime": file.mime,
             "bytes": file.bytes_count}
            for file in files
        ],
    }  # fmt: skip
    return json.dumps(raw, ensure_ascii=False, sort_keys=True).encode()


def read_raw(channel: str, raw: bytes) -> Inbound:
    """What a kept event means. Raises ValueError on nonsense."""
    try:
        fields = json.loads(raw)
        choice = fields["kind"] == "choice"
        return Inbound(
            channel=channel,
            event_id=f"{fields['address']}:{fields['event_id']}",
            address=fields["address"],
            kind=fields["kind"],
            sent_at=datetime.fromisoformat(fields["sent_at"]),
            sender_name=fields["name"],
            text="" if choice else fields["text"],
            verb=fields["verb"],
            ref=fields["ref"],
            files=tuple(
                RemoteFile(
                    file["kind"], file["digest"], file["name"], file["mime"], file["bytes"], file["digest"]
                )
                for file in fields["files"]
            ),
            place=Place(**fields["place"]) if fields["place"] else None,
            message_id=fields["reply_to"] if choice else "",
            reply_to="" if choice else fields["reply_to"],
        )
    except (KeyError, TypeError, AttributeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"not a web-chat event: {error}") from error


def _words(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused(400, "bad_json")
    # Half a surrogate pair cannot be stored as UTF-8, and PostgreSQL takes no NUL.
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "")


def _choice(fields: dict[str, Any]) -> tuple[str, str]:
    verb, ref = _words(fields, "verb"), _words(fields, "ref")
    well_formed = _VERB.fullmatch(verb) and _REF.fullmatch(ref) and ".." not in ref
    if not well_formed or len(Choice(verb, ref).token.encode()) > CHOICE_BYTES_MAX:
        raise Refused(400, "bad_choice")
    return verb, ref


def _digests(fields: dict[str, Any]) -> tuple[str, ...]:
    files = fields.get("files") or []
    if not isinstance(files, list) or len(files) > FILES_MAX:
        raise Refused(400, "too_many_files", max=FILES_MAX)
    digests = [file.get("digest") if isinstance(file, dict) else None for file in files]
    if not all(isinstance(digest, str) and _DIGEST.fullmatch(digest) for digest in digests):
        raise Refused(400, "bad_file")
    return tuple(dict.fromkeys(str(digest) for digest in digests))


def _place(fields: dict[str, Any]) -> Place | None:
    """Where the phone says it is; figures off the globe (or 0, 0) are kept as words, not as a point."""
    lat, lon, accuracy = (_number(fields, key) for key in ("lat", "lon", "accuracy"))
    text = _words(fields, "place_text")[:200]
    if lat is None or lon is None:
        return Place(text=text) if text else None
    if abs(lat) > 90 or abs(lon) > 180 or (lat == 0 and lon == 0):
        figures = f"{lat:g}, {lon:g}"
        return Place(text=f"{text} {figures}".strip(), original_lat=lat, original_lon=lon)
    if accuracy is not None and not 0 <= accuracy <= 10_000_000:
        accuracy = None
    return Place(lat, lon, text, "wgs84", lat, lon, accuracy)


def _number(fields: dict[str, Any], key: str) -> float | None:
    value = fields.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        return None
    return float(value) if math.isfinite(value) else None
