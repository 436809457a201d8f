"""What people say and see: events on their way to the desk, and messages on phones."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from desk.model import Inbound, RemoteFile
from incidents.model import Place
from roster.model import Officer

REPEATED = "【可能重复】"


@dataclass(frozen=True)
class Phone:
    """One way a person holds: a channel and their address there; strangers are nobody's officer."""

    channel: str
    address: str
    officer: Officer | None = None


@dataclass
class Shown:
    """A message on a phone."""

    phone: Phone
    remote_id: str
    key: str  # The sending it came from: the letter's id.
    text: str
    choices: tuple[tuple[str, str], ...]
    at: datetime
    is_labelled: bool = False

    def ref(self, verb: str) -> str:
        """What the button with this verb speaks of, or "" where there is none."""
        for _, token in self.choices:
            found, _, ref = token.partition(":")
            if found == verb:
                return ref
        return ""


@dataclass
class Said:
    """One event a person caused, and whether the platform was told that it is kept."""

    phone: Phone
    event_id: str
    at: datetime
    facts: dict[str, Any] = field(default_factory=dict)  # The fields of the Inbound.
    confirmed_at: datetime | None = None
    dropped: bool = False  # The person's platform never delivered it: nobody promised anything.

    @property
    def key(self) -> str:
        """As the inbox names it."""
        return f"{self.phone.channel}/{self.event_id}"

    def raw(self) -> bytes:
        """As it goes over the wire."""
        return json.dumps(
            {"event_id": self.event_id, "address": self.phone.address, **self.facts}, ensure_ascii=False
        ).encode()


def read(channel: str, raw: bytes) -> Inbound:
    """What an event means. Raises ValueError on nonsense."""
    found = json.loads(raw)
    if not isinstance(found, dict) or "kind" not in found:
        raise ValueError("no event")
    place, sent_at = found.pop("place", None), found.pop("sent_at", None)
    files = tuple(RemoteFile(**one) for one in found.pop("files", ()))
    return Inbound(
        channel=channel,
        files=files,
        place=Place(**place) if place else None,
        sent_at=datetime.fromisoformat(sent_at) if sent_at else None,
        **found,
    )
