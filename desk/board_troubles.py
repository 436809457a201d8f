"""Reads what could not be delivered or processed, so that nothing is dropped in silence (faults.md P5)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from desk.board_views import Trouble
from desk.invariants import DESK
from desk.model import InboxRow, InboxState, Job, Letter, LetterState, Setting
from desk.ports import Store
from desk.troubles import AFTER_PREFIX, PREFIX, parts_of
from roster.model import Officer

TROUBLES_MAX = 20
UNDELIVERED = (LetterState.failed, LetterState.unknown)  # Not at all, or nobody knows.
TROUBLES_FOR = timedelta(days=3)


async def read_troubles(store: Store, now: datetime) -> tuple[tuple[Trouble, ...], int]:
    """The newest of each kind, channels first, and how many there are in all."""
    since = now - TROUBLES_FOR
    failed: dict[str, Any] = {"state_in": list(UNDELIVERED), "made_at_from": since}
    letters = await store.find(Letter, order=("-made_at",), limit=TROUBLES_MAX, **failed)
    parked = await store.find(Job, parked=True, limit=TROUBLES_MAX)
    dead = await store.find(InboxRow, state=InboxState.dead, order=("-received_at",), limit=TROUBLES_MAX)
    channels = await store.find(Setting, id_from=PREFIX, id_to=AFTER_PREFIX, limit=TROUBLES_MAX)
    names = await _names(store, letters)
    found = [
        *(_channel(one) for one in channels),
        *(Trouble("inbox", row.id, row.channel, row.error, row.received_at, row.sender) for row in dead),
        *(Trouble("job", job.id, job.kind, job.error, job.due_at) for job in parked),
        *(
            Trouble(
                "letter",
                letter.id,
                letter.kind,
                letter.reason,
                letter.made_at,
                names.get(letter.officer_id, letter.address),
            )
            for letter in letters
        ),
    ]
    count = len(channels)
    for some, kind, criteria in (
        (letters, Letter, failed),
        (parked, Job, {"parked": True}),
        (dead, InboxRow, {"state": InboxState.dead}),
    ):
        count += len(some) if len(some) < TROUBLES_MAX else await store.count(kind, **criteria)
    return tuple(found[: TROUBLES_MAX * 2]), count


def _channel(setting: Setting) -> Trouble:
    began, _, text = setting.value.partition(" ")
    channel, what = parts_of(setting.id)
    at = datetime.fromisoformat(began)
    if channel == DESK:  # What the desk found wrong with itself.
        return Trouble("audit", setting.id, what, text, at)
    return Trouble("channel", setting.id, what, text, at, channel)


async def _names(store: Store, letters: Sequence[Letter]) -> dict[str, str]:
    ids = sorted({letter.officer_id for letter in letters if letter.officer_id})
    return {one.id: one.name for one in await store.find(Officer, id_in=ids)} if ids else {}
