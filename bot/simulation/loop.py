"""An event loop on virtual time: it jumps to the next moment when nobody has anything left to do now."""

import asyncio
import selectors
from collections.abc import Coroutine
from contextvars import Context
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from bot.simulation.life import CURRENT

R = TypeVar("R")

# Beyond 2**24 s (194 days) a float's step is larger than asyncio's 1 ns, and a timer would never seem due.
RESOLUTION_SECONDS = 1e-6


class Stalled(RuntimeError):
    """Nothing is left that could ever happen."""


class NumberedTask(asyncio.Task[R]):
    """A task whose place in a set follows its number, not its address in memory, so that a run can be repeated."""

    def __init__(self, coroutine: Coroutine[Any, Any, R], number: int, **given: Any) -> None:
        self.number = number
        super().__init__(coroutine, **given)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time()` stands still while anything runs, and is exactly the next scheduled moment afterwards.

    Work that others give to threads is done at once, so nothing is ever in flight when time jumps."""

    def __init__(self, *, in_real_time: bool = False) -> None:
        self.virtual_seconds = 0.0
        super().__init__(_Jumping(self, in_real_time))
        self._clock_resolution = RESOLUTION_SECONDS
        self._numbers = count()
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]  # Typeshed knows no Task subclass here.

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.virtual_seconds

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # Says no more.
        """Done by the time it returns."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # Whoever awaits it hears of it, as from a thread.
            future.set_exception(error)
        return future

    @property
    def next_at(self) -> float:
        """When something is scheduled next."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]  # asyncio has no public way to ask.
        return scheduled[0].when()

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, R],
        context: Context | None = None,
    ) -> NumberedTask[R]:
        task = NumberedTask(coroutine, next(self._numbers), loop=loop, context=context)
        life = CURRENT.get() if context is None else context.get(CURRENT)
        if life is not None:
            life.adopt(task)
        return task


class _Jumping(selectors.SelectSelector):
    """Never waits for the world outside: instead of waiting, time moves on."""

    def __init__(self, loop: VirtualLoop, in_real_time: bool) -> None:
        super().__init__()
        self._loop = loop
        self._in_real_time = in_real_time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Nothing is ready, ever; when nobody is ready either, it is later now."""
        if timeout is None:
            raise Stalled("nobody waits for anything that will happen")
        if timeout > 0:
            if self._in_real_time:
                super().select(timeout)
            self._loop.virtual_seconds = max(self._loop.virtual_seconds, self._loop.next_at)
        return []


class VirtualClock:
    """The present of a virtual loop, as the world has it; `skew` is how far the desk's own clock is wrong."""

    def __init__(self, loop: VirtualLoop, starts_at: datetime) -> None:
        self._loop = loop
        self._starts_at = starts_at
        self.skew = timedelta(0)
        self._skews = [(starts_at, self.skew)]  # Since when it was how wrong, by the true time.

    def set_wrong(self, skew: timedelta) -> None:
        """Somebody sets the desk's clock: it differs by so much from now on."""
        self.skew = skew
        self._skews.append((self.true_now(), skew))

    def first_true(self, at: datetime) -> datetime:
        """When the desk's clock showed this moment first."""
        ends = [*(since for since, _ in self._skews[1:]), None]
        for (since, skew), until in zip(self._skews, ends, strict=True):
            true = at - skew
            if since <= true and (until is None or true < until):
                return true
        return min(at - skew for _, skew in self._skews)

    def now(self) -> datetime:
        """What the desk takes for the present."""
        return self.true_now() + self.skew

    def true_now(self) -> datetime:
        """The present."""
        return self._starts_at + timedelta(microseconds=round(self._loop.virtual_seconds * 1e6))

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return self._loop.virtual_seconds
