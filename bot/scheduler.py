"""Turns timetables into due work. APScheduler only wakes: what is owed is read from rows, so nothing is skipped."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from bot.timetable import occurrences
from desk import clocks, roll_calls, timetables, troubles
from desk.policy import BulletinPlan
from desk.ports import Desk, Door, Stale, Store, Unavailable
from roster.model import RollCallPlan

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = (
    20  # However wrong a wake-up was (clock set, machine asleep), nothing is later than this.
)
AHEAD = timedelta(hours=1)
WRITTEN_EVERY = timedelta(minutes=5)  # How far a timetable was gone through, when nothing of it is due.
TIMETABLE = "timetable"  # The trouble of one that fails.
TRIES_MAX = 3
FAILURES_TOLD = 2
REASON_MAX = 200


Look = Callable[[], Coroutine[Any, Any, None]]
Act = Callable[[Desk], Awaitable[None]]


class Waker(Protocol):
    """Calls when it is time to look: nothing more hangs on it."""

    def start(self, look: Look) -> None:
        """Call `look` now and then from now on."""

    def wake_at(self, moment: datetime) -> None:
        """Call at this moment as well, instead of the one named before."""

    def stop(self) -> None:
        """Call no more."""


class Alarm:
    """A Waker on APScheduler."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone="UTC", job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._look: Look | None = None

    def start(self, look: Look) -> None:
        """Call `look` every 20 seconds."""
        self._look = look
        every = IntervalTrigger(seconds=LOOK_EVERY_SECONDS, timezone="UTC")
        self._scheduler.add_job(look, every, id="look", replace_existing=True)
        self._scheduler.start()

    def wake_at(self, moment: datetime) -> None:
        """Call at this moment as well; before the start there is nobody to call."""
        if self._look is not None:
            trigger = DateTrigger(moment, timezone="UTC")
            self._scheduler.add_job(self._look, trigger, id="next", replace_existing=True)

    def stop(self) -> None:
        """Call no more."""
        self._scheduler.shutdown(wait=False)


@dataclass(frozen=True)
class _Timetable:
    plan: timetables.Plan
    act: Act


