"""Hears the inbox: stored event -> message -> officer -> flow, in order per sender, with its effects once."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from bot.intake import hear_job
from bot.paces import Paces
from desk import enrolment
from desk.model import Inbound, InboxRow, InboxState, Job
from desk.ports import Channel, Desk, Door, Postpone, Unavailable, WorkQueue
from handlers.flow import Flow, signs_of, split_command
from roster.model import Account, Officer

log = logging.getLogger(__name__)

ERROR_MAX = 300
HOLD_SECONDS_MAX = 1.0
FLOOD_BATCH = 4
SWEEP_BATCH = 40  # To begin with.
SWEEP_BATCH_MAX = 250
WRITING_SECONDS = 0.05  # Nobody else can write meanwhile: so long a sweep's transaction should be, about.
WRITING_SECONDS_MAX = 0.25  # Slow ones after quick ones: those that are left come with the next transaction.
SWEEP_AGAIN = timedelta(seconds=1)
SPEAKS_ON = ("report", "acknowledge")  # Flows that keep themselves what is said after their word.
UNHEARD = (InboxState.new, InboxState.failing)


class Inbox(Protocol):
    """Where events come in."""

    async def calm(self, seconds_max: float) -> bool:
        """Waits at most so many seconds; says whether no flood comes in."""
        ...

    def swept(self) -> None:
        """Everything that waits is heard with the open transaction."""
        ...


class Switchboard:
    """Gives every message to the flow that answers it. A batch shares one transaction; a poison one is isolated."""

    def __init__(
        self,
        door: Door,
        queue: WorkQueue,
        channels: Mapping[str, Channel],
        flows: Sequence[Flow],
        inbox: Inbox,
    ) -> None:
        self._inbox = inbox
        self._seconds_each = WRITING_SECONDS / SWEEP_BATCH  # What hearing one event of a sweep took last.
        self._door = door
        self._queue = queue
        self._channels = channels
        self._flows = flows
        self._signs: dict[str, Flow] = {}
        for flow in flows:
            self._signs |= dict.fromkeys(signs_of(flow), flow)
        self._paces = Paces(door.policy.limits.messages_per_minute)

    async def hear(self, jobs: Sequence[Job]) -> None:
        """Hear the events of these jobs. Their effects, their state and the end of their jobs are one transaction."""
        left = list(jobs)
        while left:
            some = left[: await self._batch(len(left))]
            async with self._door.open() as desk:
                ids = [job.ref for job in some]
                rows = await desk.store.find(InboxRow, id_in=ids, state_in=list(UNHEARD))
                by_id = {row.id: row for row in rows}
                unheard = await self._hear_together(desk, [by_id.pop(ref) for ref in ids if ref in by_id])
                await self._queue.done(desk.store, [job for job in some if job.ref not in unheard])
            left = [job for job in some if job.ref in unheard] + left[len(some) :]

    async def sweep(self, jobs: Sequence[Job]) -> None:
        """Hear all events that wait, in the order they came; the job ends with the last of them."""
        while True:
            limit = await self._batch(int(WRITING_SECONDS / self._seconds_each) or 1)
            rows: list[InboxRow] = []
            try:
                async with self._door.open() as desk:
                    rows = await desk.store.find(
                        InboxRow, state=InboxState.new, order=("received_at", "id"), limit=limit
                    )
                    began = asyncio.get_running_loop().time()
                    unheard = await self._hear_together(desk, rows)
                    count = len(rows) - len(unheard)
                    self._note_pace(count, asyncio.get_running_loop().time() - began)
                    is_last = count < limit and not unheard
                    if is_last:
                        await self._queue.done(desk.store, jobs)
                        self._inbox.swept()
            except Unavailable:
                raise
            except Exception as error:
                log.warning("%d events are heard one by one: %r", len(rows), error)
                await self._hear_one_by_one(rows, error)
                continue
            if is_last:
                return

    async def _batch(self, most: int) -> int:
        """How many to hear together: few while a flood of events comes in, so that platforms need not wait for us."""
        return most if await self._inbox.calm(HOLD_SECONDS_MAX) else min(most, FLOOD_BATCH)

    def _note_pace(self, count: int, seconds: float) -> None:
        """So that the next transaction is about as long as it should be; after one quick one it is twice as large."""
        if count:
            slowest, quickest = WRITING_SECONDS / FLOOD_BATCH, WRITING_SECONDS / SWEEP_BATCH_MAX
            self._seconds_each = min(max(seconds / count, self._seconds_each / 2, quickest), slowest)

    async def _hear_one_by_one(self, rows: Sequence[InboxRow], error: Exception) -> None:
        """The sweep itself must never be given up, whatever fails: then it only comes again a little later."""
        again_at = self._door.clock.now() + SWEEP_AGAIN
        if not rows:
            raise Postpone(again_at) from error
        try:
            for row in rows:
                await self._hear_alone(row)
        except Unavailable:
            raise
        except Exception as other:
            log.exception("the sweep comes again in a moment")
            raise Postpone(again_at) from other

    async def _hear_alone(self, row: InboxRow) -> None:
        """One event of a batch that failed; if it is the one that fails, its own job tries it again."""
        try:
            async with self._door.open() as desk:
                await self._hear_together(
                    desk, await desk.store.find(InboxRow, id=row.id, state=InboxState.new)
                )
        except Unavailable:
            raise
        except Exception:
            log.exception("%s cannot be heard, and is tried again", row.id)
            async with self._door.open() as desk:
                for failing in await desk.store.find(InboxRow, id=row.id, state=InboxState.new):
                    await desk.store.change(failing, state=InboxState.failing)
                    await self._queue.put(desk.store, [hear_job(failing, desk.now)])

    async def _hear_together(self, desk: Desk, rows: Sequence[InboxRow]) -> set[str]:
        """Hear one after the other, the first in any case, until too much time has passed; returns whom it left."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + WRITING_SECONDS_MAX
        messages: list[tuple[InboxRow, Inbound]] = []
        for row in rows:
            message = await self._read(desk, row)
            if message is not None:
                messages.append((row, message))
        known = await _senders(desk, [message for _, message in messages])
        alike = _Alike(desk)
        heard: list[InboxRow] = []
        for row, message in messages:
            if heard and loop.time() > ends_at:
                break
            heard.append(row)
            officer = known.get((message.channel, message.address))
            counted = self._paces.counted(message, row.received_at)
            if officer is not None and await alike.takes(self._alike(counted), counted, officer):
                continue
            await alike.hear()
            await self._answer(desk, counted, officer)
            if message.kind == "start":  # A code may have tied this chat to somebody just now.
                known.update(await _senders(desk, [message]))
        await alike.hear()
        await desk.store.change_all(heard, state=InboxState.heard)
        return {row.id for row, _ in messages[len(heard) :]}

    def _alike(self, message: Inbound) -> Flow | None:
        """The flow that hears such messages of many people at once."""
        for flow in self._flows:
            if flow.is_alike is not None and flow.is_alike(message):
                return flow
        return None

    async def _read(self, desk: Desk, row: InboxRow) -> Inbound | None:
        """The message in a stored event; nonsense is put aside on the desk with its reason, whole."""
        channel = self._channels.get(row.channel)
        if channel is None:
            await self._put_aside(desk, row, f"the channel {row.channel} is not configured")
            return None
        try:
            message = channel.parse(row.raw)
        except ValueError as error:
            await self._put_aside(desk, row, f"unreadable: {error}")
            return None
        if message is None:
            await desk.store.change(row, state=InboxState.heard)
        elif message.sent_at is None:  # A button press tells no moment of its own.
            return replace(message, sent_at=row.received_at)
        return message

    async def _put_aside(self, desk: Desk, row: InboxRow, reason: str) -> None:
        await desk.store.change(row, state=InboxState.dead, error=reason[:ERROR_MAX])
        desk.log("event_put_aside", "desk", channel=row.channel, event=row.id, reason=reason[:ERROR_MAX])

    async def _answer(self, desk: Desk, message: Inbound, officer: Officer | None) -> None:
        flow = await self._flow_for(desk, message, officer)
        if officer is not None:
            command, more = split_command(message)
            if more is not None and flow.name not in SPEAKS_ON:
                await flow.hear(desk, command, officer)
                await self._signs["/report"].hear(desk, more, officer)
            else:
                await flow.hear(desk, message, officer)
        elif flow.hear_stranger is not None:
            await flow.hear_stranger(desk, message)

    def _named(self, message: Inbound) -> Flow | None:
        """The flow named by the button's verb, the command, the whole text or its leading word."""
        if message.kind == "choice":
            return self._signs.get(f"[{message.verb}]")
        if message.kind == "start":
            return self._signs.get("/start")
        first, *rest = message.text.split(maxsplit=1) or [""]  # Chinese keyboards write wide blanks.
        if first.startswith("/"):  # In a group a command may carry the bot's name: /status@muster_bot.
            return self._signs.get(first.partition("@")[0].lower())
        flow = self._signs.get(first)
        return flow if flow is not None and (not rest or first in flow.leads) else None

    async def _flow_for(self, desk: Desk, message: Inbound, officer: Officer | None) -> Flow:
        """By the button's verb, else by command or exact word, else the first flow that wants it."""
        named = self._named(message)
        if officer is None:
            return named if named is not None and named.hear_stranger else self._signs["/help"]
        if named is not None and not (message.edited or message.forwarded):
            return named
        for flow in self._flows:
            if flow.wants is not None and await flow.wants(desk, message, officer):
                return flow
        return self._signs["/help"]


