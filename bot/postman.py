"""Delivers what is owed: outbox rows become messages, at each platform's pace, and every receipt is written down."""

# A batch is two transactions with the sending between them: first the letters are marked `sending` with their words
# fixed and their moment reserved, then the receipts are stored. A crash between the two leaves `sending` rows, whose
# outcome is unknown (`bot.delivery`).

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot import delivery
from bot.pacing import Pacer, bucket_names
from bot.wording import Wording
from desk import enrolment, escalations
from desk.letters import is_still_owed
from desk.model import Job, Letter, LetterState, Outcome, Receipt, Rendered
from desk.ports import Channel, Desk, Door, WorkQueue
from roster.model import Account

SEND = "send"
WAIT_AT_MOST = timedelta(seconds=0.6)  # Nearer moments are waited for, later ones fall due again.
SEND_SECONDS_MAX = 60
TOAST_MAX = 150
REASON_MAX = 300
OPEN_STATES = (LetterState.queued, LetterState.sending)


@dataclass(frozen=True)
class _Sending:
    """A letter that leaves now, and its moment."""

    letter: Letter
    job: Job
    channel: Channel
    account: Account | None
    at: datetime


class Postman:
    """The handler of `send` jobs."""

    def __init__(
        self, door: Door, queue: WorkQueue, channels: Mapping[str, Channel], wording: Wording
    ) -> None:
        self._door = door
        self._queue = queue
        self._channels = channels
        self._wording = wording

    async def send(self, jobs: Sequence[Job]) -> None:
        """Bring letters on their way; whatever happens to one is written in its row, never raised."""
        async with self._door.open() as desk:
            sendings = await self._prepare(desk, jobs)
            leaving = {sending.job.id for sending in sendings}
            await self._queue.done(desk.store, [job for job in jobs if job.id not in leaving])
            now = desk.now
        if not sendings:
            return
        receipts = await self._hand_over(sendings, now)
        async with self._door.open() as desk:
            await self._settle(desk, sendings, receipts)
            await self._queue.done(desk.store, [sending.job for sending in sendings])

    async def _prepare(self, desk: Desk, jobs: Sequence[Job]) -> list[_Sending]:
        letters = {one.id: one for one in await desk.store.find(Letter, id_in=[job.ref for job in jobs])}
        officers = list({one.officer_id for one in letters.values() if one.officer_id})
        ways: dict[str, list[Account]] = defaultdict(list)
        for account in await desk.store.find(
            Account, officer_id_in=officers, reachable=True, order=("rank", "id")
        ):
            ways[account.officer_id].append(account)
        chosen: list[tuple[Job, Letter, Account]] = []
        for job in jobs:
            letter = letters.get(job.ref)
            if letter is None or letter.state not in OPEN_STATES or not await self._is_owed(desk, letter):
                continue
            way = self._way(letter, ways[letter.officer_id])
            if way is None:
                await self._give_up(desk, letter, letter.reason or "no_channel")
            elif (whole := await self._fit(desk, job, letter, way)) is not None:
                chosen.append((job, whole, way))
        return await self._reserve(desk, chosen)

    async def _is_owed(self, desk: Desk, letter: Letter) -> bool:
        """Whether it must still be sent; one that a crash left `sending` is judged as unknown first."""
        if letter.state is LetterState.sending:
            channel = self._channels.get(letter.channel)
            hides = channel is not None and channel.limits.hides_repeats
            verdict = delivery.after_unknown(letter, desk.now, hides_repeats=hides)
            if verdict.state is not LetterState.queued:
                await desk.store.change(
                    letter, state=verdict.state, unknowns=verdict.unknowns, reason="unknown"
                )
                return False
        if delivery.is_stale(letter, desk.now):
            await desk.store.change(letter, state=LetterState.cancelled, reason="stale")
            desk.log("letter_stale", letter.subject or "desk", what=letter.kind, officer=letter.officer_id)
            return False
        if letter.attempts and not await is_still_owed(desk, letter):
            await desk.store.change(letter, state=LetterState.cancelled, reason="settled")
            return False
        return True

    def _way(self, letter: Letter, accounts: Sequence[Account]) -> Account | None:
        """Where it goes: the chat it answers, the address it names, else the officer's accounts in their order."""
        turns = letter.attempts // delivery.OTHER_WAY_AFTER_ATTEMPTS
        if letter.channel and (letter.amends or not letter.officer_id or not turns):
            known = [
                one for one in accounts if (one.channel, one.address) == (letter.channel, letter.address)
            ]
            here = known[0] if known else _stranger(letter, letter.channel, letter.address)
            if self._is_open(here, letter):
                return here
            if letter.amends or not letter.officer_id:
                return None
        named = [_stranger(letter, *one.split(":", 1)) for one in letter.channels if ":" in one]
        allowed = [one for one in accounts if not letter.channels or one.channel in letter.channels]
        ways = [one for one in (*named, *allowed) if self._is_open(one, letter)]
        # A way that fails for now is left after a few attempts, and comes round again.
        return ways[turns % len(ways)] if ways else None

    def _is_open(self, way: Account, letter: Letter) -> bool:
        return way.channel in self._channels and _mark(way.channel, way.address) not in letter.tried

    async def _fit(self, desk: Desk, job: Job, letter: Letter, way: Account) -> Letter | None:
        """The letter with its words; None when it was too long and goes as several, this one last."""
        if letter.rendered is not None:
            return letter
        is_stub = way.channel in desk.policy.stub_only
        words = (self._wording.stub if is_stub else self._wording.render)(letter, desk.now)
        parts = delivery.split(words.text, self._channels[way.channel].limits.text_max - 16)
        if len(parts) == 1 or letter.amends:
            return await desk.store.change(letter, rendered=words)
        marked = [self._wording.part(text, place, len(parts)) for place, text in enumerate(parts, 1)]
        for text in marked[:-1]:
            part = replace(
                letter,
                id=desk.new_id(),
                choices=(),
                interaction="",
                asks_place=False,
                rendered=Rendered(text),
                channel=way.channel,
                address=way.address,
                version=1,
            )
            desk.later(part)
            desk.due(SEND, part.id, desk.now, key=job.key, lane=job.lane)
        last = replace(words, text=marked[-1])
        await desk.store.change(letter, rendered=last, channel=way.channel, address=way.address)
        desk.due(SEND, letter.id, desk.now, key=job.key, lane=job.lane)
        return None

    async def _reserve(self, desk: Desk, chosen: Sequence[tuple[Job, Letter, Account]]) -> list[_Sending]:
        """Reserve each letter's moment; what must wait longer falls due again then."""
        names = [name for _, _, way in chosen for name in bucket_names(way.channel, way.address)]
        pacer = await Pacer.read(desk.store, names)
        sendings = []
        for job, letter, way in chosen:
            channel = self._channels[way.channel]
            chat = "" if letter.amends else way.address
            latest = desk.now + WAIT_AT_MOST
            at, reserved = pacer.reserve(
                way.channel, chat, channel.limits, desk.now, latest=latest, lane=letter.lane
            )
            if not reserved:
                desk.due(SEND, letter.id, at, key=job.key, lane=job.lane)
                continue
            repeats = letter.unknowns
            if letter.state is LetterState.sending and not channel.limits.hides_repeats and not letter.amends:
                repeats += 1  # A crash left it on its way.
            marked = await desk.store.change(
                letter,
                state=LetterState.sending,
                attempts=letter.attempts + 1,
                unknowns=repeats,
                channel=way.channel,
                address=way.address,
            )
            sendings.append(_Sending(marked, job, channel, way if way.officer_id else None, at))
        await pacer.write(desk.store)
        return sendings

    async def _hand_over(self, sendings: Sequence[_Sending], now: datetime) -> list[Receipt]:
        """One receipt each; letters to one person go one after the other, all others side by side."""
        by_key: dict[str, list[int]] = defaultdict(list)
        for place, sending in enumerate(sendings):
            by_key[sending.job.key or sending.job.id].append(place)
        receipts = [Receipt(Outcome.unknown)] * len(sendings)

        async def send_in_order(places: Iterable[int]) -> None:
            for place in places:
                receipts[place] = await self._send_one(sendings[place], now)

        await asyncio.gather(*(send_in_order(places) for places in by_key.values()))
        return receipts

    async def _send_one(self, sending: _Sending, now: datetime) -> Receipt:
        letter, channel = sending.letter, sending.channel
        words = letter.rendered or Rendered("")
        if letter.unknowns and not channel.limits.hides_repeats:
            words = replace(words, text=self._wording.repeated(words.text))
        await _wait((sending.at - now).total_seconds())
        if letter.interaction and letter.attempts == 1:
            await channel.settle(letter.interaction, words.text.partition("\n")[0][:TOAST_MAX])
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                if letter.amends:
                    return await channel.amend(words, letter.address, letter.remote_id)
                [receipt] = await channel.send(words, [letter.address], key=letter.id)
                return receipt
        except Exception as error:  # Nothing a channel does may stop the others; the row says what happened.
            return Receipt(Outcome.unknown, reason=f"{type(error).__name__}: {error}"[:REASON_MAX])

    async def _settle(self, desk: Desk, sendings: Sequence[_Sending], receipts: Sequence[Receipt]) -> None:
        held = [
            name
            for sending, receipt in zip(sendings, receipts, strict=True)
            if receipt.retry_after_seconds is not None
            for name in bucket_names(sending.letter.channel, sending.letter.address)
        ]
        pacer = await Pacer.read(desk.store, held)
        for sending, receipt in zip(sendings, receipts, strict=True):
            letter = await desk.store.get(Letter, sending.letter.id)
            if letter is None or letter.attempts != sending.letter.attempts:
                continue  # Somebody else took it over: their receipt counts.
            if receipt.retry_after_seconds is not None:
                until = desk.now + timedelta(seconds=receipt.retry_after_seconds)
                chat = "" if receipt.whole_channel else letter.address
                pacer.hold(letter.channel, chat, sending.channel.limits, until)
            await self._write_down(desk, letter, sending, receipt)
        await pacer.write(desk.store)

    async def _write_down(self, desk: Desk, letter: Letter, sending: _Sending, receipt: Receipt) -> None:
        hides = sending.channel.limits.hides_repeats
        verdict = delivery.judge(letter, receipt, desk.now, hides_repeats=hides)
        reason = receipt.reason[:REASON_MAX]
        if verdict.state is LetterState.sent:
            remote_id = receipt.remote_id or letter.remote_id
            await desk.store.change(
                letter, state=verdict.state, remote_id=remote_id, sent_at=desk.now, reason=""
            )
            return
        if verdict.again_at is None:
            if verdict.state is LetterState.failed:
                await self._give_up(desk, letter, reason)
            else:
                await desk.store.change(letter, state=verdict.state, unknowns=verdict.unknowns, reason=reason)
            return
        if letter.amends and verdict.other_way and not letter.interaction:
            await desk.store.change(letter, state=LetterState.cancelled, reason=reason)
            return
        changes = await self._turn(desk, letter, sending, receipt) if verdict.other_way else {}
        if receipt.new_address and sending.account is not None:
            await desk.store.change(sending.account, address=receipt.new_address)
        queued = await desk.store.change(
            letter,
            state=LetterState.queued,
            unknowns=verdict.unknowns,
            reason=reason,
            address=receipt.new_address or letter.address,
            **changes,
        )
        desk.due(SEND, queued.id, verdict.again_at, key=sending.job.key, lane=sending.job.lane)

    async def _turn(
        self, desk: Desk, letter: Letter, sending: _Sending, receipt: Receipt
    ) -> dict[str, tuple[str, ...] | str]:
        """The next way: a card that cannot be changed is answered by a new message, a dead address by another."""
        if letter.amends:
            return {"amends": "", "remote_id": ""}
        if receipt.address_gone and sending.account is not None:
            account = await desk.store.get(Account, sending.account.id)
            if account is not None:
                await enrolment.unreachable(desk, account, receipt.reason)
        return {"tried": (*letter.tried, _mark(letter.channel, letter.address))}

    async def _give_up(self, desk: Desk, letter: Letter, reason: str) -> None:
        """No way is left: the desk shows it, and a page counts as unheard and climbs now."""
        failed = await desk.store.change(letter, state=LetterState.failed, reason=reason)
        desk.log("letter_undelivered", letter.subject or "desk", what=letter.kind, officer=letter.officer_id)
        await escalations.unheard(desk, failed)


def _mark(channel: str, address: str) -> str:
    return f"{channel}:{address}"


def _stranger(letter: Letter, channel: str, address: str) -> Account:
    """An address nobody of the office is bound to."""
    return Account("", "", channel, address, letter.made_at)


async def _wait(seconds: float) -> None:
    """Wait for a reserved moment."""
    if seconds > 0:
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)
