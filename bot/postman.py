"""Delivers what is owed: outbox rows become messages, at each platform's pace, and every receipt is written down."""

# A batch is two transactions with the sending between them: first the letters are marked `sending` with their words
# fixed and their moment reserved, then the receipts are stored. A crash between the two leaves `sending` rows, whose
# outcome is unknown (`bot.delivery`).

import asyncio
import contextlib
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot import delivery
from bot.fitting import Fitting, has_words_for, split_up
from bot.mailings import Mailings
from bot.pacing import Backsteps, Pacer, bucket_names
from bot.receipts import LATE, Receipts, drop_stale, give_up, late_job, leave_unknown
from bot.sending import (
    OPEN_STATES,
    PATIENCE_SECONDS,
    REASON_MAX,
    SEND_SECONDS_MAX,
    WAIT_AT_MOST,
    Outcomes,
    Sending,
    wait,
)
from bot.turns import waiting_behind
from bot.ways import accounts_of, way_for
from bot.wording import Wording
from desk.letters import still_owed
from desk.model import Card, Job, Lane, Letter, LetterState, Outcome, Receipt, Rendered
from desk.ports import Channel, Desk, Door, WorkQueue
from roster.model import Account

log = logging.getLogger(__name__)

TAP_SECONDS_MAX = 5
CLOSE_SECONDS_MAX = 3
LATE_MAX = 20  # So many slow sendings of one channel at a time; its other letters wait.
SLOW_AGAIN = {Lane.urgent: timedelta(seconds=2), Lane.bulk: timedelta(seconds=10)}
TOAST_MAX = 150
BEHIND_AGAIN = timedelta(seconds=2)

Chain = list[Sending]


@dataclass(frozen=True)
class _Chosen:
    """A letter in the words of the way it goes now."""

    job: Job
    letter: Letter
    words: Rendered
    way: Account
    is_marked: bool


