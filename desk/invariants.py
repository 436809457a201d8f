"""What must hold at any moment, read from the domain rows alone; whatever is found here, somebody did not do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from desk.gaps import coming_shifts, find_gaps
from desk.model import Job, Lane, Letter, LetterState, Setting
from desk.policy import Policy
from desk.ports import Desk, Store
from desk.recipients import duty_leaders
from desk.troubles import AFTER_PREFIX, PREFIX, parts_of
from incidents.model import UNSIGNED_STATES, Draft, Incident, LogLine, State
from roster.model import Account, Officer, RollCall, RollCallState, Unit

LATE = timedelta(seconds=60)  # Nothing due is older than this (faults.md 2.5).
GATHERED = timedelta(seconds=60)  # A letter that gathers others may wait this much longer.
CLOCK_BACK = timedelta(seconds=60)
STAFFED_FOR = timedelta(hours=24)
READ_MAX = 500
NAMED_MAX = 3
OWN_NOTICE = "audit"  # Goes to every channel, the broken one too: its waiting there is no news.
DESK = "desk"  # The channel under which the desk's own troubles are kept.
BEARABLE = ("commands", "unreadable")  # Troubles of a channel that keep no message back.

INCIDENTS, DUE, LETTERS, STAFFED, REACH, CHANNELS, CLOCK = (
    "incidents",
    "due",
    "letters",
    "staffed",
    "reach",
    "channels",
    "time",
)


@dataclass(frozen=True)
class Finding:
    """One invariant at one moment: the words name what breaks it, and are empty while it holds."""

    name: str
    broken: str = ""


async def examine(store: Store, policy: Policy, now: datetime) -> list[Finding]:
    """Every invariant of the rows at a moment; bounded reads, cheap however many incidents there were."""
    return [
        await _incidents_have_somebody(store, now),
        await _nothing_is_overdue(store, now),
        await _letters_leave(store, now),
        await _posts_are_held(store, policy, now),
        await _channels_are_well(store),
        await _clock_goes_on(store, now),
    ]


async def somebody_can_be_told(desk: Desk) -> Finding:
    """Whoever leads the watch now, or the last resort behind them, has at least one way that works."""
    ids = [one.id for one in await duty_leaders(desk)]
    ways = await desk.store.count(Account, officer_id_in=ids, reachable=True) if ids else 0
    return Finding(REACH, "" if ways else "0")


async def _incidents_have_somebody(store: Store, now: datetime) -> Finding:
    """Who has not signed is asked again in time; nobody's incident was told to nobody; who signed is still here."""
    unsigned = await store.find(
        Incident, state_in=list(UNSIGNED_STATES), received_at_to=now - LATE, limit=READ_MAX
    )
    wrong = [
        one.number
        for one in unsigned
        if one.next_step_at is None or one.next_step_at < now - LATE or not one.heard_by
    ]
    signed = await store.find(Incident, state=State.verifying, limit=READ_MAX)
    wrong += [one.number for one in signed if not one.signed_by]
    holders = sorted({one.signed_by for one in signed} - {""})
    gone = {one.id for one in await store.find(Officer, id_in=holders, active=False)} if holders else set()
    wrong += [one.number for one in signed if one.signed_by in gone]
    return Finding(INCIDENTS, _named(wrong))


async def _nothing_is_overdue(store: Store, now: datetime) -> Finding:
    """Open roll calls past their end, reports being told past their window, urgent work that nobody took."""
    calls = await store.find(RollCall, state=RollCallState.open, limit=READ_MAX)
    drafts = await store.find(Draft, state="open", due_at_to=now - LATE, limit=NAMED_MAX + 1)
    jobs = await store.find(
        Job, parked=False, lane=Lane.urgent, due_at_to=now - LATE, order=("due_at",), limit=NAMED_MAX + 1
    )
    wrong = [call.plan for call in calls if call.closes_at < now - LATE]
    return Finding(DUE, _named([*wrong, *("draft" for _ in drafts), *(job.kind for job in jobs)]))


async def _letters_leave(store: Store, now: datetime) -> Finding:
    """No urgent letter waits in the outbox for long."""
    waiting = await store.find(
        Letter,
        state_in=[LetterState.queued, LetterState.sending],
        lane=Lane.urgent,
        made_at_to=now - LATE,
        order=("made_at",),
        limit=READ_MAX,
    )
    late = [
        one
        for one in waiting
        if one.kind != OWN_NOTICE and (not one.facts.get("gathers") or one.made_at <= now - LATE - GATHERED)
    ]
    return Finding(LETTERS, _named(dict.fromkeys(one.kind for one in late), len(late)))


async def _posts_are_held(store: Store, policy: Policy, now: datetime) -> Finding:
    """The watch of the coming day has everybody it must have."""
    units = await store.find(Unit)
    found = find_gaps(policy, units, await coming_shifts(store, now, STAFFED_FOR), now, STAFFED_FOR)
    names = {unit.id: unit.name for unit in units}
    posts = {post.key: post.name for post in policy.posts}
    zone = ZoneInfo(policy.timezone)
    said = [
        f"{names.get(gap.unit_id, gap.unit_id)} {posts.get(gap.post, gap.post)} "
        f"{gap.starts_at.astimezone(zone):%m-%d %H:%M}"
        for gap in sorted(found, key=lambda gap: gap.starts_at)
    ]
    return Finding(STAFFED, _named(said))


async def _channels_are_well(store: Store) -> Finding:
    """No channel tells of a trouble that keeps messages back: the last poll or callback was good."""
    kept = await store.find(Setting, id_from=PREFIX, id_to=AFTER_PREFIX, limit=READ_MAX)
    parts = [parts_of(one.id) for one in kept]
    return Finding(
        CHANNELS,
        _named(f"{channel} {kind}" for channel, kind in parts if channel != DESK and kind not in BEARABLE),
    )


async def _clock_goes_on(store: Store, now: datetime) -> Finding:
    """The newest line of the duty log is not written in the future: then the clock went back."""
    newest = await store.find(LogLine, order=("-sequence",), limit=1)
    back = newest[0].at - now if newest else timedelta()
    return Finding(CLOCK, f"-{back.total_seconds():.0f} s" if back > CLOCK_BACK else "")


def _named(words: Iterable[str], count: int | None = None) -> str:
    """The first few of the words, and how many there are in all when they are more."""
    every: Sequence[str] = list(words)
    count = len(every) if count is None else count
    said = ", ".join(every[:NAMED_MAX])
    return f"{said} … ({count})" if count > min(len(every), NAMED_MAX) else said
