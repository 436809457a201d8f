"""The reporting clocks (时限): from 事发 and from 接报, both shown; 超时 is a fact, 迟报 a person's word."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidents.model import OPEN_STATES, Incident
from incidents.tables.limits import STABLE_FOLLOW_UP_MINUTES, TOWN_TO_CITY, WARN_AT, Limit, Profile

# Which field of the incident says that a clock's report went up.
DONE_FIELDS = {"phone": "phone_done_at", "written": "written_done_at"}


@dataclass(frozen=True)
class ClockReading:
    """One clock at one moment."""

    name: str  # phone, written or follow_up
    from_what: str  # occurred (事发), received (接报) or, for follow-ups, last_report
    started_at: datetime
    due_at: datetime
    state: str  # running, warn (half is gone), overdue or done
    done_at: datetime | None = None
    is_late: bool = False  # Over its time, done or not: the fact 超时.


def limit_for(incident: Incident, profile: Profile = TOWN_TO_CITY) -> Limit | None:
    """The limits of an incident's level, shortened by 敏感; None when nothing is owed in this direction."""
    by_level = profile.limits.get(incident.severity)
    if not incident.sensitive:
        return by_level
    if by_level is None:
        return profile.sensitive
    return Limit(
        min(by_level.phone_minutes, profile.sensitive.phone_minutes),
        min(by_level.written_minutes, profile.sensitive.written_minutes),
        min(by_level.follow_up_minutes, profile.sensitive.follow_up_minutes),
        by_level.source,
    )


def set_clocks(
    incident: Incident, now: datetime, minute: timedelta, profile: Profile = TOWN_TO_CITY
) -> Incident:
    """The incident with the limits of its level, counted from 接报: a higher level may find them past.

    The follow-up owed is brought forward, never put off."""
    limit = limit_for(incident, profile)
    if limit is None:
        return replace(incident, phone_by=None, written_by=None, follow_up_by=None)
    follow_up_by = now + limit.follow_up_minutes * minute
    if incident.follow_up_by is not None:
        follow_up_by = min(follow_up_by, incident.follow_up_by)
    return replace(
        incident,
        phone_by=incident.received_at + limit.phone_minutes * minute,
        written_by=incident.received_at + limit.written_minutes * minute,
        follow_up_by=follow_up_by,
    )


def after_follow_up(
    incident: Incident,
    now: datetime,
    minute: timedelta,
    profile: Profile = TOWN_TO_CITY,
    *,
    stable: bool = False,
) -> Incident:
    """The incident once a 续报 is in: the next is owed an interval from now, daily when stable.

    The other clocks follow the level, which the report may have raised."""
    if incident.state not in OPEN_STATES:
        return replace(incident, follow_up_by=None)
    changed = set_clocks(replace(incident, follow_up_by=None), now, minute, profile)
    if stable and changed.follow_up_by is not None:
        return replace(changed, follow_up_by=now + STABLE_FOLLOW_UP_MINUTES * minute)
    return changed


def clocks(incident: Incident, now: datetime, profile: Profile = TOWN_TO_CITY) -> list[ClockReading]:
    """Every clock: phone and written, each from 事发 (when known) and from 接报; then the follow-up's.

    A report sent at the very deadline is in time. A clock nobody stopped is overdue at its deadline, since
    that is the moment somebody must act. After the incident's end the clocks stand as they stood then."""
    at = min(now, incident.closed_at) if incident.closed_at else now
    is_open = incident.state in OPEN_STATES
    readings: list[ClockReading] = []
    marks = (
        ("phone", incident.phone_by, incident.phone_done_at),
        ("written", incident.written_by, incident.written_done_at),
    )
    for name, due_at, done_at in marks:
        if due_at is None:
            continue
        span = due_at - incident.received_at
        for from_what, started_at in _starts(incident):
            one = _read(name, from_what, started_at, started_at + span, done_at, at)
            readings.append(one if is_open or one.state == "overdue" else replace(one, state="done"))
    if is_open and incident.follow_up_by is not None:
        started_at = _last_report_at(incident, incident.follow_up_by, profile)
        readings.append(_read("follow_up", "last_report", started_at, incident.follow_up_by, None, at))
    return readings


def _starts(incident: Incident) -> Iterator[tuple[str, datetime]]:
    if incident.occurred_at is not None and incident.occurred_at <= incident.received_at:
        yield "occurred", incident.occurred_at
    yield "received", incident.received_at


def _last_report_at(incident: Incident, follow_up_by: datetime, profile: Profile) -> datetime:
    """One interval before the follow-up owed, at the pace of the phone clock (the fast one is shorter)."""
    limit = limit_for(incident, profile)
    if limit is None or incident.phone_by is None:
        return incident.received_at
    span = (incident.phone_by - incident.received_at) * (limit.follow_up_minutes / limit.phone_minutes)
    return max(incident.received_at, follow_up_by - span)


def _read(
    name: str, from_what: str, started_at: datetime, due_at: datetime, done_at: datetime | None, at: datetime
) -> ClockReading:
    if done_at is not None:
        return ClockReading(name, from_what, started_at, due_at, "done", done_at, done_at > due_at)
    if due_at <= at:
        return ClockReading(name, from_what, started_at, due_at, "overdue", None, True)
    is_half_gone = started_at + (due_at - started_at) * WARN_AT <= at
    return ClockReading(name, from_what, started_at, due_at, "warn" if is_half_gone else "running")
