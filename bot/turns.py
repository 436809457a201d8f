"""Keeps one reader's letters in their order where some of them leave together, which the queue's keys cannot see."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from bot.delivery import STALE_AFTER, can_wait
from bot.sending import OPEN_STATES
from desk.model import Letter, LetterState
from desk.ports import Desk

TICK = timedelta(microseconds=1)


async def waiting_behind(desk: Desk, letters: Sequence[Letter]) -> set[str]:
    """The ids of those whose reader has an older letter of the same lane on its way, or about to leave.

    One that failed before and is tried again later holds nobody up, nor does a digest that waits for a calm minute."""
    if not letters:
        return set()
    older: dict[str, list[Letter]] = defaultdict(list)
    lane = letters[0].lane
    for one in await desk.store.find(
        Letter,
        officer_id_in=[letter.officer_id for letter in letters],
        lane=lane,
        state_in=list(OPEN_STATES),
        made_at_from=desk.now - STALE_AFTER[lane],
        made_at_to=max(letter.made_at for letter in letters) - TICK,
    ):
        is_leaving = one.state is LetterState.sending or not (one.attempts or can_wait(one))
        if is_leaving:
            older[one.officer_id].append(one)
    return {
        letter.id
        for letter in letters
        if any(one.made_at < letter.made_at for one in older[letter.officer_id])
    }
