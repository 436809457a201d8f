"""A night in which the primary of PostgreSQL dies for good, again and again, and its standby takes its place."""

import asyncio
import random
import time

import httpx

from tests.chaos.office import Office, Starter
from tests.chaos.replica_night import ReplicaNight, has_ended
from tests.standby import Pair

BUSY_SECONDS = 4.0
NOTICED_SECONDS_MAX = 4.0  # Until whoever watches over the servers promotes the standby.
SERVES_SECONDS_MAX = 30.0
EVENTS = 5
ASK_SECONDS = 0.05


class FailOverNight(ReplicaNight):
    """The replicas live on; what they hang on is another server every time."""

    def __init__(self, office: Office, starter: Starter, dice: random.Random, servers: Pair) -> None:
        super().__init__(office, starter, dice, None)
        self.servers = servers
        self.fail_overs = 0
        self.down: list[float] = []  # Seconds from the death of the primary until the standby was promoted.
        self.ready: list[float] = []  # From the promotion until the desk said that it serves.
        self.heard: list[float] = []  # From the promotion until it had taken something that people said.
        self.worked: list[float] = []  # From the promotion until every worker had said that it lives.

    async def fail_over(self, *, noticed_after: float | None = None) -> None:
        """The primary is killed at a random moment; the standby is promoted, and gets a standby of its own."""
        async with self.people_act():
            await asyncio.sleep(self.dice.uniform(BUSY_SECONDS / 2, BUSY_SECONDS))
            killed_at = time.monotonic()
            await asyncio.to_thread(self.servers.kill)
            self.fail_overs += 1
            await asyncio.sleep(
                self.dice.uniform(0, NOTICED_SECONDS_MAX) if noticed_after is None else noticed_after
            )
            await asyncio.to_thread(self.servers.promote)
            at, taken = time.monotonic(), self.platform.taken
            self.down.append(at - killed_at)
            async with asyncio.timeout(SERVES_SECONDS_MAX):
                await asyncio.gather(self._serves(at), self._hears(at, taken), self._works(at))
            await asyncio.to_thread(self.servers.follow)
            taken = self.platform.taken + EVENTS
            async with asyncio.timeout(SERVES_SECONDS_MAX):
                while self.platform.taken < taken:
                    await asyncio.sleep(ASK_SECONDS)
        ended = [one.role for one in self.replicas if one.life is not None and has_ended(one.life)]
        assert not ended, f"{ended} ended by themselves: {self._last_words()}"

    def figures(self) -> str:
        """How long everything took, a fail-over each."""
        kinds = {"down": self.down, "ready": self.ready, "heard": self.heard, "all workers": self.worked}
        return ", ".join(f"{name} {[round(one, 1) for one in found]} s" for name, found in kinds.items())

    async def _serves(self, at: float) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            while (await client.get(f"{self.office.url}/readyz")).status_code != 200:
                await asyncio.sleep(ASK_SECONDS)
        self.ready.append(time.monotonic() - at)

    async def _hears(self, at: float, taken: int) -> None:
        while self.platform.taken <= taken:
            await asyncio.sleep(ASK_SECONDS)
        self.heard.append(time.monotonic() - at)

    async def _works(self, at: float) -> None:
        workers = sum(one.works for one in self.replicas)
        while await self.take_overs.beating(time.monotonic() - at) < workers:
            await asyncio.sleep(ASK_SECONDS)
        self.worked.append(time.monotonic() - at)
