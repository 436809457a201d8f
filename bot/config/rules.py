"""What may stand at each key beyond its type: ranges, choices, shapes."""

import re
import zoneinfo
from collections.abc import Callable, Mapping
from datetime import UTC, date
from typing import Any
from urllib.parse import urlsplit

from bot.config.faults import Wrong, languages, nearest, shown
from bot.timetable import check as check_cron
from roster.calendar import DayClass
from roster.draws import BadWindow, window_span
from roster.model import Role

Rule = Callable[[Any], None]  # Raises Wrong.

KINDS = ("daily", "weekly", "zero_report")
MODES = {"telegram": ("polling", "webhook"), "wecom": ("callback", "long_connection")}
CHANNELS = ("telegram", "wecom", "webchat")
A_YEAR_MINUTES = 366 * 24 * 60
A_DAY_MINUTES = 24 * 60
MANY = 1_000_000


def between(least: float, most: float) -> Rule:
    """A number, or each of a list, from `least` to `most`."""

    def rule(value: Any) -> None:
        for one in value if isinstance(value, tuple) else (value,):
            if not least <= one <= most:
                raise Wrong("range", least=f"{least:,}", most=f"{most:,}", found=shown(one))

    return rule


def one_of(*words: str) -> Rule:
    """A word, or each of a list, out of these."""

    def rule(value: Any) -> None:
        for one in value if isinstance(value, tuple) else (value,):
            if one not in words:
                raise Wrong("choice", words=", ".join(words), found=shown(one), hint=nearest(one, words))

    return rule


def like(pattern: str, example: str) -> Rule:
    """A text, or each of a list, of this shape."""
    wanted = re.compile(pattern)

    def rule(value: Any) -> None:
        for one in value if isinstance(value, tuple) else (value,):
            if not wanted.fullmatch(one):
                raise Wrong("shape", example=example, found=shown(one))

    return rule


def filled(example: str) -> Rule:
    """A text or a list that is not empty."""

    def rule(value: Any) -> None:
        if not (value.strip() if isinstance(value, str) else value):
            raise Wrong("empty", example=example)

    return rule


def a_zone(value: str) -> None:
    """A time zone this machine knows."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Wrong("zone", found=shown(value)) from error


def a_cron(value: str) -> None:
    """A line of five fields; empty is somebody else's business."""
    if value and (part := check_cron(value)):
        raise Wrong("cron", part=part)


def a_window(value: str) -> None:
    """Two local times."""
    try:
        window_span(value, date(2026, 1, 1), UTC)
    except BadWindow as error:
        raise Wrong("window", found=shown(value)) from error


def a_url(value: str) -> None:
    """An http address, or nothing."""
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if value and not (is_good and value.isascii() and not re.search(r"\s", value)):
        raise Wrong("url", found=shown(value))


def a_database(value: str) -> None:
    """The database by its full name; the address may hold a password and is not shown."""
    if value.startswith("postgres"):
        if re.search(r"\s", value):
            raise Wrong("postgresql")
        from bot.store import address  # Here, because a desk on SQLite reads its address without it.

        try:
            address.read(value)
        except address.BadAddress as error:
            raise Wrong("postgresql") from error
        return
    if not re.fullmatch(r"sqlite\+aiosqlite:///[^?#\n]*[^?#\n/]", value) or ":memory:" in value:
        raise Wrong("database_url")


