"""What only lasts a while on the line: presses that may change their card, messages that may be replied to."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.channels.wecom.long_connection.settings import LinePace

KEPT_MAX = 20_000


@dataclass(frozen=True)
class Replies:
    """A person's newest message, and how often it was replied to."""

    req_id: str
    at: datetime
    count: int = 0


class Moments:
    """Of this process and its line only; whatever is forgotten here is pushed as a new message."""

    def __init__(self, pace: LinePace) -> None:
        self._press_lasts = timedelta(seconds=pace.press_seconds)
        self._reply_lasts = timedelta(hours=pace.reply_hours)
        self._replies_max = pace.replies_max
        self._presses: OrderedDict[tuple[str, str], tuple[str, datetime]] = OrderedDict()
        self._messages: OrderedDict[str, Replies] = OrderedDict()

    def pressed(self, address: str, task_id: str, req_id: str, now: datetime) -> None:
        """Somebody pressed a button of a card."""
        self._presses[(address, task_id)] = (req_id, now)
        self._presses.move_to_end((address, task_id))
        _trim(self._presses)

    def change_for(self, address: str, task_id: str, now: datetime) -> str:
        """The req_id that changes this person's card just now; empty when it is too late or there was no press."""
        req_id, at = self._presses.get((address, task_id), ("", now))
        return req_id if now - at <= self._press_lasts else ""

    def wrote(self, address: str, req_id: str, now: datetime) -> None:
        """Somebody wrote to the bot in their own chat."""
        self._messages[address] = Replies(req_id, now)
        self._messages.move_to_end(address)
        _trim(self._messages)

    def reply_for(self, address: str, now: datetime) -> str:
        """The req_id of a message that may be replied to once more; empty when there is none."""
        found = self._messages.get(address)
        if found is None or now - found.at > self._reply_lasts or found.count >= self._replies_max:
            return ""
        self._messages[address] = replace(found, count=found.count + 1)
        return found.req_id

    def no_reply(self, address: str) -> None:
        """The vendor takes no more replies to this person's message."""
        self._messages.pop(address, None)


def _trim(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > KEPT_MAX:
        kept.popitem(last=False)
