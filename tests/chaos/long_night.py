"""A night in which the desk goes on living while its world is ill, and is killed only now and then."""

import signal
from collections.abc import Mapping
from types import MappingProxyType

from tests.chaos.night import READY_SECONDS, Night


class LongNight(Night):
    """One life for several spans of illness."""

    environment: Mapping[str, str] = MappingProxyType({})

    async def _live_for_good(self) -> None:
        """Whoever lives goes on living."""
        if self.life is None:
            await self._begin()

    async def _begin(self) -> None:
        heard = self.platform.contacts
        self.life = await self.starter.start(environment=self.environment)
        await self._until(lambda: self.platform.contacts > heard, READY_SECONDS)

    async def _kill(self, when: str) -> None:
        assert self.life is not None
        code = await self.starter.end(self.life, signal.SIGKILL)
        assert code == -signal.SIGKILL, f"the desk ended by itself ({code}): {self._last_words()}"
        self.life = None
        self.deaths[when] += 1
