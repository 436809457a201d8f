"""Every night forgets the small marks nobody will look for again, a page at a time, as durable work."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from desk.model import Setting
from desk.ports import Desk
from incidents.model import OPEN_STATES, Incident
from roster.model import Answer, RollCall, RollCallState

PRUNE = "prune"
NIGHT = time(3, 40)  # Between the watches, and not with the backup.
PAGE = 200
KEPT_FOR = timedelta(days=7)  # After the matter has ended, or since the mark was made.
TIMED = ("asked", "stranger", "start", "aside")  # Marks whose value holds the moment they were made.
FAMILIES = (*TIMED, "clock", "passcode", "danger")


def schedule(desk: Desk) -> None:
    """Put the coming night's pruning, unless it waits already."""
    zone = ZoneInfo(desk.policy.timezone)
    today = desk.now.astimezone(zone).date()
    nights = (datetime.combine(today + timedelta(days=days), NIGHT, zone) for days in (0, 1))
    at = next(night for night in nights if night > desk.now)
    desk.due(PRUNE, "", at, name=f"{PRUNE}/{at.date().isoformat()}")


async def prune(desk: Desk, after: str) -> int:
    """Forget one page of marks that come after an id, and put the next page or the next night."""
    family = after.partition("/")[0] or FAMILIES[0]
    found = await desk.store.find(Setting, id_from=after or f"{family}/", id_to=f"{family}0", limit=PAGE)
    gone = [mark.id for mark in found if await _is_over(desk, family, mark)]
    await desk.store.remove(Setting, gone)
    place = FAMILIES.index(family)
    if len(found) == PAGE:
        _go_on(desk, found[-1].id + "\x01")
    elif place + 1 < len(FAMILIES):
        _go_on(desk, f"{FAMILIES[place + 1]}/")
    else:
        schedule(desk)
    return len(gone)


def _go_on(desk: Desk, after: str) -> None:
    desk.due(PRUNE, after, desk.now, name=f"{PRUNE}/{desk.new_id()}")


async def _is_over(desk: Desk, family: str, mark: Setting) -> bool:
    """Whether what a mark speaks of has ended long ago, or is not there any more."""
    since = desk.now - KEPT_FOR
    if family in TIMED:
        return all(not _is_after(word, since) for word in mark.value.split(" "))
    about = mark.id.split("/")[1]
    if family == "clock":
        incident = await desk.store.get(Incident, about)
        return incident is None or (incident.state not in OPEN_STATES and _is_old(incident.closed_at, since))
    answer = await desk.store.get(Answer, about)
    call = await desk.store.get(RollCall, answer.roll_call_id) if answer else None
    return call is None or (call.state is not RollCallState.open and call.closes_at < since)


def _is_old(at: datetime | None, since: datetime) -> bool:
    return at is not None and at < since


def _is_after(word: str, since: datetime) -> bool:
    try:
        return datetime.fromisoformat(word) >= since
    except ValueError:
        return False  # The other words of a mark: a count, a kind, an id.
