"""The records of incidents: drafts, reports, incidents, attachments and the duty log."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """The event level (级别), worst first; 应对法 第3条."""

    extremely_serious = "extremely_serious"  # 特别重大
    serious = "serious"  # 重大
    major = "major"  # 较大
    general = "general"  # 一般


class Category(StrEnum):
    """The four classes of 突发事件, and `unknown` until somebody says."""

    natural = "natural"  # 自然灾害
    accident = "accident"  # 事故灾难
    health = "health"  # 公共卫生事件
    social = "social"  # 社会安全事件
    unknown = "unknown"


class State(StrEnum):
    """Where an incident stands, as its reporter is told."""

    received = "received"  # 已收到, nobody has signed yet
    verifying = "verifying"  # 核实中: signed for
    handed_on = "handed_on"  # 已转办, waits for the new holder's signature
    closed = "closed"  # 办结
    unfounded = "unfounded"  # 不属实
    merged = "merged"  # 重复, 并案


OPEN_STATES = (State.received, State.verifying, State.handed_on)
UNSIGNED_STATES = (State.received, State.handed_on)


class ReportKind(StrEnum):
    """Which paper a report is."""

    first = "first"  # 首报
    follow_up = "follow_up"  # 续报
    final = "final"  # 终报
    correction = "correction"  # 更正


class AttachmentState(StrEnum):
    """Whether the bytes are here."""

    waiting = "waiting"
    stored = "stored"
    refused = "refused"  # too big, or not what it says
    lost = "lost"  # could not be fetched after every retry


@dataclass(frozen=True)
class Place:
    """Where it happened: WGS-84 degrees, plus the original figures and their datum, or words only."""

    lat: float | None = None
    lon: float | None = None
    text: str = ""
    datum: str = "wgs84"
    original_lat: float | None = None
    original_lon: float | None = None
    accuracy_metres: float | None = None


@dataclass(frozen=True)
class Casualties:
    """People harmed; None is 不详 (unknown), which is not zero."""

    deaths: int | None = None
    missing: int | None = None
    trapped: int | None = None
    serious_injuries: int | None = None
    injuries: int | None = None
    loss_yuan: float | None = None
    nobody: bool = False  # The reporter said 无.


@dataclass(frozen=True)
class Draft:
    """A report being told: everything one sender has said so far, in any order."""

    id: str
    officer_id: str
    channel: str
    address: str
    opened_at: datetime
    due_at: datetime  # It goes out then, complete or not.
    text: str = ""
    place: Place | None = None
    kind: str = ""
    casualties: Casualties | None = None
    attachment_ids: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    group: str = ""  # The album being collected.
    settles_at: datetime | None = None
    state: str = "open"  # open, sent or cancelled
    incident_id: str = ""
    version: int = 1


@dataclass(frozen=True)
class Step:
    """One rung of a ladder: this long after the start, these people, perhaps only on these channels."""

    after_minutes: float
    to: tuple[str, ...]  # "post:duty_officer", "role:office", "officer:<name or id>"
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ladder:
    """An escalation rule (上报链) as config.toml writes it; empty conditions match everything."""

    name: str
    steps: tuple[Step, ...]
    severities: tuple[Severity, ...] = ()
    categories: tuple[Category, ...] = ()
    units: tuple[str, ...] = ()
    repeat: int = 3  # Times the whole ladder is walked again when nobody signs.


@dataclass(frozen=True)
class Incident:
    """A 突发事件 with its ladder frozen in and its clocks set."""

    id: str
    number: str
    state: State
    received_at: datetime
    unit_id: str = ""
    reporter_id: str = ""
    title: str = ""
    category: Category = Category.unknown
    kind: str = ""
    severity: Severity = Severity.general
    potential: Severity | None = None
    basis: str = ""  # Which indicator and clause suggest the level.
    severity_set_by: str = ""  # Empty while it is only the system's suggestion.
    sensitive: bool = False
    place: Place | None = None
    casualties: Casualties | None = None
    occurred_at: datetime | None = None
    ladder: Ladder | None = None
    walk: int = 0  # 0 is the first walk of the ladder, then each repeat.
    step: int = 0  # The next step to take.
    walk_started_at: datetime | None = None
    next_step_at: datetime | None = None
    heard_by: tuple[str, ...] = ()
    signed_by: str = ""
    signed_at: datetime | None = None
    assigned_to: str = ""
    phone_by: datetime | None = None
    written_by: datetime | None = None
    follow_up_by: datetime | None = None
    phone_done_at: datetime | None = None
    written_done_at: datetime | None = None
    reports_count: int = 0
    closed_at: datetime | None = None
    outcome: str = ""
    merged_into: str = ""
    drill: bool = False
    version: int = 1


@dataclass(frozen=True)
class Report:
    """What one person said about an incident, never overwritten."""

    id: str
    incident_id: str
    sequence: int
    kind: ReportKind
    reporter_id: str
    received_at: datetime
    text: str = ""
    place: Place | None = None
    attachment_ids: tuple[str, ...] = ()
    channel: str = ""
    corrects: str = ""
    event_key: str = ""  # Makes the same message harmless twice.
    version: int = 1


@dataclass(frozen=True)
class Attachment:
    """A photo, voice note, video or file; `digest` (SHA-256 hex) names the bytes on disk once stored."""

    id: str
    channel: str
    remote_id: str
    kind: str  # photo, voice, video, file
    received_at: datetime
    officer_id: str = ""
    incident_id: str = ""
    draft_id: str = ""
    file_name: str = ""
    mime: str = ""
    bytes_count: int | None = None
    digest: str = ""
    state: AttachmentState = AttachmentState.waiting
    fault: str = ""
    version: int = 1


@dataclass(frozen=True)
class LogLine:
    """One line of the duty log (值班日志), append-only, each hash covering the one before."""

    sequence: int
    at: datetime
    kind: str
    subject: str  # "incident:<id>", "roll_call:<id>", "officer:<id>", "desk"
    actor: str  # officer id, or "system"
    facts: dict[str, Any]
    previous: str
    hash: str
