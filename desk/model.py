"""What passes through the desk: messages in, notices out, letters owed, and work that falls due."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from incidents.model import Place


class Lane(StrEnum):
    """Urgent (escalations, acknowledgements, replies) always overtakes bulk (roll calls, bulletins)."""

    urgent = "urgent"
    bulk = "bulk"


@dataclass(frozen=True)
class RemoteFile:
    """A file the platform holds; `digest` is set when the channel stored the bytes already."""

    kind: str  # photo, voice, video, file
    remote_id: str
    file_name: str = ""
    mime: str = ""
    bytes_count: int | None = None
    digest: str = ""


@dataclass(frozen=True)
class Inbound:
    """One message from a person, the same for every channel."""

    channel: str
    event_id: str  # The platform's own id of this event; unique within the channel.
    address: str  # Who, in the channel's terms; replies go there.
    kind: (
        str  # "text", "choice", "start", "media", "place", "edit", "other"; "aside" is words after a command
    )
    sent_at: datetime | None = None
    sender_name: str = ""
    text: str = ""
    verb: str = ""  # For a choice: what the button says to do …
    ref: str = ""  # … and the id it speaks of.
    files: tuple[RemoteFile, ...] = ()
    place: Place | None = None
    album: str = ""
    message_id: str = ""  # The platform's id of this message.
    reply_to: str = ""  # The platform's id of the message answered.
    interaction: str = ""  # What the channel needs to settle a button press.
    edited: bool = False
    forwarded: bool = False
    private: bool = True
    stale: bool = False  # Validly signed but old: stored and flagged, may not press buttons.
    folded: bool = False  # Beyond the sender's messages per minute: kept, but not answered one by one.


@dataclass(frozen=True)
class Choice:
    """One thing the reader may do: a verb and the id it speaks of. Together at most 64 bytes as `verb:ref`."""

    verb: str
    ref: str

    @property
    def token(self) -> str:
        return f"{self.verb}:{self.ref}"


@dataclass(frozen=True)
class Notice:
    """A meaning to tell: its kind, the facts, the choices offered. Words are made in `bot/wording`."""

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)  # JSON values only; moments as ISO 8601 UTC text.
    choices: tuple[Choice, ...] = ()
    asks_place: bool = False


@dataclass(frozen=True)
class Rendered:
    """A notice in words, ready for a channel: plain text, labelled choices."""

    text: str
    choices: tuple[tuple[str, str], ...] = ()  # (label, token)
    asks_place: bool = False
    place_label: str = ""
    reference: str = ""


@dataclass(frozen=True)
class Card:
    """A message of ours as it stands on a phone, in the channel's terms."""

    address: str
    remote_id: str


class Outcome(StrEnum):
    """What became of one sending; `faults.md` 2.3 decides by stage and class."""

    sent = "sent"
    not_sent = "not_sent"  # Never left us, or refused for now: retry freely.
    refused = "refused"  # Refused for good: next channel now.
    unknown = "unknown"  # It may have arrived.


@dataclass(frozen=True)
class Receipt:
    """The channel's answer for one recipient."""

    outcome: Outcome
    remote_id: str = ""
    reason: str = ""
    retry_after_seconds: float | None = None
    whole_channel: bool = False  # The retry time counts for everybody on this channel (429).
    new_address: str = ""  # The chat moved: store it, send again.
    address_gone: bool = False  # With `refused`: this address is dead, whatever is sent to it.
    not_here: bool = False  # With `not_sent`: another process of ours can send it, and no rate was used up.


class LetterState(StrEnum):
    queued = "queued"
    sending = "sending"
    sent = "sent"
    unknown = "unknown"  # Sent perhaps; no more tries owed.
    failed = "failed"  # No channel left, or given up: shown on the desk.
    cancelled = "cancelled"


