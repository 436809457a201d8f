"""Makes one call out of letters of equal words: who goes along, with which words, at which moment."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot import delivery
from bot.pacing import Backsteps, Pacer, bucket_names, calm_at
from bot.receipts import LATE, drop_stale, leave_unknown
from bot.sending import MARKS_UNITS, OPEN_STATES, WAIT_AT_MOST, Sending
from bot.turns import waiting_behind
from bot.ways import accounts_of, way_for
from bot.wording import Wording
from desk.letters import SEND, SEND_MANY, post_alone, post_together, still_owed
from desk.model import Job, Letter, LetterState, Mailing, Rendered
from desk.ports import Channel, Desk
from roster.model import Account

REST_SPAN = timedelta(minutes=1)  # Whom the rates hold back leave together when the last of so long may.
SLOW_AGAIN = timedelta(seconds=10)

Ways = Mapping[str, Account]  # By letter.


@dataclass(frozen=True)
class Call:
    """A mailing that leaves now, with a sending for each letter that waits for its receipt."""

    mailing: Mailing
    channel: Channel
    sendings: Sequence[Sending]
    at: datetime


@dataclass(frozen=True)
class _Stack:
    """A mailing's letters that are still owed, and the way each would go now."""

    mailing: Mailing
    job: Job
    letters: Sequence[Letter]
    ways: Ways

    def call(self, mailing: Mailing, channel: Channel, marked: Sequence[Letter], at: datetime) -> Call:
        """The call, and as what each letter goes on should it have to go alone after it."""
        sendings = [
            Sending(
                one,
                Job("", SEND, one.id, self.job.due_at, f"to:{one.officer_id}", one.lane),
                channel,
                self.ways[one.id].id,
                at,
                together=True,
            )
            for one in marked
        ]
        return Call(mailing, channel, sendings, at)


