"""Tries again, at a person's wish, what the desk gave up: a message unsent, a job parked, an event unread."""

from desk.board import sees_all
from desk.board_troubles import UNDELIVERED
from desk.letters import post_alone
from desk.model import InboxRow, InboxState, Job, Lane, Letter, LetterState
from desk.permissions import Action, NotAllowed
from desk.ports import Desk
from roster.model import Officer


async def retry(desk: Desk, officer: Officer, kind: str, ref: str) -> bool:
    """Put it back to work; False when it is no longer given up. Raises NotAllowed for anybody but the office."""
    if not await sees_all(desk.store, officer):
        raise NotAllowed(officer.id, Action.see_all)
    again = {"letter": _letter, "job": _job, "inbox": _event}.get(kind)
    if again is None or not await again(desk, ref):
        return False
    desk.log("tried_again", "desk", officer.id, what=kind, ref=ref)
    return True


async def _letter(desk: Desk, ref: str) -> bool:
    letter = await desk.store.get(Letter, ref)
    if letter is None or letter.state not in UNDELIVERED:
        return False
    # Owed anew from now on, so that it is not stale.
    await desk.store.change(
        letter, state=LetterState.queued, made_at=desk.now, attempts=0, tried=(), reason=""
    )
    post_alone(desk, letter, desk.now)
    return True


async def _job(desk: Desk, ref: str) -> bool:
    job = await desk.store.get(Job, ref)
    if job is None or not job.parked:
        return False
    await desk.queue.retry(desk.store, [ref])
    return True


async def _event(desk: Desk, ref: str) -> bool:
    row = await desk.store.get(InboxRow, ref)
    if row is None or row.state is not InboxState.dead:
        return False
    await desk.store.change(row, state=InboxState.new, error="")
    name, key = f"hear/{row.id}", f"from:{row.channel}:{row.sender}"
    desk.due("hear", row.id, desk.now, key=key, lane=Lane.urgent, name=name)
    return True