@dataclass(frozen=True)
class Letter:
    """One message owed to one person (the outbox): written with the fact that causes it, sent afterwards."""

    id: str
    kind: str
    facts: dict[str, Any]
    choices: tuple[Choice, ...]
    lane: Lane
    made_at: datetime
    subject: str = ""
    officer_id: str = ""  # Empty when the receiver is a stranger at channel + address.
    channel: str = ""  # Chosen when sent, fixed when this answers a message.
    address: str = ""
    channels: tuple[str, ...] = ()  # Restricts the channels that may be tried.
    asks_place: bool = False
    amends: str = ""  # The letter whose card this one replaces.
    interaction: str = ""  # A button press this letter settles.
    state: LetterState = LetterState.queued
    attempts: int = 0
    unknowns: int = 0  # Unknown outcomes so far; the next copy is marked 可能重复.
    tried: tuple[str, ...] = ()  # Accounts found refused.
    rendered: Rendered | None = None
    remote_id: str = ""
    sent_at: datetime | None = None
    reason: str = ""
    version: int = 1


@dataclass(frozen=True)
class Mailing:
    """Letters of equal words that leave in one call where a channel takes many, each to its own reader.

    Once handed over it keeps its call as it was, so that a repeat is the same; it goes when every receipt is known."""

    id: str  # Also the key of its call.
    letters: tuple[str, ...]  # The ids of those that still go with it.
    lane: Lane
    attempts: int = 0
    channel: str = ""
    to: tuple[
        str, ...
    ] = ()  # The addresses of a call whose outcome is open, in order; empty: nothing is out.
    words: Rendered | None = None
    left_at: datetime | None = None  # When this call was made for the first time.
    version: int = 1


class InboxState(StrEnum):
    new = "new"
    failing = "failing"  # Spoilt the hearing of others: its own job tries it again, and shows it when that gives up.
    heard = "heard"
    dead = "dead"  # Could not be processed; on the desk with its reason and a retry.


@dataclass(frozen=True)
class InboxRow:
    """One platform event exactly as it came, stored before the platform is told ok."""

    id: str  # "<channel>/<dedupe key>"
    channel: str
    sender: str  # Ordering key.
    received_at: datetime
    raw: bytes
    state: InboxState = InboxState.new
    error: str = ""
    version: int = 1


@dataclass(frozen=True)
class Job:
    """A piece of due work. Truth is in domain rows; this only says what to look at, when, in which order."""

    id: str
    kind: str
    ref: str
    due_at: datetime
    key: str = ""  # Jobs with one key and lane run in order, one at a time; empty: no order.
    lane: Lane = Lane.bulk
    attempts: int = 0
    parked: bool = False
    error: str = ""


@dataclass(frozen=True)
class Setting:
    """A small durable fact of the desk itself: a poller's offset, the demonstration's pace."""

    id: str
    value: str
    version: int = 1


@dataclass(frozen=True)
class Bucket:
    """A sending rate shared by everybody: the next moment one more may go."""

    id: str  # "telegram", "telegram:<chat>"
    next_at: datetime
    version: int = 1


@dataclass(frozen=True)
class Session:
    """A signed-in browser, or a one-time sign-in code; the id is the SHA-256 (hex) of the secret."""

    id: str
    officer_id: str
    kind: str  # "desk" (cookie), "code" (one-time), "chat" (personal web-chat link)
    made_at: datetime
    seen_at: datetime
    ends_at: datetime
    ended: bool = False
    note: str = ""
    version: int = 1


@dataclass(frozen=True)
class ChatMessage:
    """One line on a web-chat phone, theirs or ours; unique on (address, event_id)."""

    id: str
    address: str
    sequence: int  # Grows by one per change of this phone's screen, so a stream can resume.
    mine: bool  # Written by the person holding the phone.
    at: datetime
    text: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    asks_place: bool = False
    files: tuple[RemoteFile, ...] = ()
    place: Place | None = None
    event_id: str = ""
    read_at: datetime | None = None
    version: int = 1
