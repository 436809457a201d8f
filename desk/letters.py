"""Writes what is owed to people: one letter and its sending job, in the transaction of the fact that causes it."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from desk.model import Inbound, Lane, Letter, LetterState, Notice
from desk.ports import Desk
from incidents.model import UNSIGNED_STATES, Incident
from roster.model import Answer, Result

# Perhaps on the phone, and so to be changed rather than cancelled.
STANDING = (LetterState.sent, LetterState.unknown)


def tell(
    desk: Desk,
    officer_id: str,
    notice: Notice,
    *,
    subject: str = "",
    lane: Lane = Lane.urgent,
    channels: tuple[str, ...] = (),
    at: datetime | None = None,
) -> Letter:
    """Owe an officer a message, on the first of their channels that works; not before `at`."""
    letter = replace(_letter(desk, notice, subject, lane), officer_id=officer_id, channels=channels)
    return _post(desk, letter, at)


def reply(
    desk: Desk, message: Inbound, notice: Notice, *, officer_id: str = "", subject: str = ""
) -> Letter | None:
    """Answer a message where it came from; a folded message (too many a minute) gets no answer of its own."""
    if message.folded:
        return None
    letter = replace(
        _letter(desk, notice, subject, Lane.urgent),
        officer_id=officer_id,
        channel=message.channel,
        address=message.address,
        interaction=message.interaction,
    )
    return _post(desk, letter)


def amend(desk: Desk, letter: Letter, notice: Notice) -> Letter | None:
    """Owe a change of a card that was sent; one that never reached a phone cannot be changed."""
    if not letter.remote_id:
        return None
    changed = replace(
        _letter(desk, notice, letter.subject, Lane.urgent),
        officer_id=letter.officer_id,
        channel=letter.channel,
        address=letter.address,
        amends=letter.id,
        remote_id=letter.remote_id,
    )
    return _post(desk, changed)


def amend_tapped(
    desk: Desk, message: Inbound, notice: Notice, *, officer_id: str, subject: str = ""
) -> Letter:
    """Turn the card whose button was just pressed into the proof of the press."""
    changed = replace(
        _letter(desk, notice, subject, Lane.urgent),
        officer_id=officer_id,
        channel=message.channel,
        address=message.address,
        amends=message.message_id,
        remote_id=message.message_id,
        interaction=message.interaction,
    )
    return _post(desk, changed)


async def withdraw(desk: Desk, subject: str, kinds: Collection[str], *, officer_id: str = "") -> list[Letter]:
    """Cancel letters about a subject that have not left yet, of one officer or of all; returns the cards that stand."""
    if any(one.subject == subject and one.kind in kinds for one in desk.collected(Letter)):
        await desk.write_records()  # One made in this very transaction must not leave either.
    criteria: dict[str, Any] = {"officer_id": officer_id} if officer_id else {}
    states = [LetterState.queued, *STANDING]
    found = await desk.store.find(
        Letter, subject=subject, state_in=states, kind_in=list(kinds), amends="", **criteria
    )
    waiting = [letter for letter in found if letter.state is LetterState.queued]
    await desk.store.change_all(waiting, state=LetterState.cancelled)
    return [letter for letter in found if letter.state in STANDING]


async def is_still_owed(desk: Desk, letter: Letter) -> bool:
    """Whether a question that could not be sent at once still waits for its answer."""
    for choice in letter.choices:
        if choice.verb == "sign":
            incident = await desk.store.get(Incident, choice.ref)
            return incident is not None and incident.state in UNSIGNED_STATES
        if choice.verb == "present":
            lines = await desk.store.find(Answer, roll_call_id=choice.ref, officer_id=letter.officer_id)
            return any(line.result is Result.waiting for line in lines)
    return True


async def cards(desk: Desk, subject: str, kinds: Iterable[str], *, officer_id: str = "") -> list[Letter]:
    """The cards about a subject that stand on people's phones and may be amended; of one officer, or of all."""
    criteria: dict[str, Any] = {"officer_id": officer_id} if officer_id else {}
    return await desk.store.find(
        Letter, subject=subject, state_in=list(STANDING), kind_in=list(kinds), amends="", **criteria
    )


def _letter(desk: Desk, notice: Notice, subject: str, lane: Lane) -> Letter:
    return Letter(
        id=desk.new_id(),
        kind=notice.kind,
        facts=dict(notice.facts),
        choices=notice.choices,
        lane=lane,
        made_at=desk.now,
        subject=subject,
        asks_place=notice.asks_place,
    )


def _post(desk: Desk, letter: Letter, at: datetime | None = None) -> Letter:
    desk.later(letter)
    key = letter.officer_id or f"{letter.channel}:{letter.address}"
    desk.due("send", letter.id, at or desk.now, key=f"to:{key}", lane=letter.lane)
    return letter
