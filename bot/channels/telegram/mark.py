"""How far receiving has come: the next offset, when an update came last, when Telegram was reached last."""

import json
from dataclasses import dataclass, replace
from datetime import datetime

SETTING = "telegram.offset"


@dataclass(frozen=True)
class Mark:
    """Stored in the same transaction as the updates it counts."""

    offset: int = 0
    heard_at: datetime | None = None
    reached_at: datetime | None = None

    def offset_at(self, now: datetime, quiet_seconds: float) -> int:
        """The offset to ask with; none after a quiet week, when ids may begin anew below the old ones."""
        if self.heard_at is None or (now - self.heard_at).total_seconds() > quiet_seconds:
            return 0
        return self.offset

    def gap_at(self, now: datetime) -> float:
        """Seconds since Telegram was reached."""
        return (now - self.reached_at).total_seconds() if self.reached_at else 0.0

    def gap_words(self, now: datetime) -> str:
        """The gap as an interval of ISO 8601, from/to."""
        return f"{(self.reached_at or now).isoformat()}/{now.isoformat()}"

    def moved(self, now: datetime, ids: list[int], asked: int) -> "Mark":
        """The mark after an answer with these update ids."""
        if not ids:
            return replace(self, reached_at=now)
        return Mark(max(asked, max(ids) + 1), now, now)

    def write(self) -> str:
        """The mark as a setting's value."""
        moments = [moment and moment.isoformat() for moment in (self.heard_at, self.reached_at)]
        return json.dumps([self.offset, *moments])


def read_mark(value: str) -> Mark:
    """The mark in a setting's value; a fresh one when there is none. Nonsense raises ValueError."""
    if not value:
        return Mark()
    offset, *moments = json.loads(value)
    heard_at, reached_at = (datetime.fromisoformat(moment) if moment else None for moment in moments)
    return Mark(int(offset), heard_at, reached_at)
