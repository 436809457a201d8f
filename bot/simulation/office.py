"""The desk itself: the real parts on the same database, life after life."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path

from bot import scheduler, work
from bot.door import OfficeDoor
from bot.fetcher import Fetcher
from bot.intake import TransactionalInbox
from bot.postman import Postman
from bot.queue.embedded import NAP_SECONDS, EmbeddedQueue
from bot.scheduler import Look, Scheduler
from bot.second_clock import SecondClock
from bot.simulation.inline import Disk
from bot.simulation.life import CURRENT, Life
from bot.simulation.loop import VirtualClock
from bot.simulation.platforms import DigestBox, Line, Platform, pass_by
from bot.store import StoreRefused
from bot.store.sql import Database
from bot.switchboard import Switchboard
from bot.town.seed import carry_on, seed
from bot.troubles import ChannelTroubles
from bot.wording import Wording
from desk import hearing, pruning
from desk.policy import Policy
from desk.ports import Bell, Unavailable
from handlers.flow import find_flows

START_AGAIN_SECONDS = 5.0
QUIET_SECONDS = 3600.0
POLL_SECONDS = 20.0
FIND_CLOCK_SECONDS = 1.0  # As often the real queue looks whether the clock was set.


class Office:
    """Starts the desk, kills it, and starts it again on what is left."""

    def __init__(
        self, folder: Path, policy: Policy, clock: VirtualClock, platforms: Mapping[str, Platform], disk: Disk
    ) -> None:
        self.path = folder / "desk.db"
        self.policy = policy
        self.clock = clock
        self.life: Life | None = None
        self.serves = False
        self.troubled_at = (
            0.0  # The last virtual second at which it began to serve anew, or its clock was set.
        )
        self.queue: EmbeddedQueue | None = None
        self.timetables: Scheduler | None = None
        self._door: OfficeDoor | None = None
        self._platforms = platforms
        self._disk = disk
        self._lives = 0
        self._wording = Wording.of(policy)
        self._flows = find_flows()
        self._media = DigestBox()

    @property
    def door(self) -> OfficeDoor:
        """The door of the present life."""
        if self._door is None:
            raise RuntimeError("the desk never started")
        return self._door

    @property
    def served_for(self) -> float:
        """Seconds it has served undisturbed by now."""
        if not self.serves or self._disk.is_full:
            return 0.0
        return self.clock.monotonic() - self.troubled_at

    @property
    def is_alive(self) -> bool:
        """Whether a process runs, serving or still on its way there."""
        return self.life is not None and self.life.is_alive

    def start_soon(self) -> None:
        """Begin a new life as soon as the last one is cold."""
        if self.life is not None and self.life.bury():
            asyncio.get_running_loop().call_later(0.001, self.start_soon)
            return
        self._lives += 1
        self.life = Life(self._lives)
        self.life.start(self._live(self.life), "desk")

    async def _live(self, life: Life) -> None:
        """Start, however often it takes: a full disk or a held database keeps a service manager trying."""
        while True:
            try:
                await self._begin(life)
            except (Unavailable, StoreRefused):
                await pass_by(START_AGAIN_SECONDS)
            else:
                return

    async def _begin(self, life: Life) -> None:
        database = Database(f"sqlite+aiosqlite:///{self.path}")
        await database.start()
        bell = Bell()
        queue = QuietQueue(database, self.clock)
        second = PolledClock(self.clock, self._platforms)
        door = OfficeDoor(database, queue, self.clock, self.policy, bell, second)
        await door.load_pace()
        async with door.open() as desk:
            pruning.schedule(desk)
            await hearing.note_start(desk)
        inbox = TransactionalInbox(database, queue, self.clock, bell)
        lines = {name: Line(platform, life) for name, platform in self._platforms.items()}
        postman = Postman(door, queue, lines, self._wording)
        switchboard = Switchboard(door, queue, lines, self._flows, inbox)
        work.register(queue, door, switchboard, postman, Fetcher(door, lines, self._media))
        if life.number == 1:
            await seed(door, self._media, self.clock.now())
        timetables = Scheduler(door, LoopWaker(self.clock))
        troubles = ChannelTroubles(door)
        self.queue, self.timetables, self._door = queue, timetables, door
        life.start(queue.run(), "queue")
        life.start(timetables.run(), "timetables")
        life.start(troubles.run(), "troubles")
        for name, line in lines.items():
            life.start(line.run(inbox.take), name)
        self.serves = True
        self.troubled_at = self.clock.monotonic()

    def kill(self) -> None:
        """The process ends as by kill -9."""
        self.serves = False
        if self.life is not None:
            self.life.kill()

    async def carry_on(self) -> None:
        """The office writes the coming weeks' roster, as it does every day."""
        await carry_on(self.door, self.clock.now())

    def look_soon(self) -> None:
        """After trouble the queue and the timetables find what they missed, within the seconds they really look in."""
        loop = asyncio.get_running_loop()
        queue, timetables, life = self.queue, self.timetables, self.life

        def look() -> None:
            if life is not None and life.is_alive and queue is not None:
                queue.wake_all()

        def go_through() -> None:
            if life is not None and life.is_alive and timetables is not None:
                life.start(timetables.look())

        loop.call_later(FIND_CLOCK_SECONDS, look)
        loop.call_later(20 * FIND_CLOCK_SECONDS, go_through)


class QuietQueue(EmbeddedQueue):
    """The embedded queue, resting until something is due.

    The real one looks each second for a changed clock and for what others put; here nobody else puts work, and
    `Office.look_soon` wakes it within that second."""

    reread_seconds = QUIET_SECONDS

    async def _rest(self, seconds: float) -> bool:
        return await super()._rest(seconds + NAP_SECONDS)  # Or it would look a moment too early, and again.


class PolledClock(SecondClock):
    """The second clock as it is while each platform that is not away tells its time with every poll."""

    def __init__(self, clock: VirtualClock, platforms: Mapping[str, Platform]) -> None:
        super().__init__(clock, clock.monotonic)
        self._true_now = clock.true_now
        self._platforms = platforms

    def doubt(self) -> str:
        """Why the machine's clock is not to be trusted just now, or ""."""
        now = self._monotonic()
        is_time = super().doubt() or self._heard_at is None or now - self._heard_at >= POLL_SECONDS
        if is_time and not all(platform.weather.away for platform in self._platforms.values()):
            self.heard(format_datetime(self._true_now(), usegmt=True))
        return super().doubt()


class LoopWaker:
    """Wakes the timetables by the virtual loop: at their moments, and now and then as the real one does each 20 s."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._life = CURRENT.get()
        self._look: Look | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def start(self, look: Look) -> None:
        """Call `look` within the hour, and so on: between planned moments a desk whose clock is right finds nothing."""
        self._look = look
        self._set("now and then", scheduler.AHEAD.total_seconds() * 0.99)

    def wake_at(self, moment: datetime) -> None:
        """Call at this moment as well."""
        self._set("next", max(0.0, (moment - self._clock.now()).total_seconds()) + NAP_SECONDS)

    def stop(self) -> None:
        """Call no more."""
        for timer in self._timers.values():
            timer.cancel()

    def _set(self, name: str, seconds: float) -> None:
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, self._ring, name)

    def _ring(self, name: str) -> None:
        if name != "next":
            self._set(name, scheduler.AHEAD.total_seconds() * 0.99)
        if self._life is not None and self._life.is_alive and self._look is not None:
            self._life.start(self._look())
