"""Opens desks: one writing transaction at one frozen moment, flushed, committed, and told to whoever waits."""

import math
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta

from bot.second_clock import SecondClock
from desk.model import Setting
from desk.policy import Policy
from desk.ports import Bell, Clock, Desk, Store, Transactions, WorkQueue

PACE = "pace"  # The Setting that holds the demonstration's pace.
NORMAL_PACE = 1.0
STEP_HIDDEN = timedelta(seconds=2)  # A clock that steps back by less than this seems to stand still.


class OfficeDoor:
    """Implements `desk.ports.Door`."""

    def __init__(
        self,
        transactions: Transactions,
        queue: WorkQueue,
        clock: Clock,
        policy: Policy,
        bell: Bell,
        second: SecondClock | None = None,
    ) -> None:
        self.bell = bell
        self.clock = clock
        self.policy = policy
        self._transactions = transactions
        self._queue = queue
        self.second = second
        self._last: datetime | None = None
        self._pace = NORMAL_PACE

    @property
    def pace(self) -> float:
        """How many times faster than real the office's minutes run."""
        return self._pace

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Desk]:
        """A desk. Committed at the end of the block; an exception undoes everything."""
        async with self._transactions.begin() as store:
            # Only now: waiting for the turn must not make the moment old.
            is_doubted = self.second is not None and bool(self.second.doubt())
            jump = self.second.jump if self.second is not None else None
            desk = Desk(store, self._moment(), self.policy, self._queue, self._pace, is_doubted, jump)
            yield desk
            has_work = await desk.flush()
        if has_work:
            self._queue.wake()
        self.bell.ring()

    def read(self) -> AbstractAsyncContextManager[Store]:
        """A reading view."""
        return self._transactions.read()

    async def load_pace(self) -> None:
        """Read the stored pace, once at the start."""
        async with self.read() as store:
            setting = await store.get(Setting, PACE)
        if setting is not None:
            self._pace = _checked(float(setting.value))

    async def set_pace(self, pace: float) -> None:
        """Store the pace and let every desk opened from now on have it."""
        pace = _checked(pace)
        async with self.open() as desk:
            setting = await desk.store.get(Setting, PACE)
            if setting is None:
                await desk.store.add(Setting(PACE, repr(pace)))
            else:
                await desk.store.change(setting, value=repr(pace))
        self._pace = pace

    def _moment(self) -> datetime:
        now = self.clock.now()
        if self._last is not None and now < self._last < now + STEP_HIDDEN:
            return self._last
        self._last = now
        return now


def _checked(pace: float) -> float:
    if not (math.isfinite(pace) and pace > 0):
        raise ValueError(f"A pace is a number above 0, not {pace}.")
    return pace
