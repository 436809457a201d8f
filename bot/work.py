"""Which job runs which kind of due work."""

from collections.abc import Awaitable, Callable, Sequence

from bot.fetcher import FETCH, Fetcher
from bot.intake import HEAR, SWEEP
from bot.postman import Postman
from bot.switchboard import Switchboard
from desk import escalations, pruning, put_right, roll_calls
from desk.letters import SEND, SEND_MANY, SEND_PAGE
from desk.model import Job
from desk.ports import Desk, Door, WorkQueue
from handlers.report import draft_fell_due

HEAR_BATCH_MAX = 40
SEND_BATCH_MAX = (
    5  # With the reserved moments of so few, an urgent letter waits a fraction of a second at most.
)
SENDS_AT_ONCE = 4
PAGES_AT_ONCE = 2
MAILINGS_AT_ONCE = 3  # Each a call to up to a thousand; one that hangs stands beside them after a while.
FETCHES_AT_ONCE = 3

DUE_BATCH_MAX = 40  # Steps, clocks and drafts that fall due together: one turn to write, not one for each.

Act = Callable[[Desk, str], Awaitable[object]]

DESK_WORK: dict[str, Act] = {
    "step": escalations.step,
    "clock": escalations.clock_fell_due,
    "draft": draft_fell_due,
    "roll_call_remind": roll_calls.remind,
    "roll_call_close": roll_calls.close,
    put_right.PUT_RIGHT: put_right.put_right,
    pruning.PRUNE: pruning.prune,
}

TOGETHER = ("step", "clock", "draft")  # Each is small, and thousands may be due in one minute.


def register(
    queue: WorkQueue, door: Door, switchboard: Switchboard, postman: Postman, fetcher: Fetcher
) -> None:
    """Tell the queue who handles what."""
    queue.handle(HEAR, switchboard.hear, batch_max=HEAR_BATCH_MAX, at_once=1)
    queue.handle(SWEEP, switchboard.sweep, at_once=1)
    queue.handle(SEND, postman.send, batch_max=SEND_BATCH_MAX, at_once=SENDS_AT_ONCE)
    queue.handle(SEND_PAGE, postman.send, batch_max=SEND_BATCH_MAX, at_once=PAGES_AT_ONCE)
    queue.handle(SEND_MANY, postman.mailings.send, at_once=MAILINGS_AT_ONCE)
    queue.handle(FETCH, fetcher.fetch, at_once=FETCHES_AT_ONCE)
    for kind, act in DESK_WORK.items():
        batch_max = DUE_BATCH_MAX if kind in TOGETHER else 1
        queue.handle(kind, _at_a_desk(door, queue, act), batch_max=batch_max, at_once=1)


def _at_a_desk(door: Door, queue: WorkQueue, act: Act) -> Callable[[Sequence[Job]], Awaitable[None]]:
    """Jobs of the desk in one transaction, which also ends their queue entries; one that fails is tried alone."""

    async def handle(jobs: Sequence[Job]) -> None:
        async with door.open() as desk:
            for job in jobs:
                await act(desk, job.ref)
            await queue.done(desk.store, jobs)

    return handle