class Calls:
    """The first transaction of a mailing: a call is kept as it is made, so that it can be made again the same."""

    def __init__(self, channels: Mapping[str, Channel], wording: Wording, backsteps: Backsteps) -> None:
        self._channels = channels
        self._wording = wording
        self._backsteps = backsteps

    async def prepare(self, desk: Desk, job: Job, hanging: Collection[str]) -> Call | None:
        """The call to make now; None when there is none, and what leaves later or alone was given its work."""
        mailing = await desk.store.get(Mailing, job.ref)
        if mailing is None or (job.id.startswith(LATE) and job.id != late_call(mailing)):
            return None
        letters = []
        for letter in await desk.store.find(Letter, id_in=list(mailing.letters)):
            if letter.state in OPEN_STATES and delivery.is_stale(letter, desk.now):
                await drop_stale(desk, letter)
            elif letter.state in OPEN_STATES:
                letters.append(letter)
        accounts = await accounts_of(desk.store, letters)
        found = ((one.id, way_for(one, accounts[one.officer_id], self._channels)) for one in letters)
        stack = _Stack(mailing, job, letters, {ref: way for ref, way in found if way is not None})
        await self._backsteps.look(desk.store, desk.now)
        if mailing.to:
            return await self._again(desk, stack)
        return await self._first(desk, stack, hanging)

    async def _first(self, desk: Desk, stack: _Stack, hanging: Collection[str]) -> Call | None:
        """What was never out may still be divided: those on one channel go along, the others their own way."""
        groups = self._grouped(await self._going(desk, stack), stack.ways)
        going = groups[0] if groups else []
        for others in groups[1:]:
            post_together(desk, others, desk.now)
        if going:
            channel = self._channels[stack.ways[going[0].id].channel]
            call = await self._leave(desk, stack, going, channel, channel.name in hanging)
            if call is not None:
                return call
        await desk.store.remove(Mailing, [stack.mailing.id])
        return None

    async def _going(self, desk: Desk, stack: _Stack) -> list[Letter]:
        """Those who may go along with others; each of the rest goes alone, in its turn."""
        tried = [one for one in stack.letters if one.attempts]
        owed = {one.id for one in await still_owed(desk, tried)} if tried else set()
        settled = [one for one in tried if one.id not in owed]
        await desk.store.change_all(settled, state=LetterState.cancelled, reason="settled")
        ended = {one.id for one in settled}
        behind = await waiting_behind(desk, stack.letters)
        going = []
        for letter in stack.letters:
            way = stack.ways.get(letter.id)
            if letter.id in ended:
                continue
            if way is None or letter.id in behind or self._channels[way.channel].limits.batch_max == 1:
                post_alone(desk, letter, desk.now)
            else:
                going.append(letter)
        return going

    def _grouped(self, letters: Sequence[Letter], ways: Ways) -> list[Sequence[Letter]]:
        """The letters of each channel, no more at once than it takes, in their order."""
        by_channel: dict[str, list[Letter]] = defaultdict(list)
        for letter in letters:
            by_channel[ways[letter.id].channel].append(letter)
        groups: list[Sequence[Letter]] = []
        for name, some in by_channel.items():
            most = self._channels[name].limits.batch_max
            groups += [some[start : start + most] for start in range(0, len(some), most)]
        return groups

    async def _leave(
        self, desk: Desk, stack: _Stack, letters: Sequence[Letter], channel: Channel, is_hanging: bool
    ) -> Call | None:
        """Fix the words and the call; None when it is too early, or they cannot leave in one."""
        words = self._words(desk, letters[0], channel)
        if words is None:  # Too long for one message: each is cut on its own way.
            for letter in letters:
                post_alone(desk, letter, desk.now)
            return None
        earliest = desk.now + SLOW_AGAIN if is_hanging else desk.now
        if delivery.can_wait(letters[0]):
            seed = f"{letters[0].kind}/{letters[0].made_at.isoformat()}"
            earliest = calm_at(channel.limits, earliest, seed)
        if earliest > desk.now:
            post_together(desk, letters, earliest)
            return None
        letters, at = await self._reserve(desk, channel, letters, stack.ways)
        if not letters:
            return None
        changes = {"state": LetterState.sending, "channel": channel.name, "rendered": words}
        marked = await desk.store.change_each(
            [
                (one, {**changes, "attempts": one.attempts + 1, "address": stack.ways[one.id].address})
                for one in letters
            ]
        )
        mailing = await desk.store.change(
            stack.mailing,
            letters=tuple(one.id for one in marked),
            attempts=stack.mailing.attempts + 1,
            channel=channel.name,
            to=tuple(one.address for one in marked),
            words=words,
            left_at=desk.now,
        )
        return stack.call(mailing, channel, marked, at)

    def _words(self, desk: Desk, letter: Letter, channel: Channel) -> Rendered | None:
        is_stub = channel.name in desk.policy.stub_only
        words = (self._wording.stub if is_stub else self._wording.render)(letter, desk.now)
        parts = delivery.split(words.text, channel.limits.text_max - MARKS_UNITS)
        return words if len(parts) == 1 else None

    async def _reserve(
        self, desk: Desk, channel: Channel, letters: Sequence[Letter], ways: Ways
    ) -> tuple[list[Letter], datetime]:
        """Those who may leave now, and when; whom a rate holds back leave together later."""
        addresses = [ways[one.id].address for one in letters]
        pacer = await _pacer(desk, channel, addresses)
        latest = desk.now + WAIT_AT_MOST
        going: list[Letter] = []
        held: list[Letter] = []
        moments = [desk.now]
        later: list[datetime] = []
        for letter, address in zip(letters, addresses, strict=True):
            at, is_reserved = pacer.reserve(
                channel.name, address, channel.limits, desk.now, latest=latest, lane=letter.lane
            )
            (going if is_reserved else held).append(letter)
            (moments if is_reserved else later).append(at)
        await pacer.write(desk.store)
        if held:
            post_together(desk, held, min(max(later), min(later) + REST_SPAN))
        return going, max(moments)

    async def _again(self, desk: Desk, stack: _Stack) -> Call | None:
        """The very call that is out with an outcome nobody knows, as long as the platform hides the repeat."""
        mailing, channel = stack.mailing, self._channels.get(stack.mailing.channel)
        here = [one for one in stack.letters if _stays(one, stack.ways.get(one.id))]
        elsewhere = [one for one in stack.letters if one not in here]
        # After some attempts the others' next way is tried; else an address is theirs no more, and never used again.
        is_turn = mailing.attempts % delivery.OTHER_WAY_AFTER_ATTEMPTS == 0
        is_same = channel is not None and _is_hidden(mailing, channel, desk.now)
        if channel is None or not is_same or not here or (elsewhere and not is_turn):
            await _part(desk, stack.letters)
            await desk.store.remove(Mailing, [mailing.id])
            return None
        at = await self._reserve_all(desk, channel, mailing)
        if at > desk.now + WAIT_AT_MOST:
            desk.due(SEND_MANY, mailing.id, at, lane=mailing.lane)
            return None
        await _part(desk, elsewhere)
        marked = await desk.store.change_each(
            [
                (
                    one,
                    {
                        "state": LetterState.sending,
                        "attempts": one.attempts + 1,
                        "unknowns": max(one.unknowns, 1),
                    },
                )
                for one in here
            ]
        )
        ids = tuple(one.id for one in marked)
        mailing = await desk.store.change(mailing, letters=ids, attempts=mailing.attempts + 1)
        return stack.call(mailing, channel, marked, at)

    async def _reserve_all(self, desk: Desk, channel: Channel, mailing: Mailing) -> datetime:
        """When all of them may leave once more, reserved if that is soon: the call cannot be divided."""
        pacer = await _pacer(desk, channel, mailing.to)
        latest = desk.now + WAIT_AT_MOST
        moments = [
            pacer.reserve(channel.name, address, channel.limits, desk.now, latest=latest, lane=mailing.lane)
            for address in mailing.to
        ]
        if all(is_reserved for _, is_reserved in moments):
            await pacer.write(desk.store)
        return max(at for at, _ in moments)