class Scheduler:
    """Looks at every timetable at its moments, and now and then in any case."""

    def __init__(self, door: Door, waker: Waker | None = None) -> None:
        self._door = door
        self._failures: dict[str, int] = {}  # Of each timetable, in a row.
        self._now: datetime | None = None  # At the last look.
        self._zone = ZoneInfo(door.policy.timezone)
        self._turn = asyncio.Lock()
        self._waker = waker or Alarm()
        policy = door.policy
        self._timetables = [
            *(self._roll_call(plan) for plan in policy.roll_calls),
            *(self._bulletin(plan) for plan in policy.bulletins),
        ]

    async def run(self) -> None:
        """Look until cancelled."""
        self._waker.start(self._look_safely)
        try:
            await self._look_safely()
            await asyncio.Event().wait()
        finally:
            self._waker.stop()

    async def look(self) -> None:
        """Go through every timetable up to now, and wake at the next planned moment."""
        async with self._turn:
            try:
                owing = await self._owing()
            except Exception:  # Each goes through by itself, and tells its own fault.
                log.exception("what is due could not be read")
                owing = self._timetables
            for one in owing:
                await self._try(one.plan.name, one.act)
            await self._close_overdue()
            await self._mend_clocks()
            await self._wake_at_next()

    async def _owing(self) -> list[_Timetable]:
        """Those of which something is due. The others only note, now and then, how far they were gone through."""
        now = self._door.clock.now()
        owing, idle = [], []
        async with self._door.read() as store:
            looks = await timetables.looks(store, [one.plan for one in self._timetables])
            for one, last in zip(self._timetables, looks, strict=True):
                if last is None or await self._owes(store, one.plan, last, now):
                    owing.append(one)
                else:
                    idle.append((one.plan, last))
        if any(now - last >= WRITTEN_EVERY for _, last in idle):
            async with self._door.open() as desk:
                await timetables.move_on(desk, [plan for plan, _ in idle], now)
        return owing

    async def _owes(self, store: Store, plan: timetables.Plan, last: datetime, now: datetime) -> bool:
        if last > now + timetables.AHEAD_MAX or self._failures.get(plan.name) != 0:
            return True
        if isinstance(plan, RollCallPlan) and plan.random is not None:
            return await timetables.owes_random(store, plan, last, now, self._zone)
        return bool(self._planned(plan.cron, last, now))

    async def _close_overdue(self) -> None:
        """Bring up again what a doubted or corrected clock left open."""
        async with self._door.read() as store:
            left = await roll_calls.overdue(store, self._door.clock.now())
        if left:
            async with self._door.open() as desk:
                for one in left:
                    subject = f"roll_call:{one.id}"
                    desk.due("roll_call_close", one.id, desk.now, key=subject, name=f"close/{one.id}")

    async def _mend_clocks(self) -> None:
        """After the machine's clock stepped back the reporting clocks' moments come once more."""
        now, last = self._door.clock.now(), self._now
        self._now = now
        if last is not None and now < last:
            async with self._door.open() as desk:
                await clocks.schedule_all(desk)

    async def _look_safely(self) -> None:
        try:
            await self.look()
        except Exception:  # The store may be down just now: the next look finds the same moments.
            log.exception("timetables could not be gone through")

    async def _try(self, name: str, act: Act) -> None:
        """One timetable in one transaction; a fault in one does not stop the others."""
        try:
            await self._through(name, act)
            self._failures[name] = 0
        except Unavailable as error:
            log.warning("timetable %s waits for the database: %s", name, error)
        except Exception as error:  # The same moments come up at the next look.
            log.exception("timetable %s could not be gone through", name)
            self._failures[name] = self._failures.get(name, 0) + 1
            if self._failures[name] == FAILURES_TOLD:
                await self._tell(name, error)

    async def _through(self, name: str, act: Act) -> None:
        for tries in range(1, TRIES_MAX + 1):
            try:
                async with self._door.open() as desk:
                    await act(desk)
                    # Also at the first look: it may have failed before the start.
                    if self._failures.get(name) != 0:
                        await troubles.end(desk, TIMETABLE, name)
                return
            except Stale:  # Another replica goes through it too: what is owed is read again.
                if tries == TRIES_MAX:
                    raise

    async def _tell(self, name: str, fault: Exception) -> None:
        try:
            async with self._door.open() as desk:
                await troubles.begin(desk, TIMETABLE, name, f"{type(fault).__name__}: {fault}"[:REASON_MAX])
        except Exception:  # The log has it; the next look may tell.
            self._failures[name] = 0
            log.exception("the failure of timetable %s could not be told", name)

    def _roll_call(self, plan: RollCallPlan) -> _Timetable:
        async def act(desk: Desk) -> None:
            after = await timetables.looked_at(desk, plan)
            if plan.random is not None:
                moments = await timetables.random_moments(desk, plan, after, desk.now)
            else:
                moments = self._planned(plan.cron, after, desk.now)
            await timetables.call_rolls(desk, plan, moments)
            await timetables.move_on(desk, [plan], desk.now)

        return _Timetable(plan, act)

    def _bulletin(self, plan: BulletinPlan) -> _Timetable:
        async def act(desk: Desk) -> None:
            after = await timetables.looked_at(desk, plan)
            await timetables.push_bulletins(desk, plan, self._planned(plan.cron, after, desk.now))
            await timetables.move_on(desk, [plan], desk.now)

        return _Timetable(plan, act)

    def _planned(self, cron: str, after: datetime, until: datetime) -> list[datetime]:
        return occurrences(cron, self._zone, after, until) if cron else []

    async def _wake_at_next(self) -> None:
        """Set the alarm for the nearest planned moment of the next hour."""
        now = self._door.clock.now()
        policy = self._door.policy
        crons = [*(plan.cron for plan in policy.roll_calls), *(plan.cron for plan in policy.bulletins)]
        moments = [moment for cron in crons for moment in self._planned(cron, now, now + AHEAD)[:1]]
        async with self._door.read() as store:
            moments += await timetables.drawn_next(store, now, now + AHEAD)
        if moments:
            self._waker.wake_at(min(moments))
