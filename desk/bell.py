"""Rings after every commit, so that live pages and workers need not poll."""

import asyncio


class Bell:
    """Rings after every commit, so that live pages and workers need not poll."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()
        self.rings = 0  # So far; read before looking, it makes the next wait miss nothing.

    def ring(self) -> None:
        """Wake everybody who waits now."""
        self.rings += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, seconds: float, *, since: int | None = None) -> bool:
        """Wait for the next ring, or the next after `since` of them, at most this long; says whether it rang."""
        if since is not None and self.rings != since:
            return True
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter, seconds)
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True
