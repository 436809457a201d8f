"""Tells the desk about each trouble of the line once when it begins, and once when it is over."""

import asyncio
import contextlib
import logging

from bot.channels import Trouble

log = logging.getLogger(__name__)


class Troubles:
    """The troubles of one channel that are on now."""

    def __init__(self, channel: str, tell: Trouble) -> None:
        self._channel = channel
        self._tell = tell
        self._on: set[str] = set()

    async def begin(self, kind: str, text: str) -> None:
        """Tell a trouble, unless it was told and is not over."""
        if kind not in self._on:
            self._on.add(kind)
            await self.once(kind, text)

    async def end(self, *kinds: str) -> None:
        """Tell that these are over, those that were on."""
        for kind in kinds:
            if kind in self._on:
                self._on.remove(kind)
                await self.once(kind, "")

    async def once(self, kind: str, text: str) -> None:
        """Tell something that is no lasting state."""
        log.warning("%s %s: %s", self._channel, kind, text or "over")
        try:
            await self._tell(kind, text)
        except Exception:  # The desk may be the very thing that is down: receiving goes on, the log has it.
            log.exception("%s trouble %s could not be told", self._channel, kind)


async def pause(seconds: float) -> None:
    """Wait; receiving has nothing else to wait for."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
