"""Knows which answers a person owes, has given or missed, and when an answer was given."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from desk.model import Inbound
from desk.ports import Desk
from roster.model import Answer, Officer, Result, RollCall, RollCallState

LATE_ANSWERS_KEPT_FOR = timedelta(hours=12)
RUNS_AT_MOST = timedelta(days=1)
OWED_MAX = 100
MISSED = (Result.no_answer, Result.unregistered_cover)  # At the end of the window; a person judges it.


async def line_of(desk: Desk, officer_id: str, ref: str) -> Answer | None:
    """The line a button speaks of: this officer's of a roll call; cards of an earlier version name the line itself."""
    lines = await desk.store.find(Answer, roll_call_id=ref, officer_id=officer_id, limit=1)
    return lines[0] if lines else await desk.store.get(Answer, ref)


async def owed_by(desk: Desk, officer_id: str) -> Answer | None:
    """The newest answer this officer still owes."""
    owed = await all_owed_by(desk, officer_id)
    return owed[0] if owed else None


async def all_owed_by(desk: Desk, officer_id: str, message: Inbound | None = None) -> list[Answer]:
    """The answers this officer still owes, the newest first; to a message also those it gave in time, heard late."""
    owed = await desk.store.find(
        Answer, officer_id=officer_id, result=Result.waiting, order=("-id",), limit=OWED_MAX
    )
    if message is None or message.sent_at is None:
        return owed
    at = message.sent_at
    over = await desk.store.find(
        RollCall,
        state=RollCallState.closed,
        called_at_from=at - RUNS_AT_MOST,
        called_at_to=at,
        closes_at_from=at,
    )
    if not over:
        return owed
    lines = await desk.store.find(
        Answer, officer_id=officer_id, roll_call_id_in=[one.id for one in over], result_in=list(MISSED)
    )
    calls = {one.id: one for one in over}
    missed = [line for line in lines if is_open(desk, message, calls[line.roll_call_id], line)]
    return sorted([*owed, *missed], key=lambda line: line.id, reverse=True)


async def owed_by_each(desk: Desk, said: Sequence[tuple[Inbound, Officer]]) -> dict[str, list[Answer]]:
    """What each of these people still owes, the newest first; nothing while one may have answered in time before."""
    moments = [message.sent_at or desk.now for message, _ in said]
    over = await desk.store.count(
        RollCall,
        state=RollCallState.closed,
        called_at_from=min(moments) - RUNS_AT_MOST,
        called_at_to=max(moments),
        closes_at_from=min(moments),
    )
    owed: dict[str, list[Answer]] = defaultdict(list)
    if over:
        return owed
    ids = [officer.id for _, officer in said]
    for line in await desk.store.find(Answer, officer_id_in=ids, result=Result.waiting, order=("-id",)):
        owed[line.officer_id].append(line)
    return owed


def is_open(desk: Desk, message: Inbound, roll_call: RollCall, answer: Answer) -> bool:
    """Whether a message may still answer a line: the line waits, or the message was in time and is only heard late."""
    if answer.result in MISSED and not answer.concluded_by:
        return said_at(desk, message, roll_call) <= roll_call.closes_at
    return answer.result is Result.waiting


async def missed_by(desk: Desk, officer_id: str) -> Answer | None:
    """The newest 未应答 of the last twelve hours that this officer has said nothing about since."""
    lines = await desk.store.find(
        Answer,
        officer_id=officer_id,
        result_in=list(MISSED),
        order=("-id",),
        limit=1,
    )
    if not lines or lines[0].answered_at is not None or lines[0].concluded_by:
        return None
    roll_call = await desk.store.get(RollCall, lines[0].roll_call_id)
    if roll_call is None or desk.now - roll_call.closes_at > LATE_ANSWERS_KEPT_FOR:
        return None
    return lines[0]


async def given_by(desk: Desk, officer_id: str) -> Answer | None:
    """What this officer has answered to a call that still runs."""
    running = await desk.store.find(RollCall, state=RollCallState.open, limit=OWED_MAX)
    lines = await desk.store.find(
        Answer,
        officer_id=officer_id,
        roll_call_id_in=[one.id for one in running],
        result_not=Result.waiting,
        order=("-id",),
        limit=1,
    )
    return lines[0] if lines else None


def said_at(desk: Desk, message: Inbound, roll_call: RollCall) -> datetime:
    """When the answer was given: the platform's own moment, so that nobody is late because the desk was away.

    By a clock that is doubted nobody is late, nor by one that was set ahead since the question was asked."""
    at = message.sent_at
    now = min(desk.now, roll_call.on_time_until) if desk.doubts_clock else desk.now
    if at is None or not roll_call.called_at <= at <= now:
        at = now
    if desk.clock_jump is not None:
        jumped_at, by = desk.clock_jump
        if roll_call.called_at < jumped_at <= at and at - by <= roll_call.on_time_until:
            return min(at, roll_call.on_time_until)
    return at


async def unit_owes(desk: Desk, officer: Officer) -> list[Answer]:
    """The lines of posts in this officer's own unit that nobody has answered yet."""
    running = await desk.store.find(RollCall, state=RollCallState.open, limit=OWED_MAX)
    if not running:
        return []
    lines = await desk.store.find(
        Answer, roll_call_id_in=[one.id for one in running], unit_id=officer.unit_id, result=Result.waiting
    )
    return [line for line in lines if line.post and line.officer_id != officer.id]
