"""How much each sender says: a flood from one phone is kept, but not answered message by message."""

from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta

from desk.model import Inbound

SENDERS_COUNTED_MAX = 10_000


class Paces:
    """Counts each sender's messages of the last minute; what is beyond the limit is kept but not answered one by one.

    Lives in memory: forgotten at a restart, it only answers a flood a little longer."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._heard: dict[str, deque[tuple[datetime, str]]] = {}

    def counted(self, message: Inbound, at: datetime) -> Inbound:
        """The message, folded when its sender has said too much; heard once more it counts once."""
        key = f"{message.channel}:{message.address}"
        if len(self._heard) > SENDERS_COUNTED_MAX:
            self._heard.clear()
        heard = self._heard.setdefault(key, deque(maxlen=self._per_minute + 1))
        while heard and at - heard[0][0] > timedelta(minutes=1):
            heard.popleft()
        if all(event_id != message.event_id for _, event_id in heard):
            heard.append((at, message.event_id))
        place = next(place for place, (_, event_id) in enumerate(heard) if event_id == message.event_id)
        return replace(message, folded=True) if place >= self._per_minute else message
