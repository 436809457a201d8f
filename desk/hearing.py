"""Waits until what was said in time is heard, before a roll call names anybody silent."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from desk.model import InboxRow, InboxState, Setting
from desk.ports import Desk
from roster.model import RollCall, RollCallState

PROMPT = timedelta(seconds=2)  # A close that comes later than this finds a desk that stood still.
ARRIVES_WITHIN = timedelta(seconds=10)  # After a start or a stall: one poll of every channel.
HEARD_WITHIN = timedelta(seconds=30)  # A message nobody can hear must not keep a roll call open for ever.
LOOK_AGAIN = timedelta(seconds=1)
UNHEARD = (InboxState.new, InboxState.failing)
LISTENING = "listening"  # The Setting with the two moments of `_Listening`.


@dataclass(frozen=True)
class _Listening:
    """Since when the desk waits for what is still to be heard, and when every channel had its chance to bring it."""

    since: datetime
    ready_at: datetime


async def note_start(desk: Desk) -> None:
    """At every start: open roll calls wait for what their people said while the desk was away."""
    if await desk.store.count(RollCall, state=RollCallState.open):
        await _keep(desk, _Listening(desk.now, desk.now + ARRIVES_WITHIN))


async def away_for(desk: Desk, roll_call: RollCall) -> timedelta:
    """How long after the end of the window the desk was there again; nothing when it was there all the time."""
    kept = await _kept(desk, roll_call)
    there_at = kept.since if kept.since >= roll_call.closes_at else desk.now
    return max(there_at - roll_call.closes_at, timedelta())


async def look_again_at(desk: Desk, roll_call: RollCall) -> datetime | None:
    """When to ask again whether everything said in the window, which is over, was heard; None when it was."""
    kept = now = await _kept(desk, roll_call)
    if kept.since < roll_call.closes_at:  # The first look at this roll call.
        stood_still = desk.now - roll_call.closes_at > PROMPT
        now = _Listening(desk.now, desk.now + ARRIVES_WITHIN if stood_still else kept.ready_at)
    if desk.now < now.ready_at:
        again_at = now.ready_at
    elif desk.now < now.since + HEARD_WITHIN and await _is_unheard(desk, roll_call):
        again_at = desk.now + LOOK_AGAIN
    else:
        return None
    if now is not kept:
        await _keep(desk, now)
    return again_at


async def _is_unheard(desk: Desk, roll_call: RollCall) -> bool:
    said_to = max(
        roll_call.closes_at, desk.now - LOOK_AGAIN
    )  # After a stall it came in later than it was said.
    return bool(await desk.store.find(InboxRow, state_in=list(UNHEARD), received_at_to=said_to, limit=1))


async def _kept(desk: Desk, roll_call: RollCall) -> _Listening:
    found = await desk.store.get(Setting, LISTENING)
    if found is not None:
        since, ready_at = map(datetime.fromisoformat, found.value.split())
        if since <= desk.now:  # Else the clock went back.
            return _Listening(since, ready_at)
    return _Listening(roll_call.called_at, roll_call.called_at)


async def _keep(desk: Desk, listening: _Listening) -> None:
    value = f"{listening.since.isoformat()} {listening.ready_at.isoformat()}"
    found = await desk.store.get(Setting, LISTENING)
    if found is None:
        await desk.store.add(Setting(LISTENING, value))
    else:
        await desk.store.change(found, value=value)