def late_call(mailing: Mailing) -> str:
    """The job that brings a mailing up again should nobody bring the receipts of just this call."""
    return f"{LATE}{mailing.id}/{mailing.version}"


async def _pacer(desk: Desk, channel: Channel, addresses: Sequence[str]) -> Pacer:
    names = [name for address in addresses for name in bucket_names(channel.name, address)]
    return await Pacer.read(desk.store, names)


def _stays(letter: Letter, way: Account | None) -> bool:
    """Whether the letter's way is still the one it went."""
    return way is not None and (way.channel, way.address) == (letter.channel, letter.address)


def _is_hidden(mailing: Mailing, channel: Channel, now: datetime) -> bool:
    """Whether the same call once more shows nothing twice."""
    span = now - (mailing.left_at or now)
    return channel.limits.hides_after(span) and mailing.attempts < delivery.CUT_OFF_MAX


async def _part(desk: Desk, letters: Sequence[Letter]) -> None:
    """Each goes on alone, as one that may have arrived: by its class once more, with a mark, or not at all."""
    for letter in letters:
        unknowns = letter.unknowns
        if letter.state is LetterState.sending:
            unknowns = delivery.after_unknown(letter, desk.now, hides_repeats=False).unknowns
        if unknowns > delivery.unknowns_max(letter):
            await leave_unknown(desk, letter, unknowns, letter.reason or "cut off")
            continue
        # A copy sent alone has words of its own, with a mark.
        changes = {"state": LetterState.queued, "unknowns": max(unknowns, 1), "rendered": None}
        post_alone(desk, await desk.store.change(letter, **changes), desk.now)
