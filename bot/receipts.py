"""Writes down what became of sendings: sent, again later, another way, or given up aloud."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from bot import delivery
from bot.pacing import Pacer, bucket_names
from bot.sending import REASON_MAX, Outcomes, Sending
from bot.ways import mark
from desk import acknowledgements, enrolment, escalations
from desk.letters import amend
from desk.model import Job, Lane, Letter, LetterState, Outcome, Receipt
from desk.ports import Desk, Door, Stale, Unavailable, WorkQueue
from roster.model import Account

log = logging.getLogger(__name__)

LATE = "late/"
AFTER_LATE = LATE[:-1] + chr(ord(LATE[-1]) + 1)
STORE_TRIES_MAX = 60  # A second apart: what is known of a message must outlast a locked or full disk.
STALE_TRIES_MAX = 5
LATE_AFTER = timedelta(
    seconds=90
)  # Longer than any sending takes: then nobody knows any more what became of it.


class Receipts:
    """The second transaction of every sending. Whoever was replaced meanwhile (another attempt) writes nothing."""

    def __init__(self, door: Door, queue: WorkQueue) -> None:
        self._door = door
        self._queue = queue

    async def store(self, outcomes: Outcomes, late: Sequence[Sending] = ()) -> None:
        """Write receipts, and put work for those still on their way, should nobody be left to bring theirs.

        One receipt that cannot be written never takes the others along: lost, they would be sent twice."""
        try:
            await self._store_all(outcomes, late)
        except Unavailable:
            raise
        except Exception:
            if len(outcomes) + len(late) < 2:
                raise
            ids = [sending.letter.id for sending, _ in outcomes]
            log.exception("receipts could not be written together, and are one by one: %s", ", ".join(ids))
            await self._one_by_one(outcomes, late)

    async def _one_by_one(self, outcomes: Outcomes, late: Sequence[Sending]) -> None:
        faults = []
        for some, others in [*(([one], ()) for one in outcomes), ([], late)]:
            try:
                await self._store_all(some, others)
            except Exception as error:  # Told below, when the others are safe.
                faults.append(error)
        if faults:
            raise faults[0]

    async def _store_all(self, outcomes: Outcomes, late: Sequence[Sending]) -> None:
        async def write(desk: Desk) -> None:
            await self.settle(desk, outcomes)
            await self._queue.done(desk.store, [one.job for one, _ in outcomes])
            for sending in late:
                job = sending.job
                at, name = desk.now + LATE_AFTER, late_job(sending.letter)
                desk.due(job.kind, sending.letter.id, at, key=job.key, lane=job.lane, name=name)
            await self._queue.done(desk.store, [one.job for one in late])

        await self.patiently(write)

    async def patiently(self, write: Callable[[Desk], Awaitable[None]]) -> None:
        """Write in one transaction; what became of a message is known only here, so the database is waited for."""
        for tries in range(1, STORE_TRIES_MAX + 1):
            try:
                async with self._door.open() as desk:
                    await write(desk)
                return
            except Stale:  # The person was faster with an answer, say: what is true now is read again.
                if tries >= STALE_TRIES_MAX:
                    raise
            except Unavailable as error:
                if tries == STORE_TRIES_MAX:
                    raise
                log.warning("receipts wait for the database: %s", error)
                await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=1)

    async def settle(self, desk: Desk, outcomes: Outcomes, *, as_marked: bool = False) -> None:
        """What each receipt means for its letter; those that arrived are written together.

        With `as_marked` the letters are not read again, and one that was changed since it was marked is Stale."""
        held = [
            name
            for sending, receipt in outcomes
            if receipt.retry_after_seconds is not None or receipt.not_here
            for name in bucket_names(sending.letter.channel, sending.letter.address)
        ]
        pacer = await Pacer.read(desk.store, held)
        letters = {sending.letter.id: sending.letter for sending, _ in outcomes}
        if not as_marked:
            letters = {one.id: one for one in await desk.store.find(Letter, id_in=list(letters))}
        arrived = []
        overtaken = await acknowledgements.answers_that_came_first(desk, _pages_sent(letters, outcomes))
        for sending, receipt in outcomes:
            letter = letters.get(sending.letter.id)
            if letter is None or letter.attempts != sending.letter.attempts:
                continue  # Somebody else took it over: their receipt counts.
            if receipt.retry_after_seconds is not None:
                until = desk.now + timedelta(seconds=receipt.retry_after_seconds)
                chat = "" if receipt.whole_channel else letter.address
                pacer.hold(letter.channel, chat, sending.channel.limits, until)
            if receipt.not_here:
                chat = "" if letter.amends else letter.address
                pacer.give_back(letter.channel, chat, sending.channel.limits, letter.lane)
            if receipt.outcome is Outcome.sent:
                remote_id = receipt.remote_id or letter.remote_id
                changes = {"state": LetterState.sent, "remote_id": remote_id, "sent_at": desk.now}
                arrived.append((letter, {**changes, "reason": ""}))
            else:
                await _write_down(desk, letter, sending, receipt)
        for letter in await desk.store.change_each(arrived):
            if letter.id in overtaken:
                amend(desk, letter, overtaken[letter.id])
        await pacer.write(desk.store)


def _pages_sent(letters: Mapping[str, Letter], outcomes: Outcomes) -> list[Letter]:
    """The pages that stand on a phone now."""
    ids = [sending.letter.id for sending, receipt in outcomes if receipt.outcome is Outcome.sent]
    found = [letters[one] for one in ids if one in letters]
    return [one for one in found if one.kind == escalations.PAGE and not one.amends]


def late_job(letter: Letter) -> str:
    """The job that brings a letter up again should nobody bring the receipt of just this sending."""
    return f"{LATE}{letter.id}/{letter.version}"


async def wait_no_longer(desk: Desk) -> None:
    """At the start of a desk alone on its database: who waited for slow answers is gone, so nobody will bring them."""
    for job in await desk.store.find(Job, id_from=LATE, id_to=AFTER_LATE, parked=False):
        if job.due_at > desk.now:
            await desk.store.change(job, due_at=desk.now)


async def give_up(desk: Desk, letter: Letter, reason: str) -> None:
    """No way is left: the desk shows it, and a page counts as unheard and climbs now.

    A change of a card that cannot be made is only dropped: the card still says what was true then."""
    if letter.amends:
        await desk.store.change(letter, state=LetterState.cancelled, reason=reason[:REASON_MAX])
        return
    failed = await desk.store.change(letter, state=LetterState.failed, reason=reason[:REASON_MAX])
    desk.log("letter_undelivered", letter.subject or "desk", what=letter.kind, officer=letter.officer_id)
    await escalations.unheard(desk, failed)


async def drop_stale(desk: Desk, letter: Letter) -> None:
    """An old digest would only confuse; an old urgent letter is one nobody got, which the desk must show."""
    if letter.lane is Lane.urgent and not letter.amends:
        await give_up(desk, letter, letter.reason or "stale")
        return
    await desk.store.change(letter, state=LetterState.cancelled, reason="stale")
    desk.log("letter_stale", letter.subject or "desk", what=letter.kind, officer=letter.officer_id)


async def leave_unknown(desk: Desk, letter: Letter, unknowns: int, reason: str) -> None:
    """It may have arrived, and is sent no more: the desk shows it, so that somebody may ask."""
    changes = {"unknowns": unknowns, "reason": reason[:REASON_MAX]}
    await desk.store.change(letter, state=LetterState.unknown, **changes)
    desk.log("letter_unknown", letter.subject or "desk", what=letter.kind, officer=letter.officer_id)


async def _write_down(desk: Desk, letter: Letter, sending: Sending, receipt: Receipt) -> None:
    hides = sending.channel.limits.hides_repeats and not sending.together
    verdict = delivery.judge(letter, receipt, desk.now, hides_repeats=hides)
    reason = receipt.reason[:REASON_MAX]
    if verdict.state is LetterState.failed:
        await give_up(desk, letter, reason)
    elif verdict.again_at is None:
        await leave_unknown(desk, letter, verdict.unknowns, reason)
    elif letter.amends and verdict.other_way and not letter.interaction:
        await give_up(desk, letter, reason)
    else:
        changes = await _other_way(desk, letter, sending, receipt) if verdict.other_way else {}
        if sending.together and receipt.outcome is Outcome.unknown:
            changes["rendered"] = None  # A copy sent alone has words of its own, with a mark.
        if receipt.new_address:
            changes["address"] = receipt.new_address
            await _move(desk, sending.account_id, receipt.new_address)
        queued = await desk.store.change(
            letter, state=LetterState.queued, unknowns=verdict.unknowns, reason=reason, **changes
        )
        desk.due(sending.job.kind, queued.id, verdict.again_at, key=sending.job.key, lane=sending.job.lane)


async def _other_way(desk: Desk, letter: Letter, sending: Sending, receipt: Receipt) -> dict[str, Any]:
    """A card that cannot be changed is answered by a new message, a dead address by another."""
    if letter.amends:
        return {"amends": "", "remote_id": ""}
    if receipt.address_gone and sending.account_id:
        account = await desk.store.get(Account, sending.account_id)
        if account is not None:
            await enrolment.unreachable(desk, account, receipt.reason)
    return {"tried": (*letter.tried, mark(letter.channel, letter.address))}


async def _move(desk: Desk, account_id: str, address: str) -> None:
    """The chat moved: its owner is reached at the new address, unless somebody else has it."""
    account = await desk.store.get(Account, account_id) if account_id else None
    if account is None or account.address == address:
        return
    if not await desk.store.find(Account, channel=account.channel, address=address, limit=1):
        await desk.store.change(account, address=address)
