"""Delivers equal words to many: one call of the channel for up to a thousand people, and one receipt each."""

# As with single letters there are two transactions and the call between them. The first keeps the call as it is made
# (`bot.mailing_calls`), so that after a crash, or an outcome nobody knows, the very same one is made again, which a
# platform that hides repeats recognises. Whoever cannot go along, or was refused, goes on alone as a single letter.

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from bot import delivery
from bot.mailing_calls import Call, Calls, late_call
from bot.pacing import Backsteps, Pacer, bucket_names
from bot.receipts import LATE_AFTER, Receipts
from bot.sending import PATIENCE_SECONDS, REASON_MAX, SEND_SECONDS_MAX, wait
from bot.wording import Wording
from desk.letters import SEND_MANY
from desk.model import Job, Letter, LetterState, Mailing, Outcome, Receipt, Rendered
from desk.ports import Channel, Desk, Door, Stale, Unavailable, WorkQueue

log = logging.getLogger(__name__)

LATE_MAX = 3  # So many slow calls of one channel at a time; its other mailings wait.
CLOSE_SECONDS_MAX = 3


class Mailings:
    """The handler of `send_many` jobs, one mailing each."""

    def __init__(
        self,
        door: Door,
        queue: WorkQueue,
        channels: Mapping[str, Channel],
        wording: Wording,
        backsteps: Backsteps,
    ) -> None:
        self._door = door
        self._queue = queue
        self._calls = Calls(channels, wording, backsteps)
        self._receipts = Receipts(door, queue)
        self._late: dict[asyncio.Task[None], str] = {}

    async def send(self, jobs: Sequence[Job]) -> None:
        """Bring each mailing on its way; whatever a channel does is written in the letters' rows, never raised."""
        for job in jobs:
            hanging = [name for name, count in Counter(self._late.values()).items() if count >= LATE_MAX]
            async with self._door.open() as desk:
                call = await self._calls.prepare(desk, job, hanging)
                if call is None:
                    await self._queue.done(desk.store, [job])
                now = desk.now
            if call is not None:
                await self._hand_over(call, job, now)

    async def close(self) -> None:
        """Wait a little for what is on its way; what is cut off is called again at the next start."""
        if self._late:
            await asyncio.wait(self._late, timeout=CLOSE_SECONDS_MAX)
        for task in list(self._late):
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def _hand_over(self, call: Call, job: Job, now: datetime) -> None:
        """A call that takes long goes on beside us, with work put should nobody be left to bring its receipts."""
        calling = asyncio.create_task(_make(call, now))
        try:
            done, _ = await asyncio.wait([calling], timeout=PATIENCE_SECONDS)
        except asyncio.CancelledError:
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)
            raise
        if done:
            await self._store(call, calling.result(), job)
            return
        self._follow(call, calling)

        async def look_again(desk: Desk) -> None:
            at, name = desk.now + LATE_AFTER, late_call(call.mailing)
            desk.due(SEND_MANY, call.mailing.id, at, lane=call.mailing.lane, name=name)
            await self._queue.done(desk.store, [job])

        await self._receipts.patiently(look_again)

    def _follow(self, call: Call, calling: "asyncio.Task[list[Receipt]]") -> None:
        async def follow() -> None:
            try:
                await self._store(call, await calling)
            except Exception:  # The job put for this case makes the call again.
                log.exception("receipts of a slow call to %d could not be stored", len(call.mailing.to))
            finally:
                calling.cancel()

        follower = asyncio.create_task(follow(), name=f"slow:{call.channel.name}")
        self._late[follower] = call.channel.name
        follower.add_done_callback(self._late.pop)

    async def _store(self, call: Call, receipts: Sequence[Receipt], *jobs: Job) -> None:
        """The second transaction: all again together, or each letter as its own receipt says."""
        by_address = dict(zip(call.mailing.to, receipts, strict=True))
        outcomes = [(one, by_address[one.letter.address]) for one in call.sendings]

        async def write(desk: Desk, *, as_marked: bool = True) -> None:
            mailing = await desk.store.get(Mailing, call.mailing.id)
            if mailing is not None and mailing.version == call.mailing.version:
                if (again_at := _all_again(call, receipts, desk.now)) is None:
                    await self._receipts.settle(desk, outcomes, as_marked=as_marked)
                    await desk.store.remove(Mailing, [mailing.id])
                else:
                    await _put_again(desk, call, receipts[0], again_at)
            await self._queue.done(desk.store, jobs)

        try:
            try:
                await self._receipts.patiently(write)
            except Stale:  # Somebody else took one over: read them again.
                await self._receipts.patiently(partial(write, as_marked=False))
        except Unavailable:
            raise
        except Exception:
            told = "mailing %s: %d receipts could not be written together, and are one by one"
            log.exception(told, call.mailing.id, len(outcomes))
            # A letter whose receipt fails even so stays with its mailing, which makes the call again.
            await self._receipts.store(outcomes)
            await self._receipts.patiently(lambda desk: self._end(desk, call, jobs))

    async def _end(self, desk: Desk, call: Call, jobs: Sequence[Job]) -> None:
        await desk.store.remove(Mailing, [call.mailing.id])
        await self._queue.done(desk.store, jobs)