class Postman:
    """The handler of `send` jobs."""

    def __init__(
        self, door: Door, queue: WorkQueue, channels: Mapping[str, Channel], wording: Wording
    ) -> None:
        self._door = door
        self._queue = queue
        self._channels = channels
        self._wording = wording
        self._fitting = Fitting(channels, wording)
        self._receipts = Receipts(door, queue)
        self._late: dict[asyncio.Task[None], Chain] = {}
        self._backsteps = Backsteps()
        self.mailings = Mailings(door, queue, channels, wording, self._backsteps)

    async def send(self, jobs: Sequence[Job]) -> None:
        """Bring letters on their way; whatever a channel does to one is written in its row, never raised."""
        async with self._door.open() as desk:
            sendings = await self._prepare(desk, jobs)
            leaving = {sending.job.id for sending in sendings}
            await self._queue.done(desk.store, [job for job in jobs if job.id not in leaving])
            now = desk.now
        if sendings:
            await self._hand_over(sendings, now)

    async def close(self) -> None:
        """Wait a little for what is on its way; what is cut off then counts as unknown at the next start."""
        await self.mailings.close()
        if self._late:
            await asyncio.wait(self._late, timeout=CLOSE_SECONDS_MAX)
        for task in list(self._late):
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def _prepare(self, desk: Desk, jobs: Sequence[Job]) -> list[Sending]:
        letters = {one.id: one for one in await desk.store.find(Letter, id_in=[job.ref for job in jobs])}
        accounts = await accounts_of(desk.store, list(letters.values()))
        behind = await self._behind(desk, list(letters.values()))
        chosen: list[_Chosen] = []
        for job in jobs:
            letter = letters.pop(job.ref, None)  # Two jobs may ask for one letter; it leaves once.
            if letter is None or (job.id.startswith(LATE) and job.id != late_job(letter)):
                continue
            if letter.id in behind:
                desk.due(job.kind, letter.id, desk.now + BEHIND_AGAIN, key=job.key, lane=job.lane)
                continue
            letter = await self._owed(desk, letter)
            if letter is None:
                continue
            way = way_for(letter, accounts[letter.officer_id], self._channels)
            if way is None:
                await give_up(desk, letter, letter.reason or "no_channel")
            elif len(words := self._fitting.words(desk, letter, way)) > 1:
                await split_up(desk, job, letter, way, words)
            else:
                # On the channel that may have it already, a repeat it hides must be the same to the byte.
                limits = self._channels[way.channel].limits
                is_hidden = has_words_for(letter, way) and limits.hides_after(desk.now - letter.made_at)
                chosen.append(_Chosen(job, letter, words[0], way, letter.unknowns > 0 and not is_hidden))
        return await self._reserve(desk, chosen)

    async def _behind(self, desk: Desk, letters: Sequence[Letter]) -> set[str]:
        """Those who must let a mailing go first; where no channel takes many at once there is none for long."""
        if all(channel.limits.batch_max == 1 for channel in self._channels.values()):
            return set()
        bulk = [one for one in letters if one.lane is Lane.bulk and one.state is LetterState.queued]
        return await waiting_behind(desk, bulk)

    async def _owed(self, desk: Desk, letter: Letter) -> Letter | None:
        """The letter if it must still be sent; one that a crash left `sending` is judged as unknown first."""
        if letter.state not in OPEN_STATES:
            return None
        if letter.state is LetterState.sending:
            channel = self._channels.get(letter.channel)
            hides = channel is not None and channel.limits.hides_repeats
            verdict = delivery.after_unknown(
                letter, desk.now, hides_repeats=hides, attempts_max=delivery.CUT_OFF_MAX
            )
            if verdict.state is LetterState.unknown:
                await leave_unknown(desk, letter, verdict.unknowns, "cut off")
                return None
            if verdict.state is LetterState.failed:
                await give_up(desk, letter, "cut off")
                return None
            letter = await desk.store.change(letter, state=LetterState.queued, unknowns=verdict.unknowns)
        if delivery.is_stale(letter, desk.now):
            await drop_stale(desk, letter)
            return None
        if letter.attempts and not await still_owed(desk, [letter]):
            await desk.store.change(letter, state=LetterState.cancelled, reason="settled")
            return None
        return letter

    async def _reserve(self, desk: Desk, chosen: Sequence[_Chosen]) -> list[Sending]:
        """Reserve each letter's moment; what must wait longer falls due again then."""
        names = [name for one in chosen for name in bucket_names(one.way.channel, one.way.address)]
        await self._backsteps.look(desk.store, desk.now)
        pacer = await Pacer.read(desk.store, names)
        slow = Counter(one.letter.channel for chain in self._late.values() for one in chain)
        latest = desk.now + WAIT_AT_MOST
        leaving: list[tuple[_Chosen, datetime]] = []
        for one in chosen:
            job, letter, way = one.job, one.letter, one.way
            channel = self._channels[way.channel]
            if slow[way.channel] >= LATE_MAX:
                again_at = desk.now + SLOW_AGAIN[letter.lane]
                desk.due(job.kind, letter.id, again_at, key=job.key, lane=job.lane)
                continue
            chat = "" if letter.amends else way.address
            at, reserved = pacer.reserve(
                way.channel, chat, channel.limits, desk.now, latest=latest, lane=letter.lane
            )
            if not reserved:
                if one.is_marked and letter.rendered is not None and channel.limits.hides_repeats:
                    # It is not there yet: the next look must not take these words for a repeat.
                    await desk.store.change(letter, rendered=None)
                desk.due(job.kind, letter.id, at, key=job.key, lane=job.lane)
                continue
            leaving.append((one, at))
        await pacer.write(desk.store)
        marked = await desk.store.change_each([(one.letter, _leaving(one)) for one, _ in leaving])
        return [
            Sending(letter, one.job, self._channels[one.way.channel], one.way.id, at, one.is_marked)
            for letter, (one, at) in zip(marked, leaving, strict=True)
        ]

    async def _hand_over(self, sendings: Sequence[Sending], now: datetime) -> None:
        """Letters to one person go one after the other, all others side by side; then the receipts are stored."""
        by_key: dict[str, Chain] = defaultdict(list)
        for sending in sendings:
            by_key[sending.job.key or sending.job.id].append(sending)
        chains = {asyncio.create_task(self._send_in_order(chain, now)): chain for chain in by_key.values()}
        try:
            done, late = await asyncio.wait(chains, timeout=PATIENCE_SECONDS)
        except asyncio.CancelledError:
            for task in chains:
                task.cancel()
            await asyncio.gather(*chains, return_exceptions=True)
            raise
        for task in late:
            self._follow(task, chains[task])
        outcomes = [one for task in done for one in task.result()]
        await self._receipts.store(outcomes, [sending for task in late for sending in chains[task]])

    def _follow(self, task: "asyncio.Task[Outcomes]", chain: Chain) -> None:
        """The batch does not wait for it any longer; its receipts are stored when they come."""

        async def follow() -> None:
            try:
                await self._receipts.store(await task)
            except Exception:  # The job put for this case brings the letters up again, as unknown.
                log.exception("receipts of %d slow letters could not be stored", len(chain))

        follower = asyncio.create_task(follow(), name=f"slow:{chain[0].letter.channel}")
        self._late[follower] = chain
        follower.add_done_callback(self._late.pop)

    async def _send_in_order(self, chain: Chain, now: datetime) -> Outcomes:
        """One receipt each, whatever the channel does."""
        receipts: list[Receipt] = []
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                for sending in chain:
                    receipts.append(await self._send_one(sending, now))
        except TimeoutError:
            receipts.append(Receipt(Outcome.unknown, reason=f"no answer within {SEND_SECONDS_MAX} s"))
        unsent = Receipt(Outcome.not_sent, reason="the channel hangs")
        return list(zip(chain, [*receipts, *[unsent] * (len(chain) - len(receipts))], strict=True))

    async def _send_one(self, sending: Sending, now: datetime) -> Receipt:
        letter, channel = sending.letter, sending.channel
        words = letter.rendered or Rendered("")
        if sending.is_marked:
            words = replace(words, text=self._wording.repeated(words.text))
        await wait((sending.at - now).total_seconds())
        await _stop_spinner(sending, words)
        try:
            if letter.amends:
                [receipt] = await channel.amend(words, [Card(letter.address, letter.remote_id)])
                return receipt
            [receipt] = await channel.send(words, [letter.address], key=letter.id)
            return receipt
        except Exception as error:  # Nothing a channel does may stop the others; the row says what happened.
            log.exception("%s raised instead of giving a receipt", letter.channel)
            return Receipt(Outcome.unknown, reason=f"{type(error).__name__}: {error}"[:REASON_MAX])


def _leaving(one: _Chosen) -> dict[str, Any]:
    """What fixes its words and says that it is on its way."""
    return {
        "state": LetterState.sending,
        "rendered": one.words,
        "attempts": one.letter.attempts + 1,
        "channel": one.way.channel,
        "address": one.way.address,
    }


async def _stop_spinner(sending: Sending, words: Rendered) -> None:
    """Answer a button press once, so that the phone stops waiting; it is no matter when that fails."""
    letter = sending.letter
    if letter.interaction and letter.attempts == 1:
        toast = words.text.partition("\n")[0][:TOAST_MAX]
        with contextlib.suppress(Exception):
            async with asyncio.timeout(TAP_SECONDS_MAX):
                await sending.channel.settle(letter.interaction, toast)
