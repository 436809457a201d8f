"""Opens the office's database and door for one command, beside a running desk or without one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources

from bot.clock import SystemClock
from bot.config import Config
from bot.door import OfficeDoor
from bot.media import MediaFolder
from bot.queue.guard import AlreadyRunning, CannotLock, only_process
from bot.queue.opening import open_queue
from bot.store.opening import OpenDatabase, open_database
from bot.town.rules import town_policy
from desk.policy import Policy
from desk.ports import Bell, Clock
from roster import calendar


@dataclass(frozen=True)
class Office:
    """What a command may use. Jobs it puts are found by a running desk within a second."""

    config: Config
    database: OpenDatabase
    door: OfficeDoor
    media: MediaFolder
    clock: Clock


@asynccontextmanager
async def open_office(config: Config) -> AsyncIterator[Office]:
    """The office, its database made or migrated where that is allowed. Raises StoreRefused, StoreUnavailable."""
    clock = SystemClock()
    url = config.database.url
    database = open_database(url, auto_migrate=config.database.auto_migrate)
    await database.start()
    try:
        queue = open_queue(url, database, clock)
        door = OfficeDoor(database, queue, clock, policy_of(config), Bell())
        await door.load_pace()
        yield Office(config, database, door, MediaFolder(config.attachments_path), clock)
    finally:
        await database.close()


def policy_of(config: Config) -> Policy:
    """The office's rules as the desk would have them."""
    text = resources.files("roster").joinpath("calendar.toml").read_text("utf-8")
    policy = config.policy(calendar.load(text))
    return town_policy(policy) if config.demonstration else policy


def is_running(config: Config) -> bool:
    """Whether a desk works on this file of SQLite just now; on PostgreSQL it makes no difference."""
    if config.is_shared or not config.database_path.exists():
        return False
    try:
        with only_process(config.database_path, SystemClock()):
            return False
    except AlreadyRunning:
        return True
    except CannotLock:
        return False