class _Alike:
    """Messages one after the other that a flow hears at once, one of each person."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._flow: Flow | None = None
        self._said: dict[str, tuple[Inbound, Officer]] = {}

    async def takes(self, flow: Flow | None, message: Inbound, officer: Officer) -> bool:
        """Keeps a message that such a flow wants, having heard what must come before it; False for any other."""
        if flow is None:
            return False
        if flow is not self._flow or officer.id in self._said:
            await self.hear()
        self._flow = flow
        self._said[officer.id] = message, officer
        return True

    async def hear(self) -> None:
        """Let the flow hear what was kept."""
        said, self._said = list(self._said.values()), {}
        if said and self._flow is not None and self._flow.hear_alike is not None:
            await self._flow.hear_alike(self._desk, said)


async def _senders(desk: Desk, messages: Sequence[Inbound]) -> dict[tuple[str, str], Officer]:
    """The active officers behind the addresses of these messages. Whoever writes can be reached again."""
    if not messages:
        return {}
    addresses = {(one.channel, one.address) for one in messages}
    accounts = [
        account
        for account in await desk.store.find(Account, address_in=list({address for _, address in addresses}))
        if (account.channel, account.address) in addresses and account.fault not in enrolment.FOR_GOOD
    ]
    for account in accounts:
        await enrolment.reachable_again(desk, account)
    officers = await desk.store.find(Officer, id_in=list({one.officer_id for one in accounts}), active=True)
    by_id = {officer.id: officer for officer in officers}
    return {
        (account.channel, account.address): by_id[account.officer_id]
        for account in accounts
        if account.officer_id in by_id
    }
