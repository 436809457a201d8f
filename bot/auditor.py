"""Distrusts all of the rest: every minute looks at what must hold, and beats outward only when all of it does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from bot.config import Config
from bot.disk_watch import DiskWatch
from bot.heads import heads_path
from bot.heartbeat import Heartbeat
from bot.log_watch import LogWatch
from bot.second_clock import SecondClock
from desk import audits, invariants
from desk.invariants import Finding
from desk.ports import Door, Media, Stale

log = logging.getLogger(__name__)

READ_SECONDS_MAX = 20.0
WATCH_SECONDS_MAX = 20.0
DATABASE = "database"

Watch = Callable[[], Awaitable[str]]  # What is broken just now, "" while all is well.


class Auditor:
    """Asserts the invariants from the rows alone, and what else must hold by its watches, each by its name."""

    def __init__(
        self, door: Door, watches: Mapping[str, Watch], heartbeat: Heartbeat, every_seconds: float
    ) -> None:
        self._door = door
        self._watches = watches
        self.heartbeat = heartbeat
        self._every_seconds = every_seconds
        self._broken: list[str] = []

    async def run(self) -> None:
        """Audit until cancelled; the first time after one interval, so that a start has caught up."""
        async with self.heartbeat:
            while True:
                await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=self._every_seconds)
                await self.audit()

    async def audit(self) -> list[Finding]:
        """Look once at everything, write it down, tell whom it concerns, and beat when all holds."""
        findings = [Finding(name, await _seen(name, watch)) for name, watch in self._watches.items()]
        try:
            async with asyncio.timeout(READ_SECONDS_MAX), self._door.read() as store:
                now = self._door.clock.now()
                findings += await invariants.examine(store, self._door.policy, now)
            async with asyncio.timeout(READ_SECONDS_MAX), self._door.open() as desk:
                findings.append(await invariants.somebody_can_be_told(desk))
                await audits.record(desk, [*findings, Finding(DATABASE)])
        except Stale:
            pass  # Another process wrote its own audit at the same moment.
        except Exception as error:  # Whatever keeps the rows from being read or written is what must be told.
            log.exception("the audit could not be finished")
            findings.append(Finding(DATABASE, type(error).__name__))
        self._note([one.name for one in findings if one.broken])
        await self.heartbeat.tell(findings)
        return findings

    def _note(self, broken: list[str]) -> None:
        """The technical log hears of every change, not of every minute."""
        if broken != self._broken:
            self._broken = broken
            log.warning("broken promises: %s", ", ".join(broken) or "none any more")


def open_auditor(config: Config, door: Door, media: Media, second: SecondClock) -> Auditor:
    """The auditor of this desk, with everything it watches beside the rows."""
    own = () if config.is_shared else (config.database_path.parent,)
    folders = (*own, config.attachments_path)
    backup_hours = config.heartbeat.backup_hours_max
    disk = DiskWatch(door, media, folders, config.attachments.disk_free_percent_min, backup_hours)

    async def agreement() -> str:
        return second.doubt()

    watches = {
        "agreement": agreement,
        "chain": LogWatch(door, heads_path(config)).look,
        "attachments": disk.attachments,
        "room": disk.room,
        "backup": disk.backup,
    }
    return Auditor(door, watches, Heartbeat(config.heartbeat.url), config.heartbeat.every_seconds)


async def _seen(name: str, watch: Watch) -> str:
    try:
        async with asyncio.timeout(WATCH_SECONDS_MAX):
            return await watch()
    except Exception as error:
        log.exception("the watch over %s failed", name)
        return type(error).__name__
