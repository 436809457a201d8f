"""Sending rates as bucket rows: whoever sends reserves the next moment, so nobody exceeds what a platform allows."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from desk.model import Bucket, Lane
from desk.ports import ChannelLimits, Store

OVERALL_BURST = 4  # So many may leave at once after a pause: a slow commit must not cost the rate.
URGENT_BURST = (
    20  # So many urgent ones may go before what bulk letters have reserved; bulk waits longer for it.
)
CHAT_BURST = 3


class Pacer:
    """The buckets one batch of sendings touches, read once and written once.

    Each bucket holds the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371)."""

    def __init__(self, buckets: Iterable[Bucket]) -> None:
        self._stored = {bucket.id: bucket for bucket in buckets}
        self._next: dict[str, datetime] = {bucket.id: bucket.next_at for bucket in self._stored.values()}

    @classmethod
    async def read(cls, store: Store, names: Iterable[str]) -> "Pacer":
        """The buckets with these names."""
        return cls(await store.find(Bucket, id_in=list(set(names))))

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
        rules = _rules(channel, chat, limits, URGENT_BURST if lane is Lane.urgent else OVERALL_BURST)
        at = max([now, *(self._next.get(name, now) - slack for name, _, slack in rules)])
        if at > latest:
            return at, False
        for name, interval, _ in rules:
            self._next[name] = max(self._next.get(name, now), now) + interval
        return at, True

    def hold(self, channel: str, chat: str, limits: ChannelLimits, until: datetime) -> None:
        """Nothing leaves before a moment (429): on the whole channel, or to one chat only."""
        # With the longest burst there is, or the urgent would leave early; at the end they lead.
        for name, _, slack in _rules(channel, chat, limits, URGENT_BURST):
            if chat and name == channel:
                continue
            self._next[name] = max(self._next.get(name, until), until + slack)

    async def write(self, store: Store) -> None:
        """Store what was reserved."""
        new = [Bucket(name, at) for name, at in self._next.items() if name not in self._stored]
        if new:
            await store.add(*new)
        for bucket in self._stored.values():
            if self._next[bucket.id] != bucket.next_at:
                await store.change(bucket, next_at=self._next[bucket.id])


async def pull_back(store: Store, before: datetime, now: datetime) -> None:
    """The clock stepped back: what was reserved or held stays as far away as it was."""
    for bucket in await store.find(Bucket, next_at_from=now):
        await store.change(bucket, next_at=bucket.next_at - (before - now))


def bucket_names(channel: str, chat: str) -> tuple[str, str]:
    """The buckets a message to a chat passes."""
    return channel, f"{channel}:{chat}"


def _rules(
    channel: str, chat: str, limits: ChannelLimits, burst: int = OVERALL_BURST
) -> list[tuple[str, timedelta, timedelta]]:
    """Bucket, the time between two messages, and how early a burst may be."""
    overall, own = bucket_names(channel, chat)
    rules = []
    if limits.per_second:
        interval = timedelta(seconds=1 / limits.per_second)
        rules.append((overall, interval, interval * (burst - 1)))
    if limits.per_chat_seconds and chat:
        interval = timedelta(seconds=limits.per_chat_seconds)
        rules.append((own, interval, interval * (CHAT_BURST - 1)))
    return rules
