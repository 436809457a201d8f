"""The frames of the long connection: their commands, their shape, and what stands in them."""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

SUBSCRIBE, PING = "aibot_subscribe", "ping"
PUSH, REPLY = "aibot_send_msg", "aibot_respond_msg"
WELCOME, CHANGE = "aibot_respond_welcome_msg", "aibot_respond_update_msg"
MESSAGE, EVENT = "aibot_msg_callback", "aibot_event_callback"
DISPLACED, PRESSED, ENTERED = "disconnected_event", "template_card_event", "enter_chat"
SINGLE_CHAT = 1
FRAME_BYTES_MAX = 1024 * 1024
ID_MAX = 64

_ID = re.compile(r"[0-9A-Za-z_.@=+/-]{1,64}")


def written(cmd: str, req_id: str, body: Mapping[str, Any]) -> str:
    """A frame as it is sent."""
    return json.dumps({"cmd": cmd, "headers": {"req_id": req_id}, "body": dict(body)}, ensure_ascii=True)


def new_id(cmd: str) -> str:
    """A req_id no other frame has."""
    return f"{cmd}_{secrets.token_hex(12)}"


def read(raw: str | bytes) -> Json:
    """A frame that came. Raises ValueError on nonsense."""
    try:
        frame = json.loads(raw)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(frame, dict):
        raise ValueError("not a JSON object")
    return frame


def part_in(fields: Mapping[str, Any], *names: str) -> Json:
    """The object within objects; empty when there is none."""
    found: Any = fields
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def text_in(fields: Mapping[str, Any], name: str) -> str:
    """A text fit for any store; empty when it is absent or no text."""
    value = fields.get(name)
    if not isinstance(value, str):
        return ""
    # Half a surrogate pair cannot be stored as UTF-8, and PostgreSQL takes no NUL.
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "")


def req_id_of(frame: Mapping[str, Any]) -> str:
    """What ties a frame to its answer."""
    return text_in(part_in(frame, "headers"), "req_id")


def kind_of_event(frame: Mapping[str, Any]) -> str:
    """Which event a frame brings; empty for a message."""
    return text_in(part_in(frame, "body", "event"), "eventtype") if frame.get("cmd") == EVENT else ""


def sender_of(frame: Mapping[str, Any]) -> str:
    """Who wrote or pressed. The directory does not tell upper from lower case, so neither do we."""
    return text_in(part_in(frame, "body", "from"), "userid").strip().lower()[:ID_MAX]


def event_id_of(frame: Mapping[str, Any]) -> str:
    """The vendor's msgid; what has none is known by all it says."""
    body = part_in(frame, "body")
    msgid = text_in(body, "msgid")
    if _ID.fullmatch(msgid):
        return msgid
    return "x" + hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]
