"""Sending rates as bucket rows: whoever sends reserves the next moment, so nobody exceeds what a platform allows."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from desk.model import Bucket, Lane
from desk.ports import ChannelLimits, Rate, Store

OVERALL_BURST = 4  # So many may leave at once after a pause: a slow commit must not cost the rate.
URGENT_BURST = (
    20  # So many urgent ones may go before what bulk letters have reserved; bulk waits longer for it.
)
CHAT_BURST = 3
RATE_USED = 0.9  # The rest is for what left late and arrives together with what leaves on time.
BULK_SHARE = 2 / 3  # Of a rate's burst: what bulk letters leave of it is free for the urgent.
CALM_MINUTES_MAX = 4  # What avoids a busy minute leaves at some moment of so many minutes after it.
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class _Rule:
    """A bucket, the time between two messages that pass it, and how early a burst may be."""

    bucket: str
    interval: timedelta = timedelta()  # Nothing: only a hold keeps what passes waiting.
    slack: timedelta = timedelta()


class Pacer:
    """The buckets one batch of sendings touches, read once and written once.

    Each bucket holds the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371)."""

    def __init__(self, buckets: Iterable[Bucket]) -> None:
        self._stored = {bucket.id: bucket for bucket in buckets}
        self._next: dict[str, datetime] = {bucket.id: bucket.next_at for bucket in self._stored.values()}

    @classmethod
    async def read(cls, store: Store, names: Iterable[str]) -> "Pacer":
        """The buckets with these names, ours alone until the end of the transaction."""
        return cls(await store.hold(Bucket, list(set(names))))

    def reserve(
        self,
        channel: str,
        chat: str,
        limits: ChannelLimits,
        now: datetime,
        *,
        latest: datetime,
        lane: Lane = Lane.bulk,
    ) -> tuple[datetime, bool]:
        """The moment one more message to a chat may leave, and whether it was reserved.

        One later than `latest` is not: come back then. `chat` is empty for what a chat's own rate does not count."""
        rules = _rules(channel, chat, limits, lane)
        at = max([now, *(self._next.get(rule.bucket, now) - rule.slack for rule in rules)])
        if at > latest:
            return at, False
        for rule in rules:
            if rule.interval:
                self._next[rule.bucket] = max(self._next.get(rule.bucket, now), now) + rule.interval
        return at, True

    def give_back(self, channel: str, chat: str, limits: ChannelLimits, lane: Lane) -> None:
        """What was reserved for one message was not used: its moment is free again."""
        for rule in _rules(channel, chat, limits, lane):
            if rule.bucket in self._next:
                self._next[rule.bucket] -= rule.interval

    def hold(self, channel: str, chat: str, limits: ChannelLimits, until: datetime) -> None:
        """Nothing leaves before a moment (429): on the whole channel, or to one chat only."""
        # With the longest burst there is, or the urgent would leave early; at the end they lead.
        whole, *others = _rules(channel, chat, limits, Lane.urgent)
        rule = others[-1] if chat else whole
        self._next[rule.bucket] = max(self._next.get(rule.bucket, until), until + rule.slack)

    async def write(self, store: Store) -> None:
        """Store what was reserved."""
        new = [Bucket(name, at) for name, at in self._next.items() if name not in self._stored]
        if new:  # Stale when another replica was just as fast: then its bucket counts.
            await store.add(*new)
        moved = [one for one in self._stored.values() if self._next[one.id] != one.next_at]
        await store.change_each([(one, {"next_at": self._next[one.id]}) for one in moved])


class Backsteps:
    """Notices when the clock steps back, so that what was reserved or held stays as far away as it was."""

    def __init__(self) -> None:
        self._last: datetime | None = None

    async def look(self, store: Store, now: datetime) -> None:
        """Pull the buckets back by as much as the clock went since the last look."""
        if self._last is not None and now < self._last:
            span = self._last - now
            held = await store.find(Bucket, next_at_from=now)
            await store.change_each([(one, {"next_at": one.next_at - span}) for one in held])
        self._last = now


def bucket_names(channel: str, chat: str) -> tuple[str, ...]:
    """The buckets a message to a chat passes: the channel's, its total's, the chat's."""
    return channel, f"{channel}/total", f"{channel}:{chat}"


def calm_at(limits: ChannelLimits, at: datetime, seed: str) -> datetime:
    """When something that can wait may leave: now, or some moment after a minute in which a platform is busy.

    The same seed gives the same pause, so that what leaves together stays together."""
    end = at.replace(second=0, microsecond=0)
    while end.minute in limits.busy_minutes:
        end += MINUTE
    if end <= at:
        return at
    return end + random.Random(seed).random() * CALM_MINUTES_MAX * MINUTE


def _rules(channel: str, chat: str, limits: ChannelLimits, lane: Lane) -> list[_Rule]:
    """The channel's rule, that of its total, and the chat's when one is meant: in this order."""
    overall, total, own = bucket_names(channel, chat)
    rules = [_Rule(overall)]
    if limits.per_second:
        burst = URGENT_BURST if lane is Lane.urgent else OVERALL_BURST
        rules = [_even(overall, timedelta(seconds=1 / limits.per_second), burst)]
    if not chat:
        return rules
    if limits.in_total:
        rules.append(_keeping(total, limits.in_total, lane))
    if limits.per_chat_seconds:
        rules.append(_even(own, timedelta(seconds=limits.per_chat_seconds), CHAT_BURST))
    elif limits.per_chat:
        rules.append(_keeping(own, limits.per_chat, lane))
    else:
        rules.append(_Rule(own))
    return rules


def _even(bucket: str, interval: timedelta, burst: int) -> _Rule:
    return _Rule(bucket, interval, interval * (burst - 1))


def _keeping(bucket: str, rates: tuple[Rate, ...], lane: Lane) -> _Rule:
    return _even(bucket, *_pace(rates, lane))


@lru_cache
def _pace(rates: tuple[Rate, ...], lane: Lane) -> tuple[timedelta, int]:
    """One bucket's interval and burst that keep every rate in any span.

    Half of the narrowest may come at once, the rest evenly."""
    counts = [max(1, int(rate.messages * RATE_USED)) for rate in rates]
    burst = max(1, min(counts) // 2)
    seconds = max(rate.seconds / max(1, count - burst) for rate, count in zip(rates, counts, strict=True))
    if lane is Lane.bulk:
        burst = max(1, int(burst * BULK_SHARE))
    return timedelta(seconds=seconds), burst
