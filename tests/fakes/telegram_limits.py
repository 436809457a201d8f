"""Telegram's sending limits: core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from tests.fakes.telegram_model import ApiError, Room


@dataclass(slots=True)
class Limits:
    """The knobs of pace. The vendor says "about 30" and allows short bursts; the burst sizes are ours.

    `retry_after` fixes the seconds of a 429 (None: what the broken limit needs, at least 1); `block` says
    whether a 429 closes the whole `token` or only the `chat` while it runs.
    """

    enabled: bool = True
    overall_per_second: float = 30.0
    overall_burst: float = 36.0
    chat_per_second: float = 1.0
    chat_burst: float = 4.0
    group_per_minute: int = 20
    retry_after: int | None = None
    block: str = "token"


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float

    def wait(self, now: float, rate: float, burst: float, cost: float) -> float:
        """Refill, then return the seconds until `cost` fits; an album larger than the burst needs it full."""
        self.level = min(burst, self.level + max(0.0, now - self.at) * rate)
        self.at = now
        return max(0.0, (min(cost, burst) - self.level) / rate)


class Limiter:
    """Counts what was sent and refuses what is too fast."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.refused = 0
        self._overall: _Bucket | None = None
        self._chats: dict[int, _Bucket] = {}
        self._groups: dict[int, deque[float]] = {}
        self._blocked_until: dict[int, float] = {}

    def refuse_if_blocked(self, chat_id: int, now: float) -> None:
        """Refuse every send while an earlier 429 runs (0 stands for the whole token)."""
        until = max(self._blocked_until.get(0, 0.0), self._blocked_until.get(chat_id, 0.0))
        if until > now:
            self._refuse(until - now, chat_id, now)

    def take(self, room: Room, cost: int, now: float) -> None:
        """Spend the budget for `cost` messages to the room, or answer 429 with retry_after."""
        limits = self.limits
        if not limits.enabled:
            return
        self.refuse_if_blocked(room.id, now)
        overall = self._overall = self._overall or _Bucket(limits.overall_burst, now)
        chat = self._chats.setdefault(room.id, _Bucket(limits.chat_burst, now))
        wait = max(
            overall.wait(now, limits.overall_per_second, limits.overall_burst, cost),
            chat.wait(now, limits.chat_per_second, limits.chat_burst, 1),
            self._group_wait(room, cost, now),
        )
        # A message early by less than a millisecond, a rounding, is on time.
        if wait > 1e-3:
            self._refuse(wait, room.id, now, is_new=True)
        overall.level -= cost
        chat.level -= 1
        if room.is_group:
            self._groups[room.id].extend([now] * cost)

    def block_for(self, seconds: int, chat_id: int, now: float) -> None:
        """Start a 429 that runs for `seconds`."""
        key = 0 if self.limits.block == "token" else chat_id
        self._blocked_until[key] = max(self._blocked_until.get(key, 0.0), now + seconds)

    def _group_wait(self, room: Room, cost: int, now: float) -> float:
        if not room.is_group:
            return 0.0
        sent = self._groups.setdefault(room.id, deque())
        while sent and sent[0] <= now - 60:
            sent.popleft()
        over = len(sent) + cost - self.limits.group_per_minute
        return 0.0 if over <= 0 or not sent else sent[min(over, len(sent)) - 1] + 60 - now

    def _refuse(self, wait: float, chat_id: int, now: float, *, is_new: bool = False) -> None:
        seconds = max(1, math.ceil(wait))
        if is_new:
            seconds = self.limits.retry_after or seconds
            self.block_for(seconds, chat_id, now)
        self.refused += 1
        raise too_many(seconds)


def too_many(seconds: int) -> ApiError:
    """Return the 429 Telegram answers."""
    return ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
