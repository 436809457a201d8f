"""Takes a person out of the office at once, lets one come back, and ends the links that open a phone page."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from desk.enrolment import LEFT, REVOKED, leaders_above
from desk.letters import tell
from desk.model import Letter, LetterState, Notice, Session
from desk.permissions import Action, require
from desk.ports import Desk, Store
from incidents.model import OPEN_STATES, Incident
from roster.model import Account, Invite, Officer, Role, Shift

CHAT = "chat"  # The kind of session that a personal link is …
WEBCHAT = "webchat"  # … and the channel it belongs to.
KEEPERS = (Role.office, Role.admin)  # Somebody of them must be left, else nobody could let anyone back in.
NAMED_MAX = 10


class Refused(Exception):
    """It cannot be done: the person is unknown (`nobody`), oneself (`own`) or the last who could undo it (`last`)."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Held:
    """What a person has in hand: read before the button is pressed, told to the leaders afterwards."""

    incidents: tuple[str, ...]  # Numbers of the open incidents signed by this person, or handed on to them.
    watches: int  # Running now or still to come.


async def held_by(store: Store, officer_id: str, at: datetime) -> Held:
    """The open incidents and the watches of a person at a moment."""
    opened = await store.find(Incident, state_in=list(OPEN_STATES), order=("received_at",))
    numbers = [one.number for one in opened if (one.assigned_to or one.signed_by) == officer_id]
    return Held(tuple(numbers), await store.count(Shift, officer_id=officer_id, ends_at_from=at))


async def deactivate(desk: Desk, officer_id: str, by: Officer | None) -> Officer:
    """The person is out at once: sessions, links and codes end, no address is used any more, watches are empty.

    `by` is None on the command line. What was in their hands is named to the leaders. Raises Refused, NotAllowed."""
    officer = await _meant(desk, officer_id, by)
    if not officer.active:
        return officer
    if by is not None and by.id == officer.id:
        raise Refused("own")
    keepers = await desk.store.find(Officer, role_in=list(KEEPERS), active=True, limit=2)
    if {one.id for one in keepers} == {officer.id}:
        raise Refused("last")
    held = await held_by(desk.store, officer.id, desk.now)
    leaders = await leaders_above(desk, officer)
    officer = await desk.store.change(officer, active=False)
    await _end_sessions(desk, officer.id)
    for account in await desk.store.find(Account, officer_id=officer.id):
        await desk.store.change(account, reachable=False, fault=LEFT)
    for code in await desk.store.find(Invite, officer_id=officer.id, used_at=None):
        await desk.store.change(code, used_at=desk.now, used_by=LEFT)
    waiting = await desk.store.find(Letter, officer_id=officer.id, state=LetterState.queued)
    await desk.store.change_all(waiting, state=LetterState.cancelled, reason=LEFT)
    facts = {"incidents": list(held.incidents[:NAMED_MAX]), "watches": held.watches}
    count = len(held.incidents)
    desk.log("officer_deactivated", f"officer:{officer.id}", _actor(by), **facts, held=count)
    for leader in leaders:
        if by is None or leader.id != by.id:
            tell(desk, leader.id, Notice("officer_left", {"name": officer.name, **facts}))
    return officer


async def reactivate(desk: Desk, officer_id: str, by: Officer | None) -> Officer:
    """The person belongs to the office again, and must bind a phone anew. Raises Refused, NotAllowed."""
    officer = await _meant(desk, officer_id, by)
    if officer.active:
        return officer
    officer = await desk.store.change(officer, active=True)
    desk.log("officer_reactivated", f"officer:{officer.id}", _actor(by))
    return officer


async def revoke_links(desk: Desk, officer_id: str, by: Officer | None) -> int:
    """End every personal web-chat link of a person at once; returns how many were good. Raises Refused, NotAllowed."""
    officer = await _meant(desk, officer_id, by)
    ended = await _end_sessions(desk, officer.id, kinds=(CHAT,))
    for account in await desk.store.find(Account, officer_id=officer.id, channel=WEBCHAT, reachable=True):
        await desk.store.change(account, reachable=False, fault=REVOKED)
    if ended:
        desk.log("chat_links_revoked", f"officer:{officer.id}", _actor(by), count=ended)
    return ended


async def _meant(desk: Desk, officer_id: str, by: Officer | None) -> Officer:
    if by is not None:
        require(by, Action.manage_people)
    officer = await desk.store.get(Officer, officer_id)
    if officer is None:
        raise Refused("nobody")
    return officer


async def _end_sessions(desk: Desk, officer_id: str, kinds: Collection[str] = ()) -> int:
    """End the person's sessions, of these kinds or all; returns how many were good until now."""
    sessions = await desk.store.find(Session, officer_id=officer_id, ended=False)
    open_ones = [one for one in sessions if not kinds or one.kind in kinds]
    await desk.store.change_all(open_ones, ended=True)
    return sum(one.ends_at > desk.now for one in open_ones)


def _actor(by: Officer | None) -> str:
    return by.id if by is not None else "system"
