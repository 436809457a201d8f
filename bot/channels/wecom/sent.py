"""What stays known of a sending: who got it, its one-time code, and what the numbers in it stand for."""

# One row for each request, not for each person, kept for 72 hours, as long as its code is good.

import json
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bot.channels.wecom.envelope import Chosen
from desk.model import Setting
from desk.ports import Door, Store

PREFIX, AFTER_PREFIX = "wecom.sent/", "wecom.sent0"
KEPT_FOR = timedelta(hours=72)
NUMBERS_LAST = timedelta(hours=12)
PLACE_ASKED_FOR = timedelta(minutes=15)
NEWEST_MAX = 40
PRUNED_AT_ONCE = 500
PRESSES_MAX = 20_000


@dataclass(frozen=True)
class Sending:
    """One request to WeCom, and what became of its card."""

    task_id: str
    at: datetime
    to: tuple[str, ...]
    tokens: tuple[str, ...] = ()
    asks_place: bool = False
    has_card: bool = False
    msgid: str = ""
    code: str = field(default="", repr=False)  # Empty when it was used, or never given.
    spent: bool = False
    shown: dict[str, tuple[str, ...]] = field(default_factory=dict)  # What cards show now, and whose.

    def written(self) -> str:
        """The sending as a setting's value."""
        facts: dict[str, Any] = {"at": self.at.isoformat(), "to": self.to, "msgid": self.msgid}
        facts |= {"tokens": self.tokens, "place": self.asks_place, "card": self.has_card}
        return json.dumps({**facts, "code": self.code, "spent": self.spent, "shown": self.shown})

    def with_known(self, before: "Sending") -> "Sending":
        """The sending when it went out once more: a repeat is told no code, and takes none away."""
        if self.code or self.spent:
            return self
        msgid = self.msgid or before.msgid
        return replace(self, msgid=msgid, code=before.code, spent=before.spent, shown=before.shown)

    def shows(self, address: str, digest: str) -> bool:
        """Whether the card on this phone says this already."""
        return address in self.shown.get(digest, ())

    def changed(self, addresses: Collection[str], digest: str) -> "Sending":
        """The sending after these people's cards were changed."""
        others = {
            name: tuple(one for one in people if one not in addresses)
            for name, people in self.shown.items()
            if name != digest
        }
        kept = [one for one in self.shown.get(digest, ()) if one not in addresses]
        return replace(self, shown={**others, digest: (*kept, *addresses)})


class SentBook:
    """The rows of sendings."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def keep(self, sending: Sending) -> None:
        """Write a sending down, new or changed."""
        async with self._door.open() as desk:
            found = await desk.store.get(Setting, PREFIX + sending.task_id)
            if found is None:
                await desk.store.add(Setting(PREFIX + sending.task_id, sending.written()))
            else:
                await desk.store.change(found, value=sending.with_known(_read(found)).written())

    async def of(self, task_id: str) -> Sending | None:
        """The sending of a task id."""
        async with self._door.read() as store:
            found = await store.get(Setting, PREFIX + task_id)
        return _read(found) if found else None

    async def chosen(self, address: str, number: int, now: datetime) -> Chosen | None:
        """What a typed number stands for; only the newest message with choices counts, and not for ever."""
        newest = await self._newest(address)
        if newest is None or now - newest.at > NUMBERS_LAST or not 1 <= number <= len(newest.tokens):
            return None
        return Chosen(newest.tokens[number - 1], newest.task_id)

    async def place_was_asked(self, address: str, now: datetime) -> bool:
        """Whether this person was asked for a place just before."""
        newest = await self._newest(address)
        return newest is not None and newest.asks_place and now - newest.at <= PLACE_ASKED_FOR

    async def prune(self, now: datetime) -> None:
        """Forget what no phone can press or change any more; the oldest have the lowest ids."""
        async with self._door.open() as desk:
            oldest = await _find(desk.store, order=("id",), limit=PRUNED_AT_ONCE)
            gone = [PREFIX + one.task_id for one in oldest if now - one.at > KEPT_FOR]
            if gone:
                await desk.store.remove(Setting, gone)

    async def _newest(self, address: str) -> Sending | None:
        async with self._door.read() as store:
            found = await _find(store, order=("-id",), limit=NEWEST_MAX, value_has=json.dumps(address))
        mine = [one for one in found if address in one.to]
        return max(mine, key=lambda one: one.at) if mine else None


class Presses:
    """The one-time codes that presses brought, and what the cards of those who pressed show now."""

    def __init__(self) -> None:
        self._codes: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._used: OrderedDict[str, None] = OrderedDict()
        self._shown: OrderedDict[tuple[str, str], str] = OrderedDict()

    def note(self, address: str, task_id: str, code: str) -> None:
        """Somebody pressed a button of a card."""
        if code and code not in self._used:
            self._codes[(address, task_id)] = code
            _bound(self._codes)

    def code(self, address: str, task_id: str) -> str:
        """The code of this person's newest press on a card; empty when there is none."""
        return self._codes.get((address, task_id), "")

    def use(self, address: str, task_id: str, code: str) -> None:
        """The code was spent; one that a later press brought meanwhile is still good."""
        if self.code(address, task_id) == code:
            self._codes.pop((address, task_id), "")
        self._used[code] = None
        _bound(self._used)

    def change(self, address: str, task_id: str, digest: str) -> None:
        """This person's card was changed."""
        self._shown[(address, task_id)] = digest
        _bound(self._shown)

    def shows(self, address: str, task_id: str) -> str:
        """What this person's card was changed to; empty when it was not."""
        return self._shown.get((address, task_id), "")


def _bound(kept: "OrderedDict[Any, Any]") -> None:
    while len(kept) > PRESSES_MAX:
        kept.popitem(last=False)


async def _find(store: Store, *, order: Sequence[str], limit: int, **more: Any) -> list[Sending]:
    rows = await store.find(Setting, id_from=PREFIX, id_to=AFTER_PREFIX, order=order, limit=limit, **more)
    return [_read(row) for row in rows]


def _read(row: Setting) -> Sending:
    facts = json.loads(row.value)
    return Sending(
        row.id.removeprefix(PREFIX),
        datetime.fromisoformat(facts["at"]),
        tuple(facts["to"]),
        tuple(facts["tokens"]),
        facts["place"],
        facts["card"],
        facts["msgid"],
        facts["code"],
        facts["spent"],
        {name: tuple(people) for name, people in facts["shown"].items()},
    )
