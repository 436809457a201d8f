"""The parts a web chat stands on: the office's own door over SQLite, and bytes on disk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.clock import SystemClock
from bot.door import OfficeDoor
from bot.media import MediaFolder
from bot.queue.embedded import EmbeddedQueue
from bot.store.sql import Database
from desk.policy import Limits, Policy
from desk.ports import Bell, Clock
from roster.calendar import Calendar

POLICY = Policy(
    office="中山市应急办",
    timezone="Asia/Shanghai",
    language="zh-CN",
    number_prefix="ZS",
    watch_changes_at="08:30",
    ladders=(),
    roll_calls=(),
    bulletins=(),
    posts=(),
    limits=Limits(),
    calendar=Calendar(),
)


@asynccontextmanager
async def open_door(
    folder: Path, policy: Policy = POLICY, clock: Clock | None = None
) -> AsyncIterator[OfficeDoor]:
    """A door for one test; its queue is not running."""
    database, clock = Database(f"sqlite+aiosqlite:///{folder / 'desk.db'}"), clock or SystemClock()
    await database.start()
    try:
        yield OfficeDoor(database, EmbeddedQueue(database, clock), clock, policy, Bell())
    finally:
        await database.close()


def open_media(folder: Path) -> MediaFolder:
    """A place for one test's files."""
    media = MediaFolder(folder / "media")
    media.open()
    return media
