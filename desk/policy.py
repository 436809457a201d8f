"""The office's own rules as config.toml states them, frozen for jobs to read."""

from dataclasses import dataclass, field

from incidents.model import Ladder
from roster.calendar import Calendar
from roster.model import PostRule, RollCallPlan


@dataclass(frozen=True)
class BulletinPlan:
    """A scheduled push to the office."""

    name: str
    cron: str
    to: tuple[str, ...]
    kind: str = "daily"  # daily, weekly or zero_report


@dataclass(frozen=True)
class Limits:
    """A limit on everything."""

    draft_minutes: float = 10
    album_settle_seconds: float = 3
    text_max: int = 20_000
    attachments_per_report_max: int = 60
    attachment_bytes_max: int = 20 * 1024 * 1024
    pages_per_reporter_per_hour: int = 20
    messages_per_minute: int = 60
    invite_hours: float = 24
    start_attempts_per_hour: int = 5
    duplicate_window_minutes: float = 30
    duplicate_within_metres: float = 300


@dataclass(frozen=True)
class Policy:
    """Everything a job may need to know that is not a record."""

    office: str
    timezone: str
    language: str
    number_prefix: str
    watch_changes_at: str
    ladders: tuple[Ladder, ...]
    roll_calls: tuple[RollCallPlan, ...]
    bulletins: tuple[BulletinPlan, ...]
    posts: tuple[PostRule, ...]
    limits: Limits
    calendar: Calendar
    public_url: str = ""
    telegram_bot: str = ""
    stub_only: tuple[str, ...] = ()  # Channels that never carry facts.
    demonstration: bool = False
    fallback: tuple[str, ...] = field(default=("role:office", "role:leader", "role:admin"))
