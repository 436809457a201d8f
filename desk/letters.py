"""Writes what is owed to people: one letter and its sending job, in the transaction of the fact that causes it."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from desk.model import Inbound, Lane, Letter, LetterState, Mailing, Notice
from desk.ports import Desk
from incidents.model import UNSIGNED_STATES, Incident
from roster.model import Answer, Result

SEND = "send"
SEND_PAGE = "send_page"
SEND_MANY = "send_many"
MAILING_MAX = 1000  # Most letters of one call on any platform.
QUESTIONS = ("sign", "present")  # The verbs that answer a question.
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
    letter = _letter(desk, notice, subject, lane, officer_id=officer_id, channels=channels)
    return _post(desk, letter, at)


def tell_all(
    desk: Desk, officer_ids: Iterable[str], notice: Notice, *, subject: str = "", lane: Lane = Lane.bulk
) -> None:
    """Owe many officers the same message: where a channel takes many at once, it leaves in few calls."""
    kind, facts, asks_place = notice.kind, dict(notice.facts), notice.asks_place
    letters = [
        Letter(
            desk.new_id(), kind, facts, notice.choices, lane, desk.now, subject, one, asks_place=asks_place
        )
        for one in officer_ids
    ]
    desk.later(*letters)
    for start in range(0, len(letters), MAILING_MAX):
        post_together(desk, letters[start : start + MAILING_MAX], desk.now)


def post_together(desk: Desk, letters: Sequence[Letter], at: datetime) -> None:
    """Let letters of equal words leave together at a moment."""
    mailing = Mailing(desk.new_id(), tuple(letter.id for letter in letters), letters[0].lane)
    desk.later(mailing)
    desk.due(SEND_MANY, mailing.id, at, lane=mailing.lane)


def post_alone(desk: Desk, letter: Letter, at: datetime) -> None:
    """Let a letter leave at a moment, behind those owed to the same reader before."""
    key = letter.officer_id or f"{letter.channel}:{letter.address}"
    desk.due(sending_kind(letter), letter.id, at, key=f"to:{key}", lane=letter.lane)


def sending_kind(letter: Letter) -> str:
    """The kind of work that sends a letter: what asks for a signature does not queue behind ten thousand receipts."""
    asks_signature = any(choice.verb == "sign" for choice in letter.choices)
    return SEND_PAGE if asks_signature and letter.lane is Lane.urgent and not letter.amends else SEND


def reply(
    desk: Desk, message: Inbound, notice: Notice, *, officer_id: str = "", subject: str = ""
) -> Letter | None:
    """Answer a message where it came from; a folded message (too many a minute) gets no answer of its own."""
    if message.folded:
        return None
    letter = _letter(
        desk,
        notice,
        subject,
        Lane.urgent,
        officer_id=officer_id,
        channel=message.channel,
        address=message.address,
        interaction=message.interaction,
    )
    return _post(desk, letter)


def amend(desk: Desk, letter: Letter, notice: Notice, *, lane: Lane = Lane.urgent) -> Letter | None:
    """Owe a change of a card that was sent; one that never reached a phone cannot be changed."""
    if not letter.remote_id:
        return None
    changed = _letter(
        desk,
        notice,
        letter.subject,
        lane,
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
    changed = _letter(
        desk,
        notice,
        subject,
        Lane.urgent,
        officer_id=officer_id,
        channel=message.channel,
        address=message.address,
        amends=message.message_id,
        remote_id=message.message_id,
        interaction=message.interaction,
    )
    return _post(desk, changed)


async def withdraw(
    desk: Desk, subject: str, kinds: Collection[str], *, officer_ids: Collection[str] = ()
) -> list[Letter]:
    """Cancel letters about a subject that have not left yet, of some officers or of all; returns those that stand."""
    if any(one.subject == subject and one.kind in kinds for one in desk.collected(Letter)):
        await desk.write_records()  # One made in this very transaction must not leave either.
    criteria: dict[str, Any] = {"officer_id_in": list(officer_ids)} if officer_ids else {}
    states = [LetterState.queued, *STANDING]
    found = await desk.store.find(
        Letter, subject=subject, state_in=states, kind_in=list(kinds), amends="", **criteria
    )
    waiting = [letter for letter in found if letter.state is LetterState.queued]
    await desk.store.change_all(waiting, state=LetterState.cancelled)
    return [letter for letter in found if letter.state in STANDING]


async def still_owed(desk: Desk, letters: Sequence[Letter]) -> list[Letter]:
    """Those that are no questions, or questions that still wait for their answer."""
    asked = {letter.id: choice for letter in letters for choice in letter.choices if choice.verb in QUESTIONS}
    refs = {verb: {one.ref for one in asked.values() if one.verb == verb} for verb in QUESTIONS}
    incidents = await desk.store.find(Incident, id_in=list(refs["sign"])) if refs["sign"] else []
    unsigned = {one.id for one in incidents if one.state in UNSIGNED_STATES}
    owing: set[tuple[str, str]] = set()
    if refs["present"]:
        officers = list({letter.officer_id for letter in letters if letter.id in asked})
        lines = await desk.store.find(
            Answer, roll_call_id_in=list(refs["present"]), officer_id_in=officers, result=Result.waiting
        )
        owing = {(line.roll_call_id, line.officer_id) for line in lines}

    def is_owed(letter: Letter) -> bool:
        choice = asked.get(letter.id)
        if choice is None:
            return True
        return choice.ref in unsigned or (choice.ref, letter.officer_id) in owing

    return [letter for letter in letters if is_owed(letter)]


async def cards(desk: Desk, subject: str, kinds: Iterable[str], *, officer_id: str = "") -> list[Letter]:
    """The cards about a subject that stand on people's phones and may be amended; of one officer, or of all."""
    criteria: dict[str, Any] = {"officer_id": officer_id} if officer_id else {}
    return await desk.store.find(
        Letter, subject=subject, state_in=list(STANDING), kind_in=list(kinds), amends="", **criteria
    )


def _letter(desk: Desk, notice: Notice, subject: str, lane: Lane, **more: Any) -> Letter:
    return Letter(
        id=desk.new_id(),
        kind=notice.kind,
        facts=dict(notice.facts),
        choices=notice.choices,
        lane=lane,
        made_at=desk.now,
        subject=subject,
        asks_place=notice.asks_place,
        **more,
    )


def _post(desk: Desk, letter: Letter, at: datetime | None = None) -> Letter:
    desk.later(letter)
    post_alone(desk, letter, at or desk.now)
    return letter
