"""Wakes the streams of a phone whose screen changed, in this process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

STREAMS_PER_PHONE_MAX = 6
STREAMS_MAX = 3000


class TooManyStreams(Exception):
    """More pages are open than one phone, or this desk, should hold."""


class Screens:
    """Who is looking at which phone page now."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self._count = 0
        self.closed = False

    @contextmanager
    def watch(self, *addresses: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever one of these phones' screens changes."""
        changed = asyncio.Event()
        self._count += 1
        for address in addresses:
            self._watchers.setdefault(address, set()).add(changed)
        try:
            yield changed
        finally:
            self._count -= 1
            for address in addresses:
                self._watchers[address].discard(changed)
                if not self._watchers[address]:
                    del self._watchers[address]

    def check_room(self, address: str) -> None:
        """Whether this phone may open one more stream. Raises TooManyStreams."""
        if len(self._watchers.get(address, ())) >= STREAMS_PER_PHONE_MAX or self._count >= STREAMS_MAX:
            raise TooManyStreams

    def ring(self, *addresses: str) -> None:
        """These phones have something new."""
        for address in addresses:
            for changed in self._watchers.get(address, ()):
                changed.set()

    def ring_all(self) -> None:
        """Another process wrote: everybody looks again."""
        self.ring(*self._watchers)

    def close(self) -> None:
        """Let every stream end, so that the server can stop at once; phones come back by themselves."""
        self.closed = True
        self.ring_all()


async def rang(changed: asyncio.Event, seconds: float) -> bool:
    """Wait for a change of the screen, at most this long; says whether there was one."""
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return False
    return True
