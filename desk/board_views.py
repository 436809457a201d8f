"""The records of the live board: what a reader sees of watches, roll calls, incidents and troubles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from incidents.model import Draft, Incident, Severity
from roster.model import Answer, Presence, Proof, Result, RollCall, Unit


@dataclass(frozen=True)
class WatchLine:
    """One post of one unit now or next; without an officer it is a gap (空岗)."""

    unit_id: str
    unit: str
    post: str
    post_name: str
    officer_id: str = ""
    officer: str = ""
    title: str = ""
    phone: str = ""
    presence: Presence = Presence.on_site
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    result: Result | None = None  # How the person stands in the newest roll call that asked them.

    @property
    def is_gap(self) -> bool:
        return not self.officer_id


@dataclass(frozen=True)
class Watch:
    """Who holds the posts now, and who follows."""

    now: tuple[WatchLine, ...] = ()
    next: tuple[WatchLine, ...] = ()


@dataclass(frozen=True)
class Dot:
    """One person of an open roll call."""

    answer_id: str
    officer_id: str
    officer: str
    unit: str
    post: str
    proof: Proof
    result: Result
    answered_at: datetime | None


@dataclass(frozen=True)
class RollCallView:
    """A roll call with counts that sum to `due`; a unit's viewer sees and counts the unit's own people."""

    roll_call: RollCall
    due: int
    answered: int  # 已到: present, late, or settled by a person in the officer's favour.
    unanswered: int
    counts: Mapping[Result, int]
    dots: tuple[Dot, ...] = ()


@dataclass(frozen=True)
class ClockView:
    """One reporting clock of an incident."""

    name: str  # phone, written, follow_up
    due_at: datetime
    is_done: bool
    is_overdue: bool


@dataclass(frozen=True)
class IncidentView:
    """An open incident, with the names a reader needs."""

    incident: Incident
    unit: str
    reporter: str
    holder: str  # Who signed, else who it was handed to, else "".
    heard: tuple[str, ...]
    age: timedelta
    clocks: tuple[ClockView, ...]
    is_unheld: bool  # Nobody has signed, and the ladder has been walked to its end at least once.

    @property
    def is_overdue(self) -> bool:
        return self.is_unheld or any(clock.is_overdue for clock in self.clocks)


@dataclass(frozen=True)
class Trouble:
    """Something that could not be processed or delivered, with its reason."""

    kind: str  # letter, job, inbox, channel, audit
    id: str
    what: str
    reason: str
    at: datetime
    who: str = ""


@dataclass(frozen=True)
class Waiting:
    """What waits for the viewer."""

    answers: tuple[Answer, ...] = ()
    to_sign: tuple[IncidentView, ...] = ()
    mine: tuple[IncidentView, ...] = ()
    drafts: tuple[Draft, ...] = ()


@dataclass(frozen=True)
class Board:
    """The live board at one moment, as one viewer may see it."""

    now: datetime
    office: str
    sees_all: bool
    watch: Watch
    open_roll_calls: tuple[RollCallView, ...]
    closed_roll_calls: tuple[RollCallView, ...]
    incidents: tuple[IncidentView, ...]  # Worst first, then the oldest.
    open_counts: Mapping[Severity, int]
    overdue: tuple[IncidentView, ...]
    waiting: Waiting = field(default_factory=Waiting)
    troubles: tuple[Trouble, ...] = ()
    troubles_count: int = 0
    attachments_waiting: int = 0
    units: Mapping[str, Unit] = field(default_factory=dict)