# Written as table.key; arrays have the key of one entry. What is not here only has its type.
RULES: Mapping[str, tuple[Rule, ...]] = {
    "office.name": (filled('name = "市应急办"'),),
    "office.timezone": (a_zone,),
    "office.language": (one_of(*languages()),),
    "office.number_prefix": (like(r"[A-Za-z0-9\u4e00-\u9fff]{1,8}", "ZS"),),
    "office.watch_changes_at": (like(r"([01]\d|2[0-3]):[0-5]\d", "08:30"),),
    "database.url": (a_database,),
    "web.host": (filled('host = "127.0.0.1"'), like(r"\[?[A-Za-z0-9.:_-]+\]?", "127.0.0.1")),
    "web.port": (between(1, 65_535),),
    "web.public_url": (a_url,),
    "web.api_tokens": (like(r"[0-9a-fA-F]{64}", "64 位十六进制 SHA-256 / 64 hex digits of a SHA-256"),),
    "web.body_bytes_max": (between(1_024, 64 * 1024 * 1024),),
    "web.body_seconds_max": (between(1, 600),),
    "web.streams_max": (between(1, 10_000),),
    "web.streams_per_person_max": (between(1, 10_000),),
    "web.session_idle_hours": (between(0.05, 24 * 31),),
    "web.session_hours_max": (between(0.05, 24 * 366),),
    "web.code_minutes": (between(1, 60),),
    "log.level": (one_of("debug", "info", "warning", "error"),),
    "log.format": (one_of("auto", "json", "pretty"),),
    "queue.workers_max": (between(2, 64),),
    "queue.bulk_max": (between(1, 63),),
    "queue.run_seconds_max": (between(1, 86_400),),
    "queue.finish_seconds": (between(0, 600),),
    "telegram.mode": (one_of(*MODES["telegram"]),),
    "telegram.bot_name": (like(r"@?[A-Za-z0-9_]{0,32}", "MusterBot"),),
    "wecom.mode": (one_of(*MODES["wecom"]),),
    "wecom.base_url": (a_url,),
    "wecom.ws_url": (like(r"wss?://\S+", "wss://openws.work.weixin.qq.com"),),
    "wecom.agent_id": (between(0, 2**31 - 1),),
    "wecom.member_per_minute": (between(2, 6000),),
    "wecom.member_per_hour": (between(2, 360_000),),
    "wecom.member_per_day": (between(2, 8_640_000),),
    "wecom_robot.url": (a_url,),
    "wecom_robot.officer": (filled('officer = "值班群"'),),
    "webchat.link_days": (between(0.01, 3_660),),
    "attachments.path": (filled('path = "data/attachments"'),),
    "attachments.disk_free_percent_min": (between(0, 99),),
    "limits.draft_minutes": (between(0.01, A_DAY_MINUTES),),
    "limits.album_settle_seconds": (between(0, 60),),
    "limits.text_max": (between(100, MANY),),
    "limits.attachments_per_report_max": (between(1, 10_000),),
    "limits.attachment_bytes_max": (between(1_024, 4 * 1024**3),),
    "limits.pages_per_reporter_per_hour": (between(1, MANY),),
    "limits.messages_per_minute": (between(1, MANY),),
    "limits.invite_hours": (between(0.01, 24 * 366),),
    "limits.start_attempts_per_hour": (between(1, 10_000),),
    "limits.duplicate_window_minutes": (between(0, A_YEAR_MINUTES),),
    "limits.duplicate_within_metres": (between(0, 100_000),),
    "heartbeat.url": (a_url,),
    "heartbeat.every_seconds": (between(1, 60),),
    "heartbeat.backup_hours_max": (between(0, 24 * 366),),
    "post.key": (like(r"[^\s:@、,，]{1,64}", "duty_officer"),),
    "post.name": (filled('name = "值班员"'),),
    "roll_call.name": (filled('name = "每日点名"'),),
    "roll_call.cron": (a_cron,),
    "roll_call.roles": (one_of(*(role.value for role in Role)),),
    "roll_call.day_classes": (one_of(*(one.value for one in DayClass)),),
    "roll_call.on_time_minutes": (between(0, A_DAY_MINUTES),),
    "roll_call.answer_window_minutes": (between(0.01, A_DAY_MINUTES),),
    "roll_call.remind_after_minutes": (between(0, A_DAY_MINUTES),),
    "roll_call.place_within_metres": (between(1, 100_000),),
    "roll_call.catch_up_minutes": (between(0, A_DAY_MINUTES),),
    "random.window": (a_window,),
    "random.times": (between(1, 24),),
    "random.weekdays": (between(1, 7), filled("weekdays = [1, 2, 3, 4, 5, 6, 7]")),
    "escalation.name": (filled('name = "一般"'),),
    "escalation.repeat": (between(0, 1_000),),
    "step.after_minutes": (between(0, A_YEAR_MINUTES),),
    "step.to": (filled('to = ["post:duty_officer"]'),),
    "step.channels": (one_of(*CHANNELS),),
    "bulletin.name": (filled('name = "每日要情"'),),
    "bulletin.cron": (filled('cron = "0 9 * * *"'), a_cron),
    "bulletin.to": (filled('to = ["role:office"]'),),
    "bulletin.kind": (one_of(*KINDS),),
}
