"""The records of the roster: units, people, watches, roll calls and what was answered."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """What a person is to the office; the import file's 角色 column."""

    officer = "officer"  # 信息员
    duty = "duty"  # 值班员
    leader = "leader"  # 带班领导
    office = "office"  # 应急办
    admin = "admin"


class Presence(StrEnum):
    """How near the post its holder must be (到位要求)."""

    on_site = "on_site"  # 在岗
    in_town = "in_town"  # 驻地
    reachable = "reachable"  # 通讯畅通


class Proof(StrEnum):
    """What an answer must show before it counts (凭证)."""

    tap = "tap"  # 按键
    passcode = "passcode"  # 口令码: four digits on the duty-room screen
    place = "place"  # 定位
    photo = "photo"  # 照片


class Result(StrEnum):
    """How one person stands in one roll call; exactly the office's words, plus `waiting` while it runs."""

    waiting = "waiting"
    present = "present"  # 到岗
    late = "late"  # 迟答
    no_answer = "no_answer"  # 未应答
    verified_present = "verified_present"  # 核实在岗
    unregistered_cover = "unregistered_cover"  # 替班未报备
    absent_from_post = "absent_from_post"  # 脱岗: only a person concludes this
    line_fault = "line_fault"  # 设备故障
    excused = "excused"  # 免点


class RollCallState(StrEnum):
    """Where a roll call stands; `missed` (漏点) was never sent."""

    open = "open"
    closed = "closed"
    missed = "missed"


@dataclass(frozen=True)
class Unit:
    """A reporting unit (单位): a township, a committee, an office. Not the same as an area on the map."""

    id: str
    name: str
    parent_id: str | None = None
    kind: str = "township"
    lat: float | None = None
    lon: float | None = None
    phone_duty: bool = False
    valid_from: str = ""
    valid_to: str = ""
    version: int = 1


@dataclass(frozen=True)
class Officer:
    """A person the office knows (人员)."""

    id: str
    name: str
    unit_id: str
    phone: str = ""
    title: str = ""
    role: Role = Role.officer
    active: bool = True
    wecom: str = ""
    version: int = 1


@dataclass(frozen=True)
class Account:
    """One way to reach an officer: a channel and that channel's address for them."""

    id: str
    officer_id: str
    channel: str
    address: str
    bound_at: datetime
    rank: int = 100  # The lowest reachable rank is tried first.
    reachable: bool = True
    fault: str = ""
    name: str = ""
    version: int = 1


@dataclass(frozen=True)
class Invite:
    """A one-time enrolment code; only its SHA-256 (hex, the id) is kept."""

    id: str
    officer_id: str
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    used_by: str = ""
    version: int = 1


@dataclass(frozen=True)
class Shift:
    """One person on one post of one unit from start (included) to end (excluded)."""

    id: str
    unit_id: str
    post: str
    officer_id: str
    starts_at: datetime
    ends_at: datetime
    presence: Presence = Presence.on_site
    version: int = 1


@dataclass(frozen=True)
class PostRule:
    """A post of the roster as config.toml names it."""

    key: str
    name: str
    presence: Presence = Presence.on_site


@dataclass(frozen=True)
class RandomMoments:
    """`times` moments drawn inside a local window ("22:00-06:00") on some weekdays (1 = Monday)."""

    window: str
    times: int = 1
    weekdays: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True)
class RollCallPlan:
    """A timetable of roll calls: a cron line or random moments, an audience and its clocks."""

    name: str
    cron: str = ""
    random: RandomMoments | None = None
    posts: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    on_time_minutes: float = 5
    answer_window_minutes: float = 10
    remind_after_minutes: tuple[float, ...] = (2, 4)
    needs_place: bool = False
    place_within_metres: float = 500
    proof: Proof = Proof.tap
    catch_up_minutes: float = 30
    day_classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RollCall:
    """One call of the roll (点名); unique on (plan, slot), its audience frozen as `Answer` rows."""

    id: str
    plan: str
    slot: str  # The planned moment, ISO 8601 UTC, or "manual-…" for 立即点名.
    called_at: datetime
    on_time_until: datetime
    closes_at: datetime
    state: RollCallState = RollCallState.open
    make_up: bool = False  # 补点: sent late, inside the catch-up window.
    passcode: str = ""
    place_within_metres: float = 500
    called_by: str = ""
    reminders: tuple[datetime, ...] = ()
    reminded: int = 0
    due_count: int = 0
    counts: dict[str, int] | None = None  # Set at close; sums to due_count.
    version: int = 1


@dataclass(frozen=True)
class Answer:
    """One person's line in one roll call (应答): made `waiting` when the audience is frozen."""

    id: str
    roll_call_id: str
    officer_id: str
    unit_id: str
    post: str
    presence: Presence = Presence.on_site
    proof: Proof = Proof.tap
    result: Result = Result.waiting
    answered_at: datetime | None = None
    channel: str = ""
    text: str = ""
    note: str = ""
    letter_id: str = ""
    concluded_by: str = ""  # Who decided a result only a person may give.
    version: int = 1


@dataclass(frozen=True)
class Draw:
    """Random roll-call moments drawn once for one plan and local day, and never shown beforehand."""

    id: str  # "plan/2026-11-23"
    plan: str
    day: str
    moments: tuple[datetime, ...] = ()
    version: int = 1


Facts = dict[str, Any]
