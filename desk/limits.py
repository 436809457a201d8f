"""What a platform allows, as data: a channel names its limits, and the postman keeps them."""

import math
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Rate:
    """At most so many messages in any span of so many seconds."""

    messages: int
    seconds: float


@dataclass(frozen=True)
class ChannelLimits:
    """What one channel allows."""

    per_second: float | None = None
    per_chat_seconds: float | None = None  # At least this long between two messages to one chat.
    per_chat: tuple[
        Rate, ...
    ] = ()  # Never more than each of these to one chat: the excess may vanish unseen.
    in_total: tuple[Rate, ...] = ()  # The same for all chats together, one message per recipient.
    busy_minutes: tuple[int, ...] = ()  # Of the hour: what can wait does not leave in these minutes.
    batch_max: int = 1  # So many people may get equal words in one call.
    text_max: int = 4096
    choices_max: int = 100
    file_bytes_max: int = 20 * 1024 * 1024
    hides_repeats: bool = False  # A second sending with the same key shows nothing twice.
    hides_repeats_seconds: float = math.inf  # … so long after the first one.

    def hides_after(self, span: timedelta) -> bool:
        """Whether a repeat so long after the first sending shows nothing twice."""
        return self.hides_repeats and span.total_seconds() < self.hides_repeats_seconds
