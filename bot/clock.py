"""The only now()."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The computer's clock, aware, in UTC; an implementation of desk.ports.Clock."""

    def now(self) -> datetime:
        """The present."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards, for measuring spans."""
        return time.monotonic()
