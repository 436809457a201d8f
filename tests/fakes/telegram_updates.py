"""Updates waiting for the bot: ids, lifetimes, allowed kinds, confirmation (bots/api#getting-updates)."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.fakes.telegram_model import (
    CALLBACK_LIFETIME_SECONDS,
    MESSAGE_LIFETIME_SECONDS,
    Json,
    Update,
)

# Not sent unless asked for by name: bots/api#getupdates, allowed_updates.
_ONLY_BY_NAME = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


class UpdateQueue:
    """Keeps every update until it is confirmed or too old, oldest first."""

    def __init__(self, now: Callable[[], float], changed: Callable[[], None]) -> None:
        self._now = now
        self._changed = changed
        self.next_id = random.randrange(100_000_000, 900_000_000)
        self.pending: dict[int, Update] = {}
        self.duplicates: list[Update] = []
        self.recent: dict[int, Update] = {}
        self.allowed: list[str] = []
        self.held = False
        self.expired = 0
        self.confirmed = 0
        self.fresh: list[Update] = []

    def add(self, kind: str, payload: Json, queue: str) -> Update | None:
        """Queue an update when the bot asked for its kind, and return it."""
        if self.allowed and kind not in self.allowed:
            return None
        if not self.allowed and kind in _ONLY_BY_NAME:
            return None
        life = CALLBACK_LIFETIME_SECONDS if kind == "callback_query" else MESSAGE_LIFETIME_SECONDS
        update = Update(self.next_id, kind, payload, self._now() + life, queue)
        self.next_id += 1
        self.pending[update.update_id] = update
        self.recent[update.update_id] = update
        self.fresh.append(update)
        if len(self.recent) > 10_000:
            del self.recent[next(iter(self.recent))]
        self._changed()
        return update

    def live(self) -> list[Update]:
        """Return what still waits, dropping what is too old: 24 h, or 150 s for a tap."""
        now = self._now()
        for update in [u for u in self.pending.values() if u.expires_at < now]:
            del self.pending[update.update_id]
            self.expired += 1
        return list(self.pending.values())

    def confirm(self, update_id: int) -> None:
        """Forget one update."""
        if self.pending.pop(update_id, None) is not None:
            self.confirmed += 1
            self._changed()

    def batch(self, offset: int, limit: int) -> list[Update]:
        """Confirm everything below `offset` and return up to `limit` of the rest (bots/api#getupdates)."""
        waiting = self.live()
        if offset < 0:
            offset = waiting[offset].update_id if len(waiting) >= -offset else 0
        for update in waiting:
            if update.update_id < offset:
                self.confirm(update.update_id)
        if self.held:
            return []
        self.fresh.clear()
        repeated, self.duplicates = self.duplicates, []
        return [*repeated, *(u for u in waiting if u.update_id >= offset)][:limit]

    def duplicate(self, update_id: int) -> Update:
        """Deliver an update once more, though it may be confirmed already, under its own id."""
        source = self.recent[update_id]
        again = Update(update_id, source.kind, source.payload, self._now() + 3600, source.queue, True)
        self.duplicates.append(again)
        self.fresh.append(again)
        self._changed()
        return again

    def reverse(self) -> None:
        """Deliver what waits in the wrong order: the next polled batch, or the webhook's queue."""
        self.pending = dict(reversed(self.pending.items()))
        self.fresh.reverse()

    def set_allowed(self, kinds: list[str] | None) -> None:
        """Remember allowed_updates; None keeps the former setting, an empty list means the default."""
        if kinds is not None:
            self.allowed = kinds

    def drop(self) -> None:
        """Forget everything: drop_pending_updates."""
        self.pending.clear()
        self.duplicates.clear()
        self.fresh.clear()
        self._changed()

    def restart_ids(self) -> None:
        """Number on from a smaller random id, as after a week without updates (bots/api#update)."""
        self.next_id = random.randrange(1_000_000, 90_000_000)
