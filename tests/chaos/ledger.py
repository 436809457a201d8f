"""Everything the desk has on disk and the platform delivered, read once when all is quiet."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from desk.model import ChatMessage, InboxRow, Job, Letter, LetterState
from desk.ports import Store
from incidents.model import Attachment, AttachmentState, Draft, Incident, LogLine, Report
from roster.model import Account, Answer, Officer, RollCall, RollCallState
from tests.chaos.platform import Copy, Platform

# What must be over before the books are closed; ladders and clocks of open incidents go on for days.
SOON_DONE = ("hear", "sweep", "fetch", "draft", "roll_call_remind", "roll_call_close")
CLOCK_LETTERS = ("clock_warning", "clock_overdue")  # Somebody gets one every second: only an old one is owed.
CLOCK_LETTER_SECONDS = 20.0
OPEN = (LetterState.queued, LetterState.sending)


@dataclass(frozen=True)
class Ledger:
    """The records of one desk, and what phones were really shown."""

    inbox: list[InboxRow]
    jobs: list[Job]
    letters: list[Letter]
    drafts: list[Draft]
    reports: list[Report]
    incidents: list[Incident]
    attachments: list[Attachment]
    roll_calls: list[RollCall]
    answers: list[Answer]
    officers: list[Officer]
    accounts: list[Account]
    lines: list[LogLine]
    web: list[ChatMessage]
    copies: list[Copy]
    card_of: Callable[[str], str]
    files: Path


async def read_ledger(store: Store, platform: Platform, files: Path) -> Ledger:
    """All records there are."""
    return Ledger(
        inbox=await store.find(InboxRow),
        jobs=await store.find(Job),
        letters=await store.find(Letter),
        drafts=await store.find(Draft),
        reports=await store.find(Report),
        incidents=await store.find(Incident),
        attachments=await store.find(Attachment),
        roll_calls=await store.find(RollCall),
        answers=await store.find(Answer),
        officers=await store.find(Officer),
        accounts=await store.find(Account),
        lines=await store.find(LogLine, order=("sequence",)),
        web=await store.find(ChatMessage),
        copies=platform.copies(),
        card_of=platform.card_of,
        files=files,
    )


def is_under_way(letter: Letter, now: datetime) -> bool:
    """Whether it is of the few that a desk of many open incidents always has under way."""
    is_young = now - letter.made_at < timedelta(seconds=CLOCK_LETTER_SECONDS)
    return letter.kind in CLOCK_LETTERS and is_young and letter.state in OPEN


async def unfinished(store: Store, now: datetime) -> dict[str, int]:
    """What is still under way; empty when all is quiet."""
    letters = await store.find(Letter, state_in=list(OPEN))
    counts = {
        **{kind: await store.count(Job, kind=kind, parked=False) for kind in SOON_DONE},
        "inbox": await store.count(InboxRow, state="new"),
        "letters": sum(not is_under_way(one, now) for one in letters),
        "attachments": await store.count(Attachment, state=AttachmentState.waiting),
        "roll calls": await store.count(RollCall, state=RollCallState.open),
    }
    return {name: count for name, count in counts.items() if count}
