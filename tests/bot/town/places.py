"""A town for one test: the office's own door and files, and a clock the test sets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from bot.door import OfficeDoor
from bot.media import MediaFolder
from bot.town.seed import seed
from roster import calendar
from roster.model import RollCallPlan
from tests.bot.channels.webchat_parts import POLICY, open_door, open_media

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)  # 12:00 in Zhongshan, a plain Tuesday.
TOWN_POLICY = replace(
    POLICY,
    demonstration=True,
    roll_calls=(RollCallPlan("每日点名", cron="0 8 * * *", posts=("duty_leader", "duty_officer")),),
    calendar=calendar.load(resources.files("roster").joinpath("calendar.toml").read_text("utf-8")),
)


@dataclass
class SetClock:
    """Stands still until it is set."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at


@dataclass
class Town:
    """A seeded town."""

    door: OfficeDoor
    media: MediaFolder
    clock: SetClock

    async def start_again(self, at: datetime) -> None:
        """The desk starts once more, at another moment."""
        self.clock.at = at
        await seed(self.door, self.media, at)


@asynccontextmanager
async def open_town(folder: Path, at: datetime = NOON) -> AsyncIterator[Town]:
    """A town whose desk started for the first time at a moment."""
    clock = SetClock(at)
    async with open_door(folder, TOWN_POLICY, clock) as door:
        town = Town(door, open_media(folder), clock)
        await town.start_again(at)
        yield town
