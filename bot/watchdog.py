"""Tells systemd that the desk is ready, alive and stopping; fed from the event loop, so a frozen one starves it."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping

READY, ALIVE, STOPPING = b"READY=1", b"WATCHDOG=1", b"STOPPING=1"
BEATS_PER_SPAN = 3  # The watchdog's span is met with room to spare.


class Watchdog:
    """systemd's notification socket (sd_notify); without one every word goes nowhere."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        is_ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environ.get("WATCHDOG_USEC", "")
        self._span_seconds = int(microseconds) / 1e6 if is_ours and microseconds.isdigit() else 0.0

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Ready at the beginning of the block, alive inside it, stopping at its end."""
        self._tell(READY)
        feeding = asyncio.create_task(self._feed(), name="watchdog")
        try:
            yield
        finally:
            self._tell(STOPPING)
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    async def _feed(self) -> None:
        while self._address and self._span_seconds:
            self._tell(ALIVE)
            await asyncio.wait(
                [asyncio.get_running_loop().create_future()], timeout=self._span_seconds / BEATS_PER_SPAN
            )

    def _tell(self, word: bytes) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)
            line.sendto(word, self._address)
