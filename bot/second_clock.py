"""A second opinion about the time: the machine's clock against its own course, and against what platforms say."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from desk.ports import Clock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JUMP = timedelta(seconds=60)  # Forward, between two looks, more than the time that really went by.
OTHERS_GOOD_FOR_SECONDS = 600.0  # A second clock not heard for so long is none.
DOUBT_SECONDS_MAX = (
    3600.0  # Then the machine is believed again, lest a wrong platform hold the desk for ever.
)


class SecondClock:
    """Doubts the machine's clock from a jump, or from a platform's disagreement, until the platform agrees.

    Where no platform tells its time there is no second clock, and nothing is doubted. The bounds are seconds of
    `monotonic`, which no one can set."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._ahead: timedelta | None = None  # Of the wall over the course at the last look.
        self._heard_at: float | None = None
        self._began_at: float | None = None  # Of the doubt.
        self._why = ""
        self.jump: tuple[datetime, timedelta] | None = (
            None  # When and how far the wall last went ahead at once.
        )

    def heard(self, date: str | None) -> None:
        """A platform's `Date` header came in just now; nonsense is not heard."""
        try:
            theirs = parsedate_to_datetime(date or "")
            difference = self._clock.now() - theirs
        except (ValueError, TypeError):
            return
        self._look()
        self._heard_at = self._monotonic()
        if abs(difference) <= JUMP:
            self._began_at, self._why = None, ""
        else:
            self._begin(f"{difference.total_seconds():+.0f} s")

    def doubt(self) -> str:
        """Why the machine's clock is not to be trusted just now, or ""."""
        self._look()
        now = self._monotonic()
        if self._began_at is None or self._heard_at is None:
            return ""
        is_heard = now - self._heard_at <= OTHERS_GOOD_FOR_SECONDS
        return self._why if is_heard and now - self._began_at <= DOUBT_SECONDS_MAX else ""

    def _look(self) -> None:
        ahead = self._clock.now() - EPOCH - timedelta(seconds=self._monotonic())
        before, self._ahead = self._ahead, ahead
        if before is not None and ahead - before > JUMP:
            self.jump = self._clock.now(), ahead - before
            self._begin(f"{(ahead - before).total_seconds():+.0f} s")

    def _begin(self, why: str) -> None:
        if self._began_at is None:
            self._began_at = self._monotonic()
        self._why = why
