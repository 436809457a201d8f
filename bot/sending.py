"""One sending: a letter that leaves now, its way and its moment, and how long things are waited for."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from desk.model import Job, Letter, LetterState, Receipt
from desk.ports import Channel

WAIT_AT_MOST = timedelta(seconds=0.6)  # Nearer moments are waited for, later ones fall due again.
PATIENCE_SECONDS = 3.0  # What takes longer goes on beside us: a channel that hangs must not hold the others.
SEND_SECONDS_MAX = 60
MARKS_UNITS = 40  # Room for the number of a part and for 可能重复.
REASON_MAX = 300
OPEN_STATES = (LetterState.queued, LetterState.sending)


@dataclass(frozen=True)
class Sending:
    """A letter that leaves now, its way and its moment."""

    letter: Letter
    job: Job
    channel: Channel
    account_id: str  # Empty at an address nobody is bound to.
    at: datetime
    is_marked: bool = False  # A copy may have arrived before: 可能重复.
    together: bool = False  # In one call with others: sent alone, it is no repeat that a platform knows.


Outcomes = Sequence[tuple[Sending, Receipt]]


async def wait(seconds: float) -> None:
    """Wait for a reserved moment."""
    if seconds > 0:
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)