async def _make(call: Call, now: datetime) -> list[Receipt]:
    """One receipt each, whatever the channel does."""
    mailing, words = call.mailing, call.mailing.words or Rendered("")
    await wait((call.at - now).total_seconds())
    try:
        async with asyncio.timeout(SEND_SECONDS_MAX):
            receipts = await call.channel.send(words, mailing.to, key=mailing.id)
        if len(receipts) != len(mailing.to):
            raise ValueError(f"{len(receipts)} receipts for {len(mailing.to)} people")
    except TimeoutError:
        return [Receipt(Outcome.unknown, reason=f"no answer within {SEND_SECONDS_MAX} s")] * len(mailing.to)
    except Exception as error:  # Nothing a channel does may stop the others; the rows say what happened.
        log.exception("%s raised instead of giving receipts", call.channel.name)
        reason = f"{type(error).__name__}: {error}"[:REASON_MAX]
        return [Receipt(Outcome.unknown, reason=reason)] * len(mailing.to)
    return receipts


def _all_again(call: Call, receipts: Sequence[Receipt], now: datetime) -> datetime | None:
    """When the same call is due again, if nobody of it got anything for certain."""
    first, hides = receipts[0], call.channel.limits.hides_repeats
    is_one = all(one.outcome is first.outcome and not one.new_address for one in receipts)
    if not is_one or first.outcome not in (Outcome.not_sent, Outcome.unknown):
        return None
    if first.outcome is Outcome.unknown and not hides:
        return None
    return delivery.judge(call.sendings[0].letter, first, now, hides_repeats=hides).again_at


async def _put_again(desk: Desk, call: Call, receipt: Receipt, again_at: datetime) -> None:
    """Together again: the very same call when it may have arrived, else with whoever is owed it then."""
    found = await desk.store.find(Letter, id_in=list(call.mailing.letters), state=LetterState.sending)
    is_unknown = receipt.outcome is Outcome.unknown
    changes = {"state": LetterState.queued, "reason": receipt.reason[:REASON_MAX]}
    await desk.store.change_each(
        [
            (one, {**changes, "unknowns": max(one.unknowns, 1) if is_unknown else one.unknowns})
            for one in found
        ]
    )
    if receipt.retry_after_seconds is not None and receipt.whole_channel:
        pacer = await Pacer.read(desk.store, bucket_names(call.channel.name, ""))
        pacer.hold(call.channel.name, "", call.channel.limits, again_at)
        await pacer.write(desk.store)
    if not is_unknown:
        await desk.store.change(call.mailing, to=(), words=None, left_at=None)
    desk.due(SEND_MANY, call.mailing.id, again_at, lane=call.mailing.lane)
