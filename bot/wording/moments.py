"""Moments as the office's people read them: in their own time, the date only when it is not today's."""

from datetime import datetime, timedelta
from functools import cache
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

TO_THE_SECOND = timedelta(minutes=3)


@cache
def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name, which the configuration was checked for."""
    return ZoneInfo(name)


def read(value: Any, zone: ZoneInfo) -> datetime | None:
    """A fact as a local moment; None when it is no moment with a zone."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(zone) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def clock_time(moment: datetime, now: datetime) -> str:
    """03:12 today, 11-23 03:12 on another day, with the year in another year. Both moments are local.

    A moment of the next few minutes has its seconds: who has a minute must not lose most of it."""
    if moment.second and timedelta() < moment - now < TO_THE_SECOND:
        return f"{moment:%H:%M:%S}"
    return f"{moment:%H:%M}" if moment.date() == now.date() else full_time(moment, now)


def full_time(moment: datetime, now: datetime) -> str:
    """11-23 03:12, with the year in another year."""
    return f"{moment:%m-%d %H:%M}" if moment.year == now.year else f"{moment:%Y-%m-%d %H:%M}"


def minutes_left(moment: datetime, now: datetime) -> int:
    """Whole minutes until a moment, begun ones counted; 0 when it has come."""
    return max(0, ceil((moment - now).total_seconds() / 60))
