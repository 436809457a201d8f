"""A night of kills: the desk lives and dies, people go on acting, and in the morning the books are closed."""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.chaos.crowd import Crowd
from tests.chaos.ledger import Ledger, read_ledger, unfinished
from tests.chaos.office import Life, Office, Starter

READY_SECONDS = 20.0
LIFE_SECONDS_MAX = 0.8
BOOT_SECONDS = 0.3
ACT_EVERY_SECONDS = 0.1
DRAIN_SECONDS = (
    1500.0  # A desk that lived for a second at a time has done little, and a busy machine ends slowly.
)
CALM_EACH = (
    10  # One life in so many goes on for a while: a letter that was cut off 30 times is taken for poison.
)
CALM_SECONDS = 5.0
COLD_EACH = 20  # One life in so many starts from nothing, the others as a fork after the imports.


@dataclass
class Night:
    """One office, its crowd, and the process that is killed."""

    office: Office
    starter: Starter
    dice: random.Random

    def __post_init__(self) -> None:
        self.platform = self.office.platform
        self.crowd = Crowd(self.office, self.dice)
        self.deaths: Counter[str] = Counter()
        self.life: Life | None = None  # Who dies next.
        self._ways = {
            "while it boots": self._die_booting,
            "at some moment": self._die_some_time,
            "right after a message arrived": self._die_after_send,
            "when an update was taken": self._die_after_taking,
            "while a photo is fetched": self._die_fetching,
        }

    async def live_and_die(self, number: int) -> None:
        """One life: people act meanwhile, and at a moment drawn beforehand the desk is killed."""
        [way] = self.dice.choices(list(self._ways), (2, 4, 4, 3, 1))
        heard = self.platform.contacts
        self.life = await self.starter.start(cold=number % COLD_EACH == COLD_EACH - 1)
        try:
            async with self.people_act():
                if way != "while it boots":
                    await self._until(lambda: self.platform.contacts > heard, READY_SECONDS)
                if number % CALM_EACH == CALM_EACH - 1:
                    await asyncio.sleep(CALM_SECONDS)
                await self._ways[way]()
        finally:
            code = await self.starter.end(self.life, signal.SIGKILL)
        assert code == -signal.SIGKILL, f"the desk ended by itself ({code}): {self._last_words()}"
        self.deaths[way] += 1

    async def end(self) -> Ledger:
        """The last life: everything under way comes to its end, the desk stops in peace, and the books are read."""
        await self._live_for_good()
        await self.crowd.all_posted()
        database = self.office.database()
        await database.start()
        try:
            loop = asyncio.get_running_loop()
            ends_at = loop.time() + DRAIN_SECONDS
            while True:
                self.crowd.finish()
                async with database.read() as store:
                    left = await unfinished(store, datetime.now(UTC))
                left |= {"updates": waiting} if (waiting := self.platform.unconfirmed) else {}
                if not left:
                    break
                assert loop.time() < ends_at, f"still under way: {left}; {self._last_words()}"
                await asyncio.sleep(0.2)
            await self._stop_in_peace()
            async with database.read() as store:
                return await read_ledger(store, self.platform, self.office.folder / "attachments")
        finally:
            await database.close()

    async def _live_for_good(self) -> None:
        self.life = await self.starter.start()

    async def _stop_in_peace(self) -> None:
        assert self.life is not None
        await self._ends_with_0(self.life)

    async def _ends_with_0(self, life: Life) -> None:
        code = await self.starter.end(life, signal.SIGTERM)
        assert code == 0, f"the desk stopped with {code}: {self._last_words()}"

    @contextlib.asynccontextmanager
    async def people_act(self) -> AsyncIterator[None]:
        """Inside the block people go on acting."""
        async with asyncio.TaskGroup() as group:  # A crowd that fails would make a night that proves nothing.
            acting = group.create_task(self._act())
            try:
                yield
            finally:
                self.platform.on_copy = None
                acting.cancel()

    async def _act(self) -> None:
        while True:
            self.crowd.act()
            await asyncio.sleep(self.dice.uniform(0, 2 * ACT_EVERY_SECONDS))

    # Ways to die.

    async def _die_booting(self) -> None:
        await asyncio.sleep(self.dice.uniform(0, BOOT_SECONDS))

    async def _die_some_time(self) -> None:
        await asyncio.sleep(self.dice.uniform(0, LIFE_SECONDS_MAX))

    async def _die_after_send(self) -> None:
        """Killed by the platform's own thread: the message is on the phone, and the desk never hears so."""
        assert self.life is not None
        left, pid = self.dice.randint(1, 8), self.life.pid
        gone = asyncio.Event()
        loop = asyncio.get_running_loop()

        def kill() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(pid, signal.SIGKILL)
                loop.call_soon_threadsafe(gone.set)

        self.platform.on_copy = kill
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIFE_SECONDS_MAX):
                await gone.wait()

    async def _die_after_taking(self) -> None:
        goal = self.platform.taken + self.dice.randint(1, 8)
        await self._until(lambda: self.platform.taken >= goal, LIFE_SECONDS_MAX)

    async def _die_fetching(self) -> None:
        goal = self.platform.fetched + 1
        await self._until(lambda: self.platform.fetched >= goal, LIFE_SECONDS_MAX)

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await self.platform.wait_for(condition, seconds)

    def _last_words(self) -> str:
        return self.office.log_path.read_text("utf-8", "replace")[-3000:]
